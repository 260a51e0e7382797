"""From the start of the process to its first answered tap, on a door that has a list and a journal."""

import sys
import time
from collections.abc import Sequence

from tests.bench import doors, site
from tests.bench.context import Context, python
from tests.bench.endpoint import endpoint
from tests.bench.result import Figure, Row, at_most, measure
from tests.rigs.daemon import Daemon
from tests.rigs.site import KEYS

LIMIT_S = 1.5
_NAMES = """
import sys
from agent.process import without_ornaments
with without_ornaments():
    from agent import daemon
from agent.cli import run
import hardware.gpio.emulated, hardware.readers.emulated
ours = ("agent", "hardware", "cloud", "__main__")
print("\\n".join(name for name in sys.modules if name.partition(".")[0] not in ours))
"""
_IMPORT = """
import sys
for name in sys.argv[1:]:
    # Some are made by others: cryptography's binding brings its own under a name that nobody can import.
    if name not in sys.modules:
        try:
            __import__(name)
        except ModuleNotFoundError as error:
            if error.name != "_openssl":
                raise
print("done", flush=True)
"""


def run(context: Context) -> Sequence[Row]:
    """A door alone and one with a cloud, in turns with a Python that imports the same libraries and nothing of ours."""
    rounds = context.rounds(10, 2)
    names = _libraries()
    with endpoint() as cloud:
        alone = Daemon(context.folder(), doors.DOOR, keys=KEYS)
        connected = Daemon(context.folder(), doors.DOOR + doors.CLOUD, keys=KEYS, environment=cloud.variables)
        found: dict[str, list[float]] = {"alone": [], "connected": [], "import": []}
        for daemon in (alone, connected):
            context.stocked(daemon.state_dir)
            _first_answer_s(daemon)
        for _ in range(rounds):
            found["alone"].append(_first_answer_s(alone))
            found["connected"].append(_first_answer_s(connected))
            found["import"].append(_import_s(names))
    floor = measure(f"Python importing the same {len(names)} library modules", "s", found["import"])
    rows = []
    for what, values in (("without a cloud", found["alone"]), ("cloud configured", found["connected"])):
        ours = measure(f"process start to first tap answered, {what}", "s", values)
        rows.append(Row(ours, floor, (at_most("p99", "s", LIMIT_S, ours.p99),)))
    return rows


def _first_answer_s(daemon: Daemon) -> float:
    start = time.perf_counter()
    with daemon:
        result = daemon.tap(site.uid(1))
        took_s = time.perf_counter() - start
        assert result["decision"] == "granted", result["reason"]
        daemon.stop()
    return took_s


def _libraries() -> list[str]:
    with python(_NAMES) as process:
        out, _ = process.communicate(timeout=60)
    names = out.split()
    if "structlog" not in names or "agent.daemon" in names:
        raise RuntimeError(f"{sys.executable} did not tell what the agent imports")
    return names


def _import_s(names: Sequence[str]) -> float:
    start = time.perf_counter()
    with python(_IMPORT, names) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        return time.perf_counter() - start


FIGURE = Figure("start", "Start to first decision", run)
