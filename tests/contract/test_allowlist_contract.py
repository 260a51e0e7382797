"""What every `agent.ports.AllowListStore` does: the one on disk, and the one in memory that the tests of sync use."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.ports import AllowListStore, ListPosition
from agent.storage.allowlist import SqliteAllowListStore
from tests.rigs.lists import card, delete, delta, person, put, snapshot
from tests.rigs.memory_ports import MemoryListStore

_MAKERS: dict[str, Callable[[Path], AllowListStore]] = {
    "sqlite": lambda folder: SqliteAllowListStore(folder, on_set_aside=pytest.fail),
    "memory": lambda _folder: MemoryListStore(),
}
THREE = [card(1), card(2), card(3), person(1), person(2), person(3)]


@pytest.fixture(params=_MAKERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AllowListStore]:
    """A store that holds no list yet."""
    made = _MAKERS[request.param](tmp_path)
    yield made
    made.close()


def test_no_list_is_no_position(store: AllowListStore) -> None:
    """Nothing is held before the first list."""
    assert store.position() is None


def test_a_snapshot_replaces_and_says_what_it_did(store: AllowListStore) -> None:
    """Position and cards are those of the snapshot, whatever was held."""
    store.apply_snapshot(snapshot([card(9)], version=1))
    applied = store.apply_snapshot(snapshot(THREE, epoch=2, version=1))
    assert (applied.position, applied.cards, applied.refused) == (ListPosition(2, 1), 3, ())
    assert store.position() == ListPosition(2, 1)


def test_a_delta_puts_and_deletes(store: AllowListStore) -> None:
    """A card may be put again; the number counts each once."""
    store.apply_snapshot(snapshot(THREE))
    applied = store.apply_delta(delta(put(card(1)), put(card(4)), delete(card(2)), delete(card(8))))
    assert (applied.position, applied.cards) == (ListPosition(1, 2), 3)


def test_removals_count_the_cards_that_would_go(store: AllowListStore) -> None:
    """Asking changes nothing; a card that is merely changed is not removed, nor are persons cards."""
    store.apply_snapshot(snapshot(THREE))
    revoked = put(card(1, status="revoked"))
    assert store.removals(delta(revoked, delete(card(2)), delete(card(8)), delete(person(3)))) == (1, 3)
    assert store.removals(snapshot([card(3), card(7)], version=2)) == (2, 3)
    assert store.position() == ListPosition(1, 1)


def test_closing_twice_is_harmless(store: AllowListStore) -> None:
    """Stopping may meet a store that is closed already."""
    store.close()
    store.close()
