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


class RefusingState(MemoryState):
    """A disk that refuses whatever is saved while `failure` is set, and counts."""

    def __init__(self, failure: Exception | None) -> None:
        super().__init__()
        self.failure = failure
        self.tries: list[str] = []

    def save(self, name: str, key: str, value: str | None, *, durable: bool = False) -> None:
        self.tries.append(key)
        if self.failure is not None:
            raise self.failure
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


@pytest.mark.parametrize("failure", [StorageError("full"), MemoryError()], ids=repr)
def test_a_fire_state_that_the_disk_refused_is_on_it_once_it_takes_entries(failure: Exception) -> None:
    """Nobody saves it a second time, and a power cut must not end it; the newest value of a key wins."""
    disk = RefusingState(failure)
    state = ThreadedStateStore(disk)
    for name, key, value in (("fire", "front", "latched"), ("area", "alice", "hq"), ("area", "alice", "street")):
        with pytest.raises(StorageError):
            state.save(name, key, value, durable=name == "fire")
    disk.failure = None
    wait_for(lambda: len(disk.tables) == 2, "the disk to be tried again")
    assert disk.tables == {"fire": {"front": "latched"}, "area": {"alice": "street"}}
    assert disk.durable == [("fire", "front")]
    state.close()


def test_a_new_entry_that_is_taken_brings_along_what_was_refused() -> None:
    """A disk that works again is not kept waiting for."""
    disk = RefusingState(StorageError("full"))
    state = ThreadedStateStore(disk)
    for number in range(8):
        with pytest.raises(StorageError):
            state.save("area", str(number), "hq")
    disk.failure = None
    state.save("fire", "front", None, durable=True)
    wait_for(lambda: len(disk.tables.get("area", ())) == 8, "all others", 2.0)
    state.close()


def test_a_disk_that_refuses_is_tried_at_a_bounded_pace() -> None:
    """What waits costs no processor and no wear."""
    disk = RefusingState(StorageError("full"))
    state = ThreadedStateStore(disk)
    for number in range(100):
        with pytest.raises(StorageError):
            state.save("area", str(number), "hq")
    assert len(disk.tries) < 110
    state.close()


def test_what_the_bound_forgets_is_no_fire_state(disk: StallingState) -> None:
    """While there is anything else to forget."""
    state = ThreadedStateStore(disk)
    disk.flows.clear()
    for number in range(MAX_PENDING + 10):
        with pytest.raises(StorageError):
            state.save("fire" if number == 1 else "area", str(number), "x", durable=number == 1)
    disk.flows.set()
    wait_for(lambda: disk.saved and disk.saved[-1][0] == str(MAX_PENDING + 9), "the disk to catch up")
    assert disk.saved[1] == ("1", "x", True)
    state.close()


def test_closing_tries_what_was_refused_once_more_the_durable_first() -> None:
    """And ends in time, although the disk still refuses."""
    disk = RefusingState(StorageError("full"))
    state = ThreadedStateStore(disk)
    for number in range(5):
        with pytest.raises(StorageError):
            state.save("area", f"person-{number}", "hq")
    with pytest.raises(StorageError):
        state.save("fire", "front", "latched", durable=True)
    disk.tries.clear()
    state.close()
    wait_for(lambda: not state.alive(), "the thread to end")
    assert disk.tries[-6] == "front"
    assert disk.tables == {}
