"""The journal on a disk that is full, and what an event costs on one that is not."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import JournalUnavailable
from agent.storage.verify import verify
from cloud.contract.events import EventType
from tests.rigs.journals import eventually, open_journal
from tests.rigs.stamps import opened

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.fail(f"this test mounts a small disk and needs root: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.system
def test_full_disk_refuses_in_time_and_everything_is_written_once_there_is_room(small_disk: Path) -> None:
    """A door never waits long for a full disk, and no event is lost while the ring has room."""
    ballast = small_disk / "ballast"
    with open_journal(small_disk) as journal:
        journal.append(opened(n=0), 5)
        ballast.write_bytes(b"")
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass
        number, refused = 1, 0
        while refused < 20:
            begin = time.monotonic()
            try:
                journal.append(opened(n=number, filler="x" * 500), 2)
            except JournalUnavailable:
                refused += 1
            assert time.monotonic() - begin < 3
            number += 1
        assert "full" in str(journal.stats().degraded)
        assert journal.stats().waiting >= 20
        ballast.unlink()
        assert eventually(lambda: journal.stats().degraded is None and journal.stats().waiting == 0, 20)
        journal.append(opened(n=number), 5)
        events = [stored.event for stored in journal.events(limit=5000)]
        numbers = [event.detail["n"] for event in events if event.detail and "n" in event.detail]
        assert numbers == list(range(number + 1))
        assert EventType.JOURNAL_DEGRADED in {event.type for event in events}
    assert verify(small_disk / "journal.db") is None


@pytest.mark.system
def test_event_costs_one_flush_of_the_disk(tmp_path: Path) -> None:
    """strace counts fdatasync and fsync over 400 events with their acks: 1.0 each, and a few for checkpoints."""
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.rigs.journals import open_journal\n"
        "from tests.rigs.stamps import opened\n"
        "with open_journal(Path(sys.argv[1])) as journal:\n"
        "    journal.append(opened(), 10)\n"
        "    open(sys.argv[1] + '/begin', 'w').close()\n"
        "    for _ in range(400):\n"
        "        event = journal.append(opened(), 10)\n"
        "        journal.mark_sent(event.epoch, event.seq, event.seq)\n"
        "    open(sys.argv[1] + '/end', 'w').close()\n"
    )
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=fdatasync,fsync,openat", "-o", str(trace), sys.executable, "-c", script]
    subprocess.run([*command, str(tmp_path)], check=True, timeout=60, cwd=_ROOT)
    text = trace.read_text().split("/begin", 1)[1].split("/end", 1)[0]
    flushes = sum("sync(" in line and "resumed" not in line for line in text.splitlines())
    assert 400 <= flushes <= 430
