"""The allow-list: whole versions, fail secure on what it can't read, and a reader that never mixes two."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.model import Holder
from agent.errors import StorageError
from agent.ports import ListPosition, RefusedItem
from agent.storage.allowlist import SqliteAllowListReader, SqliteAllowListStore
from cloud.contract.allowlist import Change
from cloud.contract.itemcodec import instant
from cloud.contract.items import Card, CardStatus, DoorMode, Holidays, Membership, Person
from tests.rigs.lists import AT, Raw, card, credential, delete, delta, door, group, person, put, snapshot

_SITE = [
    card(1, until="2030-01-01T00:00:00Z"),
    card(2, status="lost"),
    card(3, person="p-nobody"),
    {**person(1), "groups": ["staff", {"group": "night", "until": AT}, {"group": "day", "from": AT, "until": AT}]},
    person(2, active=False),
    group("staff", "front", "back"),
    {"v": 1, "kind": "schedule", "id": "days", "zone": "Europe/Berlin", "windows": [], "holidays": "free"},
    {"v": 1, "kind": "holidays", "id": "free", "dates": ["2027-01-01"]},
    door("front", "lockdown"),
    {"v": 1, "kind": "area", "id": "lobby", "anti_passback": "hard"},
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteAllowListStore]:
    """An empty store that must not find damage."""
    with SqliteAllowListStore(tmp_path, on_set_aside=pytest.fail) as opened:
        yield opened


@pytest.fixture
def reader(store: SqliteAllowListStore, tmp_path: Path) -> Iterator[SqliteAllowListReader]:
    """A reader of the same list."""
    with SqliteAllowListReader(tmp_path) as opened:
        yield opened


def test_empty_store_knows_nothing_and_nobody(store: SqliteAllowListStore, reader: SqliteAllowListReader) -> None:
    """Before the first list there is no position, no policy and no holder."""
    assert store.position() is None
    assert reader.policy() is None
    assert reader.find(credential(1)) == (None, None)
    assert reader.count_cards() == 0
    assert store.removals(snapshot([])) == (0, 0)


def test_snapshot_is_found_again_item_by_item(store: SqliteAllowListStore, reader: SqliteAllowListReader) -> None:
    """Every field of every kind survives the way through the file."""
    applied = store.apply_snapshot(snapshot(_SITE, epoch=3, version=7))
    assert (applied.position, applied.cards, applied.refused) == (ListPosition(3, 7), 3, ())
    holder, policy = reader.find(credential(1))
    until = instant("2030-01-01T00:00:00Z")
    at = instant(AT)
    memberships = Membership("staff"), Membership("night", None, at), Membership("day", at, at)
    assert holder == Holder(
        Card(credential(1), "p-1", CardStatus.ACTIVE, None, until),
        Person("p-1", True, memberships),
    )
    assert policy is not None
    assert (policy.epoch, policy.version, policy.issued_s) == (3, 7, instant(AT))
    assert policy.doors["front"].mode is DoorMode.LOCKDOWN
    assert [grant.door for grant in policy.groups["staff"].grants] == ["front", "back"]
    assert policy.schedules["days"].holidays == "free"
    assert policy.holidays == {"free": Holidays("free", frozenset({date(2027, 1, 1)}))}
    assert list(policy.areas) == ["lobby"]
    assert reader.find(credential(2))[0] == Holder(
        Card(credential(2), "p-2", CardStatus.LOST), Person("p-2", active=False)
    )
    assert reader.find(credential(3))[0] == Holder(Card(credential(3), "p-nobody"), None)
    assert reader.find(credential(4))[0] is None
    assert reader.count_cards() == 3


def test_reader_sees_each_new_version_with_its_policy(
    store: SqliteAllowListStore, reader: SqliteAllowListReader
) -> None:
    """A delta shows in the next lookup, the cached policy is the one of the same version."""
    store.apply_snapshot(snapshot(_SITE))
    first = reader.find(credential(1))[1]
    assert reader.find(credential(2))[1] is first
    store.apply_delta(delta(delete(card(1)), put(card(9, person="p-1")), put(door("front"))))
    holder, policy = reader.find(credential(9))
    assert holder is not None
    assert policy is not None
    assert (policy.version, policy.doors["front"].mode) == (2, DoorMode.NORMAL)
    assert reader.find(credential(1))[0] is None
    assert reader.policy() is policy


def test_later_change_of_a_delta_wins(store: SqliteAllowListStore, reader: SqliteAllowListReader) -> None:
    """The steps are taken in their order, deletes among puts."""
    store.apply_snapshot(snapshot(_SITE))
    store.apply_delta(delta(delete(card(1)), put(card(1, person="p-2")), put(card(2)), delete(card(2))))
    holder, _ = reader.find(credential(1))
    assert holder is not None
    assert holder.card.person == "p-2"
    assert reader.find(credential(2))[0] is None


def test_unreadable_items_are_kept_out_and_reported(store: SqliteAllowListStore, reader: SqliteAllowListReader) -> None:
    """One of a later release spoils no other."""
    odd: list[Raw] = [{**person(5), "v": 2}, {"v": 1, "kind": "visitor", "id": "x"}, {**card(6), "shoe_size": 43}]
    applied = store.apply_snapshot(snapshot([*odd, *_SITE]))
    assert applied.cards == 3
    assert [(item.kind, item.id) for item in applied.refused] == [
        ("person", "p-5"),
        ("visitor", "x"),
        ("card", credential(6)),
    ]
    assert "shoe_size" in applied.refused[2].what
    assert reader.find(credential(1))[0] is not None


def test_what_might_be_a_raw_card_number_is_not_reported(store: SqliteAllowListStore) -> None:
    """A card whose id is no keyed hash never reaches a report."""
    applied = store.apply_snapshot(snapshot([{"v": 1, "kind": "card", "id": "04A1B2C3D4E580", "person": "p-1"}]))
    assert applied.refused == (RefusedItem("card", "?", "id is not a keyed hash of 32 hex digits"),)


def test_reports_of_unreadable_items_are_bounded(store: SqliteAllowListStore) -> None:
    """A hundred, and the number of the others."""
    applied = store.apply_snapshot(snapshot({**person(n), "v": 2} for n in range(130)))
    assert len(applied.refused) == 101
    assert applied.refused[-1] == RefusedItem("*", "*", "and 30 more")


def test_unreadable_put_removes_what_admitted(store: SqliteAllowListStore, reader: SqliteAllowListReader) -> None:
    """A card, person or group that is not understood any more admits nobody; a lockdown stays."""
    store.apply_snapshot(snapshot(_SITE))
    news = [card(1), person(2), group("staff"), door("front")]
    store.apply_delta(delta(*(put({**raw, "v": 2}) for raw in news)))
    assert reader.find(credential(1))[0] is None
    holder, policy = reader.find(credential(2))
    assert holder is not None
    assert holder.person is None
    assert policy is not None
    assert policy.groups == {}
    assert policy.doors["front"].mode is DoorMode.LOCKDOWN


def test_removals_count_cards_that_go_away(store: SqliteAllowListStore) -> None:
    """Deleted, missing from a snapshot, or put unreadable; not those that change or were never there."""
    store.apply_snapshot(snapshot([card(n) for n in range(10)]))
    changes = (
        delete(card(0)),
        delete(card(1)),
        put(card(1)),
        delete(card(99)),
        put({**card(2), "v": 2}),
        put(card(3, status="revoked")),
        delete(person(4)),
    )
    assert store.removals(delta(*changes)) == (2, 10)
    kept = [card(n) for n in range(3, 20)] + [card(3), {**card(4), "v": 2}]
    assert store.removals(snapshot(kept, version=2)) == (3, 10)
    assert store.removals(snapshot([{**card(4), "v": 2}], version=2)) == (10, 10)


@pytest.mark.parametrize(("epoch", "version"), [(2, 4), (2, 5), (1, 9)])
def test_older_snapshot_is_refused(store: SqliteAllowListStore, epoch: int, version: int) -> None:
    """The last line against a rollback, should a caller forget to ask."""
    store.apply_snapshot(snapshot(_SITE, epoch=2, version=5))
    with pytest.raises(ValueError, match="not newer"):
        store.apply_snapshot(snapshot([], epoch=epoch, version=version))
    assert store.position() == ListPosition(2, 5)


@pytest.mark.parametrize(("epoch", "version", "prev"), [(1, 7, 6), (2, 7, 6), (1, 5, 4), (1, 9, 8)])
def test_delta_that_does_not_follow_is_refused(
    store: SqliteAllowListStore, epoch: int, version: int, prev: int
) -> None:
    """Neither a gap nor a step back is applied."""
    store.apply_snapshot(snapshot(_SITE, epoch=1, version=5))
    with pytest.raises(ValueError, match="does not follow"):
        store.apply_delta(delta(epoch=epoch, version=version, prev=prev))


def test_failed_application_leaves_the_old_list(store: SqliteAllowListStore, reader: SqliteAllowListReader) -> None:
    """A fault in the middle of a snapshot changes nothing."""
    store.apply_snapshot(snapshot(_SITE))
    broken = snapshot([card(50), card(51)], version=2)
    object.__setattr__(broken, "at", "yesterday")
    with pytest.raises(ValueError, match="yesterday"):
        store.apply_snapshot(broken)
    assert reader.find(credential(50))[0] is None
    assert reader.find(credential(1))[0] is not None
    assert store.position() == ListPosition(1, 1)


def test_a_log_that_can_not_be_tidied_up_is_no_failure_of_a_snapshot_that_is_in_use(
    store: SqliteAllowListStore, reader: SqliteAllowListReader
) -> None:
    """It was committed: whoever is told of a failure would never tell the door."""

    def refuse(action: int, what: str | None, *_: object) -> int:
        refused = action == sqlite3.SQLITE_PRAGMA and what == "wal_checkpoint"
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    store._db.set_authorizer(refuse)
    assert store.apply_snapshot(snapshot(_SITE)).position == ListPosition(1, 1)
    assert reader.count_cards() == 3


def test_damaged_list_is_set_aside_and_begins_empty(tmp_path: Path) -> None:
    """Nobody is admitted by a guess; the file is kept and the damage told."""
    with SqliteAllowListStore(tmp_path, on_set_aside=pytest.fail) as store:
        store.apply_snapshot(snapshot([card(n) for n in range(3000)]))
    data = bytearray((tmp_path / "allowlist.db").read_bytes())
    data[40_960:45_056] = b"\xff" * 4096
    (tmp_path / "allowlist.db").write_bytes(data)
    told: list[str] = []
    with SqliteAllowListStore(tmp_path, on_set_aside=told.append) as store:
        assert len(told) == 1
        assert store.position() is None
        store.apply_snapshot(snapshot(_SITE))
        assert store.position() == ListPosition(1, 1)
    assert (tmp_path / "set-aside" / "1" / "allowlist.db").exists()


def test_damage_found_while_in_use_is_mended_and_the_reader_follows(tmp_path: Path) -> None:
    """The store begins anew under the same name; the reader opens the new file by itself."""
    told: list[str] = []
    with SqliteAllowListStore(tmp_path, on_set_aside=told.append) as store, SqliteAllowListReader(tmp_path) as reader:
        store.apply_snapshot(snapshot([card(n) for n in range(3000)]))
        assert reader.count_cards() == 3000
        with (tmp_path / "allowlist.db").open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (len((tmp_path / "allowlist.db").read_bytes()) - 4096))
        change = delta(*(put(card(number, status="lost")) for number in range(3000)))
        with pytest.raises(StorageError, match="malformed"):
            store.apply_delta(change)
        assert len(told) == 1
        store.apply_snapshot(snapshot(_SITE, version=9000))
        assert reader.count_cards() == 3
        assert reader.find(credential(1))[0] is not None


def test_closed_reader_raises(reader: SqliteAllowListReader) -> None:
    """close() is idempotent; what comes after it is refused."""
    reader.close()
    reader.close()
    with pytest.raises(StorageError, match="closed"):
        reader.find(credential(1))


def test_reader_can_not_write(reader: SqliteAllowListReader, store: SqliteAllowListStore, tmp_path: Path) -> None:
    """The controller's connection is read only in SQLite's eyes too."""
    store.apply_snapshot(snapshot(_SITE))
    with closing(sqlite3.connect(f"file:{tmp_path / 'allowlist.db'}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM card").fetchone() == (3,)
    assert (tmp_path / "allowlist.db").stat().st_mode & 0o077 == 0


_ITEMS = st.one_of(
    st.builds(card, st.integers(0, 5), status=st.sampled_from(["active", "lost"])),
    st.builds(person, st.integers(0, 5), st.sampled_from(["a", "b"])),
    st.builds(group, st.sampled_from(["a", "b"]), st.sampled_from(["front", "back"])),
)
_CHANGES = st.lists(st.one_of(_ITEMS.map(put), _ITEMS.map(delete)), max_size=8)


@settings(max_examples=25, deadline=None)
@given(deltas=st.lists(_CHANGES, max_size=4))
def test_deltas_lead_to_the_same_list_as_a_snapshot(
    tmp_path_factory: pytest.TempPathFactory, deltas: list[list[Change]]
) -> None:
    """Whichever way a door takes, it holds the same list."""
    directory = tmp_path_factory.mktemp("lists")
    model: dict[tuple[str, str], Raw] = {}
    with SqliteAllowListStore(directory / "a", on_set_aside=pytest.fail) as by_deltas:
        by_deltas.apply_snapshot(snapshot([]))
        for version, changes in enumerate(deltas, start=2):
            by_deltas.apply_delta(delta(*changes, version=version))
            for change in changes:
                model.pop((change.kind, change.id), None)
                if change.item is not None:
                    model[change.kind, change.id] = change.item
    with SqliteAllowListStore(directory / "b", on_set_aside=pytest.fail) as by_snapshot:
        by_snapshot.apply_snapshot(snapshot(model.values(), version=len(deltas) + 1))
    with SqliteAllowListReader(directory / "a") as one, SqliteAllowListReader(directory / "b") as two:
        assert one.policy() == two.policy()
        assert one.count_cards() == two.count_cards()
        for number in range(6):
            assert one.find(credential(number)) == two.find(credential(number))
