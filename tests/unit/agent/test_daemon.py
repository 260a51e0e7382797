"""The daemon's own thread, around the agent. In a process of its own, since it blocks signals for the whole process."""

import subprocess
import sys
from pathlib import Path

from tests.rigs.daemon import ROOT

_SERVE = """
import os, signal, sys, threading
from pathlib import Path
from agent import daemon
from hardware.errors import OpenError

class Agent:
    def __init__(self, config):
        pass

    def start(self):
        print(*sorted(thread.name for thread in threading.enumerate()), flush=True)
        if not {starts}:
            raise OpenError("no pin")

    looked = 0

    def silent(self):
        self.looked += 1
        if self.looked == 1:
            raise MemoryError
        os.kill(os.getpid(), signal.SIGTERM)
        return []

    def status(self):
        return {{"ready": True, "doors": [], "degraded": []}}

    def stop(self, why):
        pass

daemon.Agent, daemon.VOUCH_S = Agent, 0.01
sys.exit(daemon.serve(Path(sys.argv[1])))
"""
_CONFIG = """
[device]
id = "d"
site = "hq"
state_dir = "state"
socket = "control.sock"
[[door]]
id = "front"
[door.lock]
driver = "emulated"
fail = "secure"
"""


def serve(folder: Path, *, starts: bool) -> subprocess.CompletedProcess[str]:
    """A daemon around an agent that says what it saw, until it ends."""
    (folder / "state").mkdir()
    (folder / "cardea.toml").write_text(_CONFIG)
    command = [sys.executable, "-c", _SERVE.format(starts=starts), str(folder / "cardea.toml")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True, timeout=60)


def test_whoever_vouches_for_the_agent_needs_no_thread_once_it_runs(tmp_path: Path) -> None:
    """With no memory for one it would end, or wait for ever, while people trust a door that works."""
    done = serve(tmp_path, starts=False)
    assert done.stdout.splitlines()[0] == "MainThread log signals", done.stderr
    assert done.returncode == 1
    assert "no pin" in done.stdout


def test_a_look_that_fails_vouches_for_nothing_and_ends_nothing(tmp_path: Path) -> None:
    """The doors go on; a signal still stops them."""
    done = serve(tmp_path, starts=True)
    assert "health.failed" in done.stdout, done.stderr
    assert '"signal": "SIGTERM"' in done.stdout
    assert done.returncode == 0
