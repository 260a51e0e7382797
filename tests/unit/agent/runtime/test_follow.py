"""Following a site's head: what is taken, what is refused, what is told."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import FailureKind, Transient
from agent.ports import Applied, ListPosition
from agent.runtime.follow import Follower, Told
from cloud.contract.errors import (
    ContractError,
    HashMismatchError,
    SignatureInvalidError,
    UnknownVersionError,
    WrongSiteError,
)
from cloud.contract.reasons import Reason
from tests.rigs.memory_ports import MemoryListSource, MemoryListStore
from tests.rigs.site_lists import Site, card_id, put, remove

T = TypeVar("T")
SITE = Site()


def ask(function: Callable[[], T], /) -> T:
    """Makes the call right here."""
    return function()


class Door:
    """A follower with its ports, and what it told."""

    def __init__(self, hold_s: float = 0.0) -> None:
        self.source = MemoryListSource()
        self.store = MemoryListStore()
        self.applied: list[ListPosition] = []
        self.refused: list[tuple[Reason, int, int]] = []
        self.details: list[str] = []
        self.confirmed = 0
        told = Told(applied=self._on_applied, refused=self._on_refused, confirmed=self._on_confirmed)
        self.follower = Follower(self.source, self.store, told, hold_s=hold_s)

    def follow(self) -> None:
        self.follower.follow(ask)

    def hold(self, version: int, *cards: int) -> None:
        """Begin with this list."""
        self.store.held = ListPosition(SITE.epoch, version)
        self.store.cards = {card_id(number) for number in cards}

    def _on_applied(self, applied: Applied) -> None:
        self.applied.append(applied.position)

    def _on_refused(self, reason: Reason, detail: str, epoch: int, version: int) -> None:
        self.refused.append((reason, epoch, version))
        self.details.append(detail)

    def _on_confirmed(self) -> None:
        self.confirmed += 1


def test_a_site_without_a_list_confirms_nothing() -> None:
    """No head means no list, not a list that is up to date."""
    door = Door()
    door.follow()
    assert (door.applied, door.refused, door.confirmed) == ([], [], 0)


def test_a_new_door_takes_the_snapshot_and_the_deltas_after_it() -> None:
    """Each version is told, then that it is the newest."""
    door = Door()
    snapshot = SITE.snapshot(3, [1, 2])
    door.source.offered, door.source.object = SITE.head(5, snapshot), snapshot
    door.source.delta_log = {4: SITE.delta(4, put(3)), 5: SITE.delta(5, put(4))}
    door.follow()
    assert door.applied == [ListPosition(1, 3), ListPosition(1, 4), ListPosition(1, 5)]
    assert door.store.cards == {card_id(number) for number in (1, 2, 3, 4)}
    assert (door.confirmed, door.refused) == (1, [])


def test_the_newest_list_is_only_confirmed() -> None:
    """Nothing but the head is read."""
    door = Door()
    door.hold(5, 1)
    door.source.offered = SITE.head(5, SITE.snapshot(3, [1]))
    door.follow()
    assert (door.source.reads, door.confirmed, door.applied) == (["head"], 1, [])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SignatureInvalidError("x"), Reason.BAD_SIGNATURE),
        (UnknownVersionError("x"), Reason.UNKNOWN_VERSION),
        (HashMismatchError("x"), Reason.BAD_HASH),
        (WrongSiteError("x"), Reason.WRONG_SITE),
        (ContractError("x"), Reason.MALFORMED),
    ],
)
@pytest.mark.parametrize("place", ["head", "delta", "snapshot"])
def test_what_fails_to_verify_is_refused_once_and_the_list_stays(place: str, error: Exception, reason: Reason) -> None:
    """Wherever it is found, it is told once, not at every poll, and nothing is confirmed."""
    door = Door()
    door.hold(5, 1, 2)
    snapshot = SITE.snapshot(3 if place == "delta" else 6, [1])
    head = SITE.head(6, snapshot, oldest_delta=6 if place == "delta" else 7)
    door.source.offered = error if place == "head" else head
    door.source.delta_log = {6: error}
    door.source.object = error
    for _ in range(3):
        door.follow()
    assert door.refused == [(reason, *((0, 0) if place == "head" else (1, 6)))]
    assert door.store.held == ListPosition(1, 5)
    assert door.follower.refusing
    assert door.confirmed == 0


def test_a_bad_delta_is_refused_and_the_snapshot_taken() -> None:
    """The door is not stuck with a damaged delta when there is a newer snapshot."""
    door = Door()
    door.hold(5, 1, 2)
    snapshot = SITE.snapshot(7, [1, 2, 3])
    door.source.offered = SITE.head(8, snapshot, oldest_delta=2)
    door.source.object = snapshot
    door.source.delta_log = {6: SignatureInvalidError("forged"), 7: SITE.delta(7), 8: SITE.delta(8, put(9))}
    door.follow()
    assert door.refused == [(Reason.BAD_SIGNATURE, 1, 6)]
    assert door.applied == [ListPosition(1, 7), ListPosition(1, 8)]
    assert door.confirmed == 1
    assert not door.follower.refusing


@pytest.mark.parametrize("missing", [6, 7, 8])
def test_a_gap_in_the_deltas_is_filled_by_the_snapshot(missing: int) -> None:
    """No delta is applied to a list that it was not made for."""
    door = Door()
    door.hold(5, 1)
    snapshot = SITE.snapshot(8, [1, 6, 7, 8])
    door.source.offered, door.source.object = SITE.head(8, snapshot, oldest_delta=2), snapshot
    deltas = {version: SITE.delta(version, put(version)) for version in (6, 7, 8)}
    door.source.delta_log = {version: delta for version, delta in deltas.items() if version != missing}
    door.follow()
    assert door.store.held == ListPosition(1, 8)
    assert door.store.cards == {card_id(number) for number in (1, 6, 7, 8)}
    assert [reason for reason, _, _ in door.refused] == [Reason.MALFORMED]


def test_a_gap_without_a_newer_snapshot_keeps_what_fits() -> None:
    """What leads on is applied, the rest refused: half a chain is still newer than none of it."""
    door = Door()
    door.hold(5, 1)
    door.source.offered = SITE.head(8, SITE.snapshot(2, [1]))
    door.source.delta_log = {6: SITE.delta(6, put(2)), 8: SITE.delta(8, put(3))}
    door.follow()
    assert door.store.held == ListPosition(1, 6)
    assert door.refused == [(Reason.MALFORMED, 1, 8)]
    assert door.confirmed == 0


@pytest.mark.parametrize("version", [1, 4])
def test_a_rollback_is_refused(version: int) -> None:
    """A revoked card does not come back with an old head."""
    door = Door()
    door.hold(5, 1)
    snapshot = SITE.snapshot(1, [1, 2])
    door.source.offered, door.source.object = SITE.head(version, snapshot), snapshot
    door.follow()
    assert door.refused == [(Reason.ROLLBACK, 1, version)]
    assert door.store.held == ListPosition(1, 5)


def test_an_older_epoch_is_refused_and_a_newer_one_taken() -> None:
    """A new epoch may begin at a lower version; the way back is closed."""
    door = Door()
    door.hold(500, 1)
    restored = Site(epoch=2, key=SITE.key)
    snapshot = restored.snapshot(1, [1, 2])
    door.source.offered, door.source.object = restored.head(1, snapshot), snapshot
    door.follow()
    assert door.store.held == ListPosition(2, 1)
    door.source.offered = SITE.head(900, SITE.snapshot(900, [1]))
    door.follow()
    assert door.refused == [(Reason.ROLLBACK, 1, 900)]
    assert door.store.held == ListPosition(2, 1)


def test_a_snapshot_other_than_the_head_names_is_refused() -> None:
    """A validly signed object of another version under the head's name is not taken."""
    door = Door()
    door.source.offered, door.source.object = SITE.head(9, SITE.snapshot(9, [1])), SITE.snapshot(2, [1, 2])
    door.follow()
    assert door.refused == [(Reason.MALFORMED, 1, 9)]
    assert door.store.held is None


