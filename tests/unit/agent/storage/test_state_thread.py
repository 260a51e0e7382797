"""State behind a thread: nobody waits for long, and nothing is forgotten while the disk is late."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.storage.state import SqliteStateStore
from agent.storage.state_thread import MAX_PENDING, WAIT_S, ThreadedStateStore
from tests.rigs.fakes import MemoryState
from tests.rigs.waiting import wait_for


class StallingState(MemoryState):
    """A disk that stalls while `flows` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.flows = threading.Event()
        self.flows.set()
        self.saved: list[tuple[str, str | None, bool]] = []

    def save(self, name: str, key: str, value: str | None, *, durable: bool = False) -> None:
        self.flows.wait(10)
        self.saved.append((key, value, durable))
        super().save(name, key, value, durable=durable)


@pytest.fixture
def disk() -> Iterator[StallingState]:
    disk = StallingState()
    yield disk
    disk.flows.set()


def test_while_the_disk_stalls_saves_come_back_and_are_made_up_for(disk: StallingState) -> None:
    """The first waits its bounded time, the others not at all; in the end the last value of each key is on disk."""
    state = ThreadedStateStore(disk)
    disk.flows.clear()
    with pytest.raises(StorageError, match=f"within {WAIT_S:g} s"):
        state.save("area", "alice", "hq")
    for area in ("street", "hq", "street"):
        with pytest.raises(StorageError, match="within 0 s"):
            state.save("area", "bob", area, durable=area == "hq")
    disk.flows.set()
    wait_for(lambda: len(disk.saved) == 2, "the disk to catch up")
    # What was to be durable is, although a later value took its place.
    assert disk.saved == [("alice", "hq", False), ("bob", "street", True)]
    state.save("area", "alice", "street")
    assert disk.saved[-1] == ("alice", "street", False)
    state.close()


def test_what_waits_for_the_disk_is_bounded(disk: StallingState) -> None:
    """A disk that never comes back costs no more memory than so much; the newest are kept."""
    state = ThreadedStateStore(disk)
    disk.flows.clear()
    for number in range(MAX_PENDING + 10):
        with pytest.raises(StorageError):
            state.save("area", str(number), "hq")
    disk.flows.set()
    wait_for(lambda: disk.saved and disk.saved[-1][0] == str(MAX_PENDING + 9), "the disk to catch up")
    assert len(disk.saved) <= MAX_PENDING + 1
    state.close()


def test_a_refusing_disk_is_told_to_who_saves(tmp_path: Path) -> None:
    """As without the thread."""
    inner = SqliteStateStore(tmp_path, on_set_aside=pytest.fail)
    state = ThreadedStateStore(inner)
    inner.close()
    with pytest.raises(StorageError):
        state.save("area", "alice", "hq")
    state.close()


def test_a_closed_store_refuses_and_closing_does_not_wait_for_a_dead_disk(disk: StallingState) -> None:
    """A stop is bounded."""
    state = ThreadedStateStore(disk)
    disk.flows.clear()
    with pytest.raises(StorageError):
        state.save("area", "alice", "hq")
    state.close()
    with pytest.raises(StorageError, match="closed"):
        state.save("area", "alice", "street")
    disk.flows.set()
    wait_for(lambda: not state.alive(), "the thread to end")
    assert disk.saved == [("alice", "hq", False)]
