"""A disk that is full, dead, read-only or damaged under the running daemon: the door goes on, and the journal heals."""

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ControlError
from agent.storage.verify import verify
from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.journals import fill
from tests.rigs.small_disk import SmallDisk, small_disk
from tests.rigs.waiting import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

_DOOR = """
[[door]]
id = "front"
[door.lock]
driver = "emulated"
fail = "secure"
strike_s = 1.0
[[door.reader]]
name = "front-in"
direction = "in"
driver = "emulated"
[door.inputs.rex]
driver = "emulated"
normally = "open"
[door.inputs.fire]
driver = "emulated"
normally = "closed"
[emulated.cards]
alice = "04A1B2C3D4E580"
"""
_PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """What the daemon keeps its state on."""
    with small_disk(tmp_path / "image", tmp_path / "home" / "state") as made:
        yield made


def _daemon(tmp_path: Path) -> Daemon:
    daemon = Daemon(tmp_path / "home", _DOOR, device="door-1", keys=site.KEYS)
    site.install(daemon.state_dir, site.items())
    return daemon


def _come_in(daemon: Daemon) -> dict[str, Any]:
    """A card opens the door; the outcome."""
    outcome = daemon.tap("alice", "front-in")
    assert (outcome["decision"], outcome["reason"]) == ("granted", "allowed")
    wait_for(lambda: daemon.door()["lock"] == "unlocked", "the card to unlock the door")
    return outcome


def _leave(daemon: Daemon) -> None:
    """The button opens the door, which closes again."""
    wait_for(lambda: daemon.door()["lock"] == "locked", "the door to lock again")
    daemon.input("rex", "press")
    wait_for(lambda: daemon.door()["lock"] == "unlocked", "REX to unlock the door")


def _degraded(daemon: Daemon) -> bool:
    return "journal_degraded" in daemon.status()["degraded"]


def _events(daemon: Daemon, kind: str) -> list[dict[str, Any]]:
    """Stored events of a type; none while the journal can't be read."""
    try:
        return daemon.events(kind)
    except ControlError:
        return []


def _heals(daemon: Daemon, granted: int) -> None:
    """Every tap is in the journal once there is a disk again, and the chain is whole."""
    wait_for(lambda: not _degraded(daemon), "the journal to heal", 30)
    wait_for(lambda: len(_events(daemon, "access.granted")) == granted, f"{granted} taps in the journal", 30)
    wait_for(lambda: _events(daemon, "journal.recovered"), "the end of the trouble in the journal", 30)
    assert _events(daemon, "journal.degraded")
    assert daemon.stop() == 0
    assert verify(daemon.state_dir / "journal.db") is None


@contextmanager
def _failing(daemon: Daemon, calls: str) -> Iterator[None]:
    """Each of these system calls of the daemon fails with EIO."""
    assert daemon.process is not None
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
    with subprocess.Popen([*command, "-p", str(daemon.process.pid)]) as tracer:
        tasks = Path(f"/proc/{daemon.process.pid}/task")
        wait_for(lambda: all(_is_traced(task) for task in tasks.iterdir()), "strace to hold every thread", 30)
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(30)


def _is_traced(task: Path) -> bool:
    return "TracerPid:\t0\n" not in (task / "status").read_text()


def test_full_disk(tmp_path: Path, disk: SmallDisk) -> None:
    """People come and go while nothing can be written; all of it is in the journal once there is room."""
    with _daemon(tmp_path) as daemon:
        _come_in(daemon)
        disk.fill()
        taps = 1
        while not _degraded(daemon):
            _come_in(daemon)
            taps += 1
        assert _come_in(daemon)["event_id"] is None
        _leave(daemon)
        disk.free()
        _heals(daemon, taps + 1)


@pytest.mark.parametrize("calls", ["pwrite64", "fdatasync,fsync"])
def test_device_that_fails(tmp_path: Path, calls: str) -> None:
    """Writes or flushes fail in mid-run; nothing is believed that a failed flush has touched, and nothing is lost."""
    with _daemon(tmp_path) as daemon:
        _come_in(daemon)
        with _failing(daemon, calls):
            for _ in range(3):
                _come_in(daemon)
            _leave(daemon)
            assert _degraded(daemon)
        _heals(daemon, 4)


