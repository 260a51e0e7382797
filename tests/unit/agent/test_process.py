"""What a daemon asks of the interpreter. Each in a process of its own, since it is for the whole process."""

import subprocess
import sys

from tests.rigs.daemon import ROOT


def run(code: str) -> str:
    """What this code prints in a fresh Python."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True, timeout=60
    ).stdout.strip()


def test_the_daemon_loads_no_rich_and_tables_still_do() -> None:
    """5 MiB less on a controller; a command that draws a table finds it as ever."""
    code = """
import sys
from agent.process import without_ornaments
import agent.cli.run
with without_ornaments():
    import agent.daemon
print("rich" in sys.modules, "greenlet" in sys.modules, "structlog" in sys.modules)
from agent.cli.common import console
console().print("[bold]drawn[/bold]")
"""
    assert run(code).splitlines() == ["False False True", "drawn"]


def test_rich_that_is_there_stays_there() -> None:
    """Whoever loaded it keeps it."""
    code = """
import rich, sys
from agent.process import without_ornaments
with without_ornaments():
    print(sys.modules["rich"] is rich)
"""
    assert run(code) == "True"


def test_a_busy_thread_gives_way_soon() -> None:
    """A tap changes threads four times beside a sync that reads a list."""
    code = "import sys; from agent import process; process.before_start(); print(sys.getswitchinterval() <= 0.001)"
    assert run(code) == "True"


def test_what_start_up_made_is_not_looked_through_again() -> None:
    """A full collection in the middle of a tap costs what was made since, not what is there."""
    code = "import gc; from agent import process; process.after_start(); print(gc.get_freeze_count() > 1000)"
    assert run(code) == "True"
