"""Publishing to the real table and bucket, and what a door then finds there."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.adapters.list_store import ListStore, PackedDelta
from cloud.adapters.publisher import Publisher
from cloud.contract.allowlist import (
    Change,
    Head,
    Snapshot,
    open_delta,
    open_head,
    open_snapshot,
    seal_head,
    seal_snapshot,
    snapshot_name,
)
from cloud.contract.canonical import sha256_hex
from cloud.contract.errors import ContractError, SignatureInvalidError
from cloud.domain.lists import Items, applied, index
from cloud.errors import Conflict, PublishError, ShrinkRefused
from tests.integration.cloud.conftest import Account

pytestmark = pytest.mark.system

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW_S = 1_800_000_000


def cards(count: int, **fields: object) -> list[dict[str, Any]]:
    return [{"v": 1, "kind": "card", "id": f"{number:032x}", "person": "p", **fields} for number in range(count)]


def revoked(number: int) -> Change:
    (item,) = cards(number + 1, status="revoked")[number:]
    return Change("card", item["id"], item)


def deleted(number: int) -> Change:
    return Change("card", f"{number:032x}", None)


class Setup:
    """One site's store, and publishers to it."""

    def __init__(self, account: Account, site: str) -> None:
        self.site = site
        self.store = account.store(site)
        self.now_s = float(NOW_S)

    def publisher(self, snapshot_every: int = 100, keep_deltas: int = 100) -> Publisher:
        return Publisher(
            self.store, KEY, clock=lambda: self.now_s, snapshot_every=snapshot_every, keep_deltas=keep_deltas
        )


@pytest.fixture
def setup(account: Account, site: str) -> Setup:
    return Setup(account, site)


def head_of(store: ListStore) -> Head:
    text = store.head()
    assert text is not None
    return open_head(text, [KEY.public_key()])


def door_follows(store: ListStore, held: Items | None = None, version: int = 0) -> Items:
    """What a door ends up with: by deltas if they lead on from what it holds, else by the snapshot and deltas."""
    head = head_of(store)
    if held is None or head.oldest_delta > version + 1:
        data = store.snapshot(head.snapshot_key)
        assert sha256_hex(data) == head.snapshot_sha256
        snapshot = open_snapshot(data, [KEY.public_key()])
        assert (snapshot.site, snapshot.epoch, snapshot.version) == (head.site, head.epoch, head.snapshot_version)
        held, version = index(snapshot.items), snapshot.version
    for text, packed in store.deltas(head.epoch, version, head.version):
        delta = open_delta(text, packed, [KEY.public_key()])
        assert (delta.prev_version, delta.version) == (version, version + 1)
        held, version = applied(held, delta.changes), delta.version
    assert version == head.version
    return held


def test_first_publication_gives_a_snapshot_and_a_head(setup: Setup) -> None:
    """A door that knows nothing finds the whole list; the epoch is the time."""
    head = setup.publisher().publish(cards(3))
    assert head == head_of(setup.store)
    assert (head.epoch, head.version, head.snapshot_version, head.oldest_delta) == (NOW_S, 1, 1, 2)
    assert head.at == "2027-01-15T08:00:00Z"
    assert door_follows(setup.store) == index(cards(3))


def test_change_is_one_version_and_one_delta(setup: Setup) -> None:
    """A door that holds the version before gets there by the delta alone."""
    publisher = setup.publisher()
    publisher.publish(cards(10))
    head = publisher.change([revoked(3), deleted(9)])
    assert (head.version, head.snapshot_version, head.oldest_delta) == (2, 1, 2)
    assert door_follows(setup.store, index(cards(10)), 1) == door_follows(setup.store)
    assert door_follows(setup.store)["card", f"{3:032x}"]["status"] == "revoked"


def test_publishing_the_same_list_makes_no_version(setup: Setup) -> None:
    """Nothing for the doors to do, nothing for them to fetch."""
    publisher = setup.publisher()
    first = publisher.publish(cards(3))
    assert publisher.publish(reversed(cards(3))) == first
    assert publisher.change([Change("card", cards(1)[0]["id"], cards(1)[0])]) == first


def test_another_publisher_goes_on_from_what_is_stored(setup: Setup) -> None:
    """One that has just started needs nothing but the stored list; it replaces and deletes as well."""
    setup.publisher().publish(cards(10))
    setup.publisher().change([revoked(0)])
    head = setup.publisher().publish(cards(9))
    assert head.version == 3
    assert door_follows(setup.store) == index(cards(9))


