"""What a door lives through, and what it vouches for meanwhile: a disk that stalls, a reader that hangs, a log that
nobody reads, no memory. A strike and a maglock each time. Deaths that a new process ends are in test_service."""

import contextlib
import fcntl
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from agent.errors import ControlError
from agent.runtime.supervisor import STALLED_S
from tests.rigs import site
from tests.rigs.daemon import ROOT, Daemon
from tests.rigs.hung_thread import hung_thread
from tests.rigs.stalling_disk import stalling_disk
from tests.rigs.waiting import wait_for

pytestmark = pytest.mark.system

DOOR: Final = """
[[door]]
id = "{name}"
rex_unlock_s = 1.0
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
NO_CLOUD: Final = """
[aws]
region = "eu-central-1"
stream = "nobody"
table = "nobody"
bucket = "nobody"
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


def test_a_log_that_nobody_reads_stops_no_door(tmp_path: Path, manager: Manager) -> None:
    """journald waits for its disk; a full pipe to it must not make the door wait too."""
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    unread = os.open(pipe, os.O_RDWR)
    fcntl.fcntl(unread, fcntl.F_SETPIPE_SZ, 4096)
    daemon = Daemon(tmp_path, DOORS, keys=site.KEYS, environment={"NOTIFY_SOCKET": str(manager.path)})
    site.install(daemon.state_dir, site.items(["strike", "maglock"]))
    try:
        daemon.start()
        for _ in range(40):  # more than twice what the pipe holds
            assert daemon.tap(site.ALICE, "strike-in")["decision"] == "granted"
        for number in (0, 1):
            rex_unlocks(daemon, number)
        before = manager.vouched
        wait_for(lambda: manager.vouched >= before + 2, "the agent to be vouched for", 30)
        assert daemon.stop() == 0
    finally:
        if daemon.process is not None:
            daemon.kill()
        os.close(unread)


@pytest.fixture
def front(tmp_path: Path, manager: Manager) -> Iterator[Daemon]:
    """A running daemon as it is."""
    daemon = Daemon(tmp_path, DOORS, keys=site.KEYS, environment={"NOTIFY_SOCKET": str(manager.path)})
    site.install(daemon.state_dir, site.items(["strike", "maglock"]))
    with daemon:
        yield daemon


@pytest.fixture
def bombed(tmp_path: Path, manager: Manager) -> Iterator[Daemon]:
    """A running daemon that raises exceptions where the test wants them."""
    os.mkfifo(tmp_path / "bombs")
    cloud = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "nobody")
    cloud |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_EC2_METADATA_DISABLED": "true"}
    daemon = Daemon(
        tmp_path,
        DOORS + NO_CLOUD,
        keys=site.KEYS,
        prefix=(sys.executable, str(ROOT / "tests" / "rigs" / "bombed_daemon.py")),
        environment={"NOTIFY_SOCKET": str(manager.path), "BOMBS": str(tmp_path / "bombs"), **cloud},
    )
    site.install(daemon.state_dir, site.items(["strike", "maglock"]))
    with daemon:
        yield daemon


def bomb(daemon: Daemon, thread: str) -> None:
    """An exception in this thread, at its next step."""
    (daemon.home / "bombs").write_text(f"{thread}\n")


def test_a_thread_that_meets_an_exception_is_run_again_and_the_doors_go_on(bombed: Daemon) -> None:
    """Each worker in turn: it is recorded, and the doors do all that they did before."""
    threads = ["controller", "inputs-emulated", "reader-strike-in", "reader-maglock-in", "control", "uplink", "sync"]
    for place, thread in enumerate(threads):
        bomb(bombed, thread)
        wait_for(lambda: dead_workers(bombed)[place:], f"the exception in {thread}")  # noqa: B023
        assert dead_workers(bombed)[-1] == thread
        wait_for(lambda: serves(bombed), f"the doors to go on without {thread}", 30)
        assert bombed.wait_event("worker.failed", count=place + 1)["detail"]["worker"] == thread
        for number, name in enumerate(("strike", "maglock")):
            assert bombed.tap(site.BOB, f"{name}-in")["decision"] == "granted"
            rex_unlocks(bombed, number)


