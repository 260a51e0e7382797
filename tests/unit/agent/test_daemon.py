"""The daemon's own thread, around the agent. In a process of its own, since it blocks signals for the whole process."""

import subprocess
import sys
from pathlib import Path

import pytest

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
_RELOAD = """
import os, signal, sys
from pathlib import Path
from agent import daemon, logs

def fail(*_, **__):
    raise MemoryError

class Agent:
    looked = 0

    def __init__(self, config):
        pass

    def start(self):
        {failing} = fail

    def silent(self):
        self.looked += 1
        os.kill(os.getpid(), signal.SIGHUP if self.looked == 1 else signal.SIGTERM)
        return []

    def status(self):
        return {{"ready": True, "doors": [], "degraded": []}}

    def reconfigure(self, config):
        return []

    def stop(self, why):
        print("stopped by", why, "after looks:", self.looked, file=sys.stderr)

class Words:
    exception = info = error = staticmethod(fail)

daemon.Agent = Agent
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


def serve(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """A daemon around an agent that says what it saw, until it ends."""
    (folder / "state").mkdir()
    (folder / "cardea.toml").write_text(_CONFIG)
    command = [sys.executable, "-c", program, str(folder / "cardea.toml")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True, timeout=60)


def test_whoever_vouches_for_the_agent_needs_no_thread_once_it_runs(tmp_path: Path) -> None:
    """With no memory for one it would end, or wait for ever, while people trust a door that works."""
    done = serve(tmp_path, _SERVE.format(starts=False))
    assert done.stdout.splitlines()[0] == "MainThread log signals", done.stderr
    assert done.returncode == 1
    assert "no pin" in done.stdout


def test_a_look_that_fails_vouches_for_nothing_and_ends_nothing(tmp_path: Path) -> None:
    """The doors go on; a signal still stops them."""
    done = serve(tmp_path, _SERVE.format(starts=True))
    assert "health.failed" in done.stdout, done.stderr
    assert '"signal": "SIGTERM"' in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("failing", ["daemon.load", "self.reconfigure", "logs.configure"])
def test_a_reload_that_fails_in_any_way_leaves_the_daemon_as_it_was(tmp_path: Path, failing: str) -> None:
    """Such as for want of memory: every maglock would let go with it."""
    done = serve(tmp_path, _RELOAD.format(failing=failing))
    assert "config.reload_failed" in done.stdout, done.stderr
    assert "stopped by SIGTERM after looks: 2" in done.stderr
    assert done.returncode == 0


def test_the_agent_is_stopped_in_order_although_nothing_can_be_said_of_it(tmp_path: Path) -> None:
    """Whatever words fail for, the locks come first."""
    done = serve(tmp_path, _RELOAD.format(failing="daemon.log = Words; daemon.load"))
    assert "stopped by SIGTERM after looks: 2" in done.stderr
