"""What every `agent.ports.StateStore` does: the one on disk, and the one in memory that other tests stand on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.ports import StateStore
from agent.storage.state import SqliteStateStore
from agent.storage.state_thread import ThreadedStateStore
from tests.rigs.fakes import MemoryState

_MAKERS: dict[str, Callable[[Path], StateStore]] = {
    "sqlite": lambda folder: SqliteStateStore(folder, on_set_aside=pytest.fail),
    "thread": lambda folder: ThreadedStateStore(SqliteStateStore(folder, on_set_aside=pytest.fail)),
    "memory": lambda _folder: MemoryState(),
}


@pytest.fixture(params=_MAKERS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    """An empty store."""
    made = _MAKERS[request.param](tmp_path)
    yield made
    made.close()


def test_a_table_that_nobody_wrote_is_empty(state: StateStore) -> None:
    """No table has to be made first."""
    assert dict(state.load("area")) == {}


@pytest.mark.parametrize("durable", [False, True])
def test_what_is_saved_is_loaded_and_replaced(state: StateStore, durable: bool) -> None:
    """The last value of a key holds, in its own table only."""
    state.save("area", "alice", "street", durable=durable)
    state.save("area", "alice", "hq", durable=durable)
    state.save("fire", "alice", "latched", durable=durable)
    assert dict(state.load("area")) == {"alice": "hq"}


def test_none_removes_and_removing_nothing_is_harmless(state: StateStore) -> None:
    """A removal may be said twice."""
    state.save("fire", "front", "latched")
    for _ in range(2):
        state.save("fire", "front", None, durable=True)
    assert dict(state.load("fire")) == {}


def test_what_was_loaded_does_not_change_under_its_reader(state: StateStore) -> None:
    """A loaded table is the table of that moment."""
    state.save("area", "alice", "hq")
    before = state.load("area")
    state.save("area", "bob", "hq")
    assert set(before) == {"alice"}


def test_closing_twice_is_harmless(state: StateStore) -> None:
    """Stopping may meet a store that is closed already."""
    state.close()
    state.close()