def dead_workers(daemon: Daemon) -> list[str]:
    """Which workers died so far, by the log."""
    return [line["worker"] for line in daemon.log_lines("worker.failed") if "worker" in line]


def serves(daemon: Daemon) -> bool:
    """Whether the daemon answers that all is well."""
    try:
        return not [reason for reason in daemon.status()["degraded"] if reason.startswith("worker_")]
    except (ControlError, OSError):
        return False


def test_no_thread_takes_a_signal_from_the_one_that_waits_for_it(front: Daemon) -> None:
    """The kernel gives a signal to any thread that does not block it, and there it would end the process."""
    assert front.process is not None
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    takers = []
    for task in Path(f"/proc/{front.process.pid}/task").iterdir():
        # Clients' threads come and go.
        with contextlib.suppress(OSError):
            (blocked,) = re.findall(r"SigBlk:\s+(\w+)", (task / "status").read_text())
            if not all(int(blocked, 16) >> number - 1 & 1 for number in numbers):
                takers.append(f"{task.name} {(task / 'comm').read_text().strip()}")
    # Who waits for them does not block them meanwhile.
    assert len(takers) <= 1, takers


def test_nobody_vouches_for_an_agent_of_which_a_worker_hangs(front: Daemon, manager: Manager) -> None:
    """Each one counts, and counts again once it goes on."""
    workers = {"controller", "inputs-emulated", "reader-strike-in", "reader-maglock-in", "control"}
    assert front.process is not None
    with contextlib.ExitStack() as held:
        for worker in workers:
            held.enter_context(hung_thread(front.process.pid, worker))
        wait_for(lambda: told_of(front, "watchdog.withheld") == workers, "all to be missed", 6 * STALLED_S)
        before = manager.withheld, manager.vouched
        wait_for(lambda: manager.withheld > before[0], "the next look")
        assert manager.vouched == before[1]
    wait_for(lambda: told_of(front, "watchdog.resumed") == workers, "all to go on", 30)
    vouched = manager.vouched
    wait_for(lambda: manager.vouched > vouched, "the watchdog to be fed again")
    rex_unlocks(front, 0)


def told_of(daemon: Daemon, event: str) -> set[str]:
    """Workers that lines of this kind name."""
    return {line["worker"] for line in daemon.log_lines(event)}


@pytest.mark.parametrize("thread", ["journal", "state"])
def test_nobody_vouches_for_an_agent_that_lost_a_thread_for_good(bombed: Daemon, manager: Manager, thread: str) -> None:
    """What no supervisor runs again, a new process does; the door works until then."""

    def is_withheld() -> bool:
        # Again, because an exception in the middle of its work is one that it survives.
        bomb(bombed, thread)
        bombed.tap(site.ALICE, "strike-in")
        return manager.withheld > 0

    wait_for(is_withheld, "the watchdog to be left unfed", 30)
    assert bombed.log_lines("watchdog.withheld")[0]["worker"] == thread
    rex_unlocks(bombed, 0)
    rex_unlocks(bombed, 1)


def test_an_exception_in_the_main_thread_stops_the_agent_in_order(bombed: Daemon) -> None:
    """It ends as by a signal, with its locks safe and its last event written, and says that it failed."""
    bombed.tap(site.ALICE, "strike-in")
    process = bombed.process
    assert process is not None
    bomb(bombed, "MainThread")
    swallowed = 0

    def ended() -> bool:
        nonlocal swallowed
        # One that comes in the midst of a look at the agent is the end of that look alone.
        if len(bombed.log_lines("health.failed")) > swallowed:
            swallowed += 1
            bomb(bombed, "MainThread")
        return process.poll() is not None

    wait_for(ended, "the end of the main thread", 20)
    assert process.wait() == 1
    assert bombed.log_lines("agent.stopped")
    bombed.start()
    assert [event["detail"]["why"] for event in bombed.events("agent.stopped")] == ["failed"]