def test_two_publishers_at_once_make_one_version(setup: Setup) -> None:
    """The one that read an older head gets Conflict and changes nothing; it can go on afterwards."""
    first, second = setup.publisher(), setup.publisher()
    first.publish(cards(10))
    store = InterruptedStore(setup.store, lambda: first.change([revoked(1)]))
    late = Publisher(store, KEY, clock=lambda: setup.now_s)
    with pytest.raises(Conflict):
        late.change([revoked(2)])
    assert head_of(setup.store).version == 2
    assert late.change([revoked(2)]).version == 3
    assert second.current() == (head_of(setup.store), door_follows(setup.store))


def test_first_list_of_two_publishers_is_one(setup: Setup) -> None:
    """A site's first head is never written over by another first head."""
    store = InterruptedStore(setup.store, lambda: setup.publisher().publish(cards(3)))
    with pytest.raises(Conflict):
        Publisher(store, KEY, clock=lambda: NOW_S + 9).publish(cards(5))
    assert door_follows(setup.store) == index(cards(3))


def test_snapshot_that_came_late_does_not_undo_a_publication(setup: Setup) -> None:
    """A revocation that another published in between stays: only the head that was read is ever replaced."""
    setup.publisher().publish(cards(10))
    store = InterruptedStore(setup.store, lambda: setup.publisher().change([revoked(1)]), writes_before=1)
    slow = Publisher(store, KEY, clock=lambda: setup.now_s, snapshot_every=1)
    assert slow.change([revoked(0)]).version == 2
    assert head_of(setup.store).version == 3
    assert door_follows(setup.store)["card", f"{1:032x}"]["status"] == "revoked"


class InterruptedStore(ListStore):
    """Lets somebody else publish once, between reading and writing."""

    def __init__(self, store: ListStore, interruption: Callable[[], object], writes_before: int = 0) -> None:
        self.__dict__.update(vars(store))
        self._interruptions: list[Callable[[], object]] = [interruption, *[lambda: None] * writes_before]

    def replace_head(self, old: str | None, new: str, delta: PackedDelta | None = None) -> None:
        if self._interruptions:
            self._interruptions.pop()()
        super().replace_head(old, new, delta)


def test_shrink_is_refused_unless_meant(setup: Setup) -> None:
    """A fifth may go, more may not, unless it is said and signed to be meant; lists and changes alike."""
    publisher = setup.publisher()
    publisher.publish(cards(10))
    with pytest.raises(ShrinkRefused, match="3 of 10"):
        publisher.publish(cards(7))
    with pytest.raises(ShrinkRefused):
        publisher.change([deleted(0), deleted(1), deleted(2)])
    with pytest.raises(ShrinkRefused):
        publisher.publish([], new_epoch=True)
    assert publisher.publish(cards(8)).version == 2
    head = publisher.publish([], allow_shrink=True)
    ((text, packed),) = setup.store.deltas(head.epoch, 2, 3)
    assert open_delta(text, packed, [KEY.public_key()]).allow_shrink


def test_new_epoch_starts_with_a_snapshot(setup: Setup) -> None:
    """Doors take it although they may have seen more; old deltas go, and the version does not start anew."""
    publisher = setup.publisher()
    publisher.publish(cards(3))
    old = publisher.change([revoked(0)])
    head = publisher.publish(cards(3), new_epoch=True)
    assert (head.epoch, head.version, head.snapshot_version, head.oldest_delta) == (NOW_S + 1, 3, 3, 4)
    assert list(setup.store.deltas(old.epoch, 0, 99)) == []
    assert door_follows(setup.store) == index(cards(3))


def test_snapshot_follows_after_so_many_versions(setup: Setup) -> None:
    """Deltas stay for doors that are not far behind; older ones go, and `oldest_delta` always tells the truth."""
    publisher = setup.publisher(snapshot_every=4, keep_deltas=6)
    publisher.publish(cards(20))
    for version in range(2, 22):
        head = publisher.change([revoked(version - 2)])
        assert (head.version, head) == (version, head_of(setup.store))
        stored = [open_delta(*item, [KEY.public_key()]).version for item in setup.store.deltas(head.epoch, 0, 10**6)]
        assert stored == list(range(head.oldest_delta, head.version + 1))
        assert head.oldest_delta <= head.snapshot_version + 1
    assert (head.snapshot_version, head.oldest_delta) == (21, 16)
    assert door_follows(setup.store) == index(cards(20, status="revoked"))
    assert [name[-21:] for name in setup.store.snapshot_names()] == [
        f"{version:012d}.snapshot" for version in (13, 17, 21)
    ]


