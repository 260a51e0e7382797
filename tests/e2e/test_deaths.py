"""What a door lives through, and what it vouches for meanwhile: a disk that stalls, a reader that hangs, a log that
nobody reads, no memory. A strike and a maglock each time. Deaths that a new process ends are in test_service."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from agent.runtime.supervisor import STALLED_S
from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.stalling_disk import stalling_disk
from tests.rigs.waiting import wait_for

pytestmark = pytest.mark.system

DOOR: Final = """
[[door]]
id = "{name}"
[door.lock]
driver = "emulated"
fail = "{fail}"
strike_s = 1.0
[[door.reader]]
name = "{name}-in"
direction = "in"
driver = "emulated"
[[door.reader]]
name = "{name}-out"
direction = "out"
driver = "emulated"
[door.inputs.rex]
driver = "emulated"
normally = "open"
[door.inputs.fire]
driver = "emulated"
normally = "closed"
"""
DOORS: Final = DOOR.format(name="strike", fail="secure") + DOOR.format(name="maglock", fail="safe")


class Manager:
    """Listens as systemd does; counts how often it was told that all is well."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._thread = threading.Thread(target=self._listen)
        self.vouched = 0
        self.withheld = 0
        self._thread.start()

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            if b"WATCHDOG=1" in message:
                self.vouched += 1
            elif b"STOPPING=1" not in message:
                self.withheld += 1

    def close(self) -> None:
        """Stop to listen."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", str(self.path))
        self._thread.join(5)
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.close()


def rex_unlocks(daemon: Daemon, door: int) -> None:
    """Press the exit button of an unlocked or locked door; it ends unlocked."""
    name = ("strike", "maglock")[door]
    wait_for(lambda: daemon.door(door)["lock"] == "locked", f"{name} to be locked", 20)
    daemon.input(f"{name}.rex", "press")
    wait_for(lambda: daemon.door(door)["lock"] == "unlocked", f"REX of {name} to unlock", 20)


def test_a_disk_that_stalls_keeps_nobody_in_or_out_and_is_no_reason_to_start_anew(
    tmp_path: Path, manager: Manager
) -> None:
    """Cards open, exit buttons open, fire releases; what happened is written once the disk comes back."""
    with stalling_disk(tmp_path / "state") as disk:
        daemon = Daemon(tmp_path, DOORS, keys=site.KEYS, environment={"NOTIFY_SOCKET": str(manager.path)})
        site.install(daemon.state_dir, site.items(["strike", "maglock"], anti_passback=True))
        with daemon:
            assert daemon.tap(site.ALICE, "strike-in")["decision"] == "granted"
            with disk.stalled():
                for number, name in enumerate(("strike", "maglock")):
                    rex_unlocks(daemon, number)
                    # The first to enter, and to leave, after the stall began: both change who is where.
                    assert daemon.tap(site.BOB, f"{name}-in")["decision"] == "granted"
                    assert daemon.tap(site.BOB, f"{name}-out")["decision"] == "granted"
                daemon.input("strike.fire", "on")
                wait_for(lambda: daemon.door(0)["lock"] == "unlocked", "fire to release the strike", 20)
                rex_unlocks(daemon, 1)
                before = manager.vouched
                wait_for(lambda: manager.vouched >= before + STALLED_S / 2 + 2, "the agent to be vouched for", 60)
                assert manager.withheld == 0
                assert "journal_degraded" in daemon.status()["degraded"]
            daemon.wait_event("journal.recovered", 30)
            assert len(daemon.events("rex.pressed")) == 3
            daemon.input("strike.fire", "off")
            assert daemon.stop() == 0
            daemon.start()
            assert daemon.door(0)["lock"] == "unlocked", "the fire state was lost"