def test_file_system_that_turned_read_only(tmp_path: Path, disk: SmallDisk) -> None:
    """What ext4 does after an error of the device; the door even starts again on it, and heals without a restart."""
    with _daemon(tmp_path) as daemon:
        disk.sync()
        _come_in(daemon)
        disk.remount("abort")
        for _ in range(3):
            _come_in(daemon)
        _leave(daemon)
        assert _degraded(daemon)
        daemon.kill()
        disk.unmount()
        disk.mount("ro")
        daemon.start()
        _come_in(daemon)
        _leave(daemon)
        assert _degraded(daemon)
        disk.remount("rw")
        # Of the taps before the kill only the first was ever on a disk.
        _heals(daemon, 2)


def test_full_disk_at_the_first_start(tmp_path: Path, disk: SmallDisk) -> None:
    """Without a list nobody is let in; whoever is inside gets out."""
    daemon = Daemon(tmp_path / "home", _DOOR, device="door-1", keys=site.KEYS)
    (daemon.state_dir / "device.key").write_text("07" * 32)
    disk.fill()
    with daemon:
        assert daemon.tap("alice", "front-in")["decision"] == "denied"
        _leave(daemon)
        wait_for(lambda: daemon.door()["lock"] == "locked", "the door to lock again")
        daemon.input("fire", "on")
        wait_for(lambda: daemon.door()["lock"] == "unlocked", "fire to unlock the door")


@pytest.mark.parametrize("how", ["deleted", "truncated", "garbled"])
def test_every_file_lost_in_mid_run(tmp_path: Path, how: str) -> None:
    """The door goes on, by REX alone when the list is lost; the journal heals, and both survive a restart."""
    with _daemon(tmp_path) as daemon:
        _come_in(daemon)
        for path in [daemon.state_dir / name for name in ("journal.db", "state.db", "allowlist.db")]:
            _lose(path, how)
        for again in (False, True):
            if again:
                daemon.kill()
                daemon.start()
            daemon.tap("alice", "front-in")
            _leave(daemon)
        wait_for(lambda: not _degraded(daemon), "the journal to heal", 30)
        assert daemon.stop() == 0
        assert verify(daemon.state_dir / "journal.db") is None


def _lose(path: Path, how: str) -> None:
    if how == "deleted":
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
    elif how == "truncated":
        os.truncate(path, _PAGE // 2)
    else:
        _garble(path, random.Random(path.name))


def _garble(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        size = path.stat().st_size
        for _ in range(10):
            file.seek(chance.randrange(size))
            file.write(chance.randbytes(16))


def test_deleted_journal_is_told_and_begins_a_new_epoch(tmp_path: Path) -> None:
    """Seen at the next event, not at the next start; what waits is written into the new file."""
    with _daemon(tmp_path) as daemon:
        _come_in(daemon)
        for file in daemon.state_dir.glob("journal.db*"):
            file.unlink()
        _come_in(daemon)
        (told,) = wait_for(lambda: _events(daemon, "journal.set_aside"), "the loss in the journal", 30)
        assert (told["epoch"], told["seq"]) == (2, 1)
        assert told["detail"]["reason"] == "the file is missing"
        wait_for(lambda: len(_events(daemon, "access.granted")) == 1, "the tap in the new journal")
        daemon.kill()
        daemon.start()
        assert len(daemon.events("access.granted")) == 1


def test_damaged_pages_are_rescued_in_mid_run(tmp_path: Path) -> None:
    """Rows on sound pages are kept and counted, the others told of, while the door goes on."""
    daemon = Daemon(tmp_path / "home", _DOOR, device="door-1", keys=site.KEYS)
    site.install(daemon.state_dir, site.items())
    fill(daemon.state_dir, 4000)
    path = daemon.state_dir / "journal.db"
    with daemon:
        _come_in(daemon)
        with path.open("r+b") as file:
            for page in range(100, 110):
                file.seek(page * _PAGE)
                file.write(b"\xff" * _PAGE)
        wait_for(lambda: _reads_to_the_damage(daemon), "the damage to be met", 30)
        _come_in(daemon)
        (told,) = wait_for(lambda: _events(daemon, "journal.set_aside"), "the loss in the journal", 30)
        assert 3800 < told["detail"]["rescued"] < 4100
        assert told["epoch"] == 2
        wait_for(lambda: not _degraded(daemon), "the journal to heal", 30)
        assert (daemon.state_dir / "set-aside" / "1" / "journal.db").exists()
        assert daemon.stop() == 0
        assert verify(path) is None


def _reads_to_the_damage(daemon: Daemon) -> bool:
    try:
        found: list[dict[str, Any]] = daemon.request("events", since=0)["events"]
        while found:
            found = daemon.request("events", since=found[-1]["seq"])["events"]
    except ControlError:
        return True
    return False