@pytest.mark.parametrize("meant", [False, True])
@pytest.mark.parametrize("how", ["delta", "snapshot"])
def test_a_shrinking_list_is_taken_only_if_signed_as_meant(how: str, meant: bool) -> None:
    """More than a fifth of the cards go away by accident only once."""
    door = Door()
    door.hold(5, *range(10))
    kept = SITE.snapshot(6, range(7), allow_shrink=meant)
    if how == "delta":
        door.source.offered = SITE.head(6, SITE.snapshot(2, []))
        door.source.delta_log = {6: SITE.delta(6, remove(7), remove(8), remove(9), allow_shrink=meant)}
    else:
        door.source.offered, door.source.object = SITE.head(6, kept, oldest_delta=7), kept
    door.follow()
    assert len(door.store.cards) == (7 if meant else 10)
    assert door.refused == ([] if meant else [(Reason.SHRINK, 1, 6)])


def test_a_refused_list_is_not_fetched_at_every_poll() -> None:
    """The head is looked at, the bad snapshot left alone, until the head changes."""
    door = Door(hold_s=600.0)
    door.source.offered, door.source.object = SITE.head(4, SITE.snapshot(4, [1])), SignatureInvalidError("forged")
    for _ in range(5):
        door.follow()
    assert door.source.reads.count("snapshot") == 1
    assert door.source.reads.count("head") == 5
    mended = SITE.snapshot(5, [1])
    door.source.offered, door.source.object = SITE.head(5, mended), mended
    door.follow()
    assert door.store.held == ListPosition(1, 5)