def test_periodic_snapshot_is_signed_as_meant(setup: Setup) -> None:
    """A door that was away while many cards went one by one must not refuse the list that lacks them all."""
    publisher = setup.publisher(snapshot_every=3)
    publisher.publish(cards(5))
    for number in range(3):
        head = publisher.change([deleted(number)], allow_shrink=True)
    assert head.snapshot_version == 4
    assert open_snapshot(setup.store.snapshot(head.snapshot_key), [KEY.public_key()]).allow_shrink


def test_change_too_large_for_a_delta_goes_by_snapshot(setup: Setup) -> None:
    """No size of change fails: doors are led to the snapshot, since no delta leads on from what they hold."""
    publisher = setup.publisher()
    publisher.publish([])
    many = [
        {**card, "id": f"{(index * 0x9E3779B97F4A7C15F39CC0605CEDC834) % (1 << 128):032x}"}
        for index, card in enumerate(cards(20_000))
    ]
    head = publisher.publish(many)
    assert (head.version, head.snapshot_version, head.oldest_delta) == (2, 2, 3)
    assert len(door_follows(setup.store, {}, 1)) == 20_000
    assert publisher.change([Change("card", many[0]["id"], None)]).oldest_delta == 3


def test_snapshot_left_by_a_crash_is_stepped_over(setup: Setup) -> None:
    """A name that is taken by another list is never written over, and does not stop the publication."""
    left = snapshot_name(setup.site, NOW_S, 1)
    assert setup.store.put_snapshot(left, b"left behind")
    assert not setup.store.put_snapshot(left, b"again")
    head = setup.publisher().publish(cards(3))
    assert (head.version, head.snapshot_version) == (2, 2)
    assert setup.store.snapshot(left) == b"left behind"
    assert door_follows(setup.store) == index(cards(3))


def test_time_of_a_version_never_goes_back(setup: Setup) -> None:
    """Doors take it for a floor of the time."""
    publisher = setup.publisher()
    before = publisher.publish(cards(3))
    setup.now_s -= 3600
    assert publisher.change([revoked(0)]).at == before.at


@pytest.mark.parametrize(
    "change",
    [
        Change("card", "0" * 32, {"v": 1, "kind": "card", "id": "0" * 32, "person": "p", "status": "shiny"}),
        Change("card", "1" * 32, {"v": 1, "kind": "card", "id": "0" * 32, "person": "p"}),
        Change("card", "2" * 32, None),
    ],
    ids=["malformed", "of another id", "deletes nothing"],
)
def test_unsound_change_is_refused_whole(setup: Setup, change: Change) -> None:
    """The sound change beside it is not published either."""
    publisher = setup.publisher()
    head = publisher.publish(cards(10))
    with pytest.raises(ContractError):
        publisher.change([revoked(0), change])
    assert head_of(setup.store) == head


def test_change_before_the_first_list_is_refused(setup: Setup) -> None:
    """There is nothing to change."""
    with pytest.raises(PublishError, match="no list was published yet"):
        setup.publisher().change([revoked(0)])


def test_list_signed_by_a_stranger_is_not_built_upon(setup: Setup) -> None:
    """A publisher signs nothing that grew out of something its site did not sign; with both keys it can rotate."""
    setup.publisher().publish(cards(10))
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(SignatureInvalidError):
        Publisher(setup.store, other).change([revoked(0)])
    assert Publisher(setup.store, other, trusted=[KEY.public_key()]).change([revoked(0)]).version == 2


def test_item_of_a_later_release_survives(setup: Setup) -> None:
    """What is out is not judged again: an item that this release can't read stays as it is."""
    later = {"v": 9, "kind": "lift", "id": "l1", "floors": [1, 2]}
    data = seal_snapshot(Snapshot(setup.site, 7, 1, "2026-01-01T00:00:00Z", False, [later]), KEY)
    name = snapshot_name(setup.site, 7, 1)
    assert setup.store.put_snapshot(name, data)
    head = Head(setup.site, 7, 1, 1, name, sha256_hex(data), 2, "2026-01-01T00:00:00Z")
    setup.store.replace_head(None, seal_head(head, KEY))
    publisher = setup.publisher()
    publisher.change([Change("card", cards(1)[0]["id"], cards(1)[0])])
    current = publisher.current()
    assert current is not None
    assert current[1]["lift", "l1"] == later