def test_the_same_refusal_is_told_again_after_a_good_list() -> None:
    """Once a list was applied, a new attack is news."""
    door = Door()
    door.source.offered = SignatureInvalidError("forged")
    door.follow()
    good = SITE.snapshot(1, [1])
    door.source.offered, door.source.object = SITE.head(1, good), good
    door.follow()
    door.source.offered = SignatureInvalidError("forged")
    door.follow()
    assert door.refused == [(Reason.BAD_SIGNATURE, 0, 0)] * 2


def test_what_the_network_does_is_no_refusal() -> None:
    """A failure in the middle leaves what was applied, tells no refusal, and reaches whoever retries."""
    door = Door()
    door.hold(5, 1)
    door.source.offered = SITE.head(7, SITE.snapshot(2, [1]))
    door.source.delta_log = {6: SITE.delta(6, put(2)), 7: Transient("reset", FailureKind.TRANSPORT)}
    with pytest.raises(Transient):
        door.follow()
    assert door.store.held == ListPosition(1, 6)
    assert door.refused == []


_OFFERS = st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))


@given(offers=st.lists(_OFFERS, max_size=12))
def test_no_order_of_offers_takes_a_door_back(offers: list[tuple[int, int, int, int]]) -> None:
    """Whatever signed heads are replayed in whatever order, the position only rises and each is told once."""
    door = Door()
    seen: list[tuple[int, int]] = []
    for epoch, version, snapshot_version, oldest in offers:
        site = Site(epoch=epoch, key=SITE.key)
        snapshot = site.snapshot(snapshot_version, [1])
        door.source.offered, door.source.object = site.head(version, snapshot, oldest_delta=oldest), snapshot
        door.source.delta_log = {each: site.delta(each, put(each)) for each in range(oldest, version + 1)}
        door.follow()
        if door.store.held is not None:
            seen.append((door.store.held.epoch, door.store.held.version))
    assert seen == sorted(seen)
    told = [(position.epoch, position.version) for position in door.applied]
    assert told == sorted(set(told))
