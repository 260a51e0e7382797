"""Lists of any bytes, unsigned and signed: a stranger is refused, and a publisher gone wrong costs a door nothing.

Signed is the harder part: whoever holds the site's key may decide who enters, but must not be able to stop a door: its
exits and fire inputs hang on the same process.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.decision import decide
from agent.core.model import ClockPolicy, DecisionSettings, Direction, Holder, Now, Policy, Request
from agent.core.schedule import LAST_S
from agent.ports import Applied, ListPosition
from agent.runtime.follow import Follower, Told
from agent.storage.allowlist import SqliteAllowListReader, SqliteAllowListStore
from agent.storage.allowlist_schema import MAX_RIGHTS_BYTES, item_row
from cloud.contract.allowlist import (
    MAX_DELTA_BYTES,
    MAX_DELTA_INFLATED_BYTES,
    MAX_ITEMS,
    Change,
    Delta,
    Head,
    Snapshot,
    open_delta,
    open_head,
    open_snapshot,
    seal_delta,
    seal_head,
    seal_snapshot,
)
from cloud.contract.canonical import canonical_bytes, sha256_hex
from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import MAX_DATES, MAX_WINDOWS, parse_item
from cloud.contract.items import Card, Grant, Group, Membership, Person, Schedule, Window
from cloud.contract.reasons import Reason
from cloud.contract.signing import sign
from tests.fuzz.budget import cases
from tests.fuzz.damage import damaged, raw
from tests.rigs.lists import card, credential, person
from tests.rigs.wire import KEY, json_values, mangled, only_contract_errors
from tests.rigs.wire_lists import DELTA, HEAD, ITEMS, SNAPSHOT

KEYS = [KEY.public_key()]
HEAD_TEXT = seal_head(HEAD, KEY).encode()
DELTA_TEXT, CHANGES = seal_delta(DELTA, KEY)
OBJECT = seal_snapshot(SNAPSHOT, KEY)


# ---- what nobody signed ---------------------------------------------------------------------------------------------


@cases(800)
@given(st.one_of(damaged(HEAD_TEXT, DELTA_TEXT.encode()), raw()))
def test_a_damaged_head_or_delta_is_refused(data: bytes) -> None:
    """No edit of what was signed is taken for it."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (lambda: open_head(text, KEYS), lambda: open_delta(text, CHANGES, KEYS)):
        taken = only_contract_errors(read)
        assert not taken or data in (HEAD_TEXT, DELTA_TEXT.encode())


@cases(800)
@given(st.one_of(damaged(CHANGES), raw()))
def test_damaged_changes_are_refused(data: bytes) -> None:
    """The packed part of a delta."""
    assert not only_contract_errors(lambda: open_delta(DELTA_TEXT, data, KEYS)) or data == CHANGES


@cases(800)
@given(st.one_of(damaged(OBJECT), raw()))
def test_a_damaged_snapshot_is_refused(data: bytes) -> None:
    """Header and body."""
    assert not only_contract_errors(lambda: open_snapshot(data, KEYS)) or data == OBJECT


# ---- what a publisher gone wrong might sign -------------------------------------------------------------------------


def sealed(document: Mapping[str, Any]) -> bytes:
    """Signed by the right key, whatever it says."""
    return canonical_bytes({**document, "sig": sign(document, KEY)})


def unsealed(data: bytes) -> dict[str, Any]:
    """The document without its signature."""
    return {name: value for name, value in json.loads(data).items() if name != "sig"}


@cases(400)
@given(mangled(st.sampled_from([unsealed(HEAD_TEXT), unsealed(DELTA_TEXT.encode())]).map(dict)))
def test_signed_nonsense_in_a_head_or_a_delta_is_refused_or_is_one(document: dict[str, Any]) -> None:
    """A value of another type, a name that is missing or new."""
    try:
        text = sealed(document).decode()
    except ContractError:
        return
    only_contract_errors(lambda: open_head(text, KEYS))
    only_contract_errors(lambda: open_delta(text, CHANGES, KEYS))


def packed(body: bytes) -> tuple[str, bytes]:
    """A signed delta over these changes, whatever they are."""
    changes = gzip.compress(body, mtime=0)
    return sealed({**unsealed(DELTA_TEXT.encode()), "changes_sha256": sha256_hex(changes)}).decode(), changes


def boxed(lines: bytes, count: int) -> bytes:
    """A signed snapshot over these lines, whatever they are."""
    body = gzip.compress(lines, mtime=0)
    header = unsealed(OBJECT.partition(b"\n")[0]) | {"items": count, "body_sha256": sha256_hex(body)}
    return sealed(header) + b"\n" + body


@cases(800)
@given(st.one_of(damaged(gzip.decompress(CHANGES)), raw()))
def test_signed_changes_of_any_bytes_are_refused_or_are_changes(body: bytes) -> None:
    """Behind the signature the parser still meets anything."""
    only_contract_errors(lambda: open_delta(*packed(body), KEYS))


@cases(800)
@given(st.one_of(damaged(gzip.decompress(OBJECT.partition(b"\n")[2])), raw()), st.integers(0, 12))
def test_signed_lines_of_any_bytes_are_refused_or_are_items(lines: bytes, count: int) -> None:
    """An opened snapshot can be walked again without a fault, and holds what it says."""
    opened: list[Snapshot] = []
    if only_contract_errors(lambda: opened.append(open_snapshot(boxed(lines, count), KEYS))):
        assert len(list(opened[0].items)) == len(opened[0].items) == count


ZONES = [
    "../../etc/passwd", "/etc/passwd", "/usr/share/zoneinfo/UTC", "..", ".", "", "/", "Europe", "Europe/",
    "Europe//Berlin",
    "a\0b", "UTC\n", "a..b/c", "..a/b", "localtime", "posixrules", "posix/UTC", "right/UTC", "tzdata.zi", "zone.tab",
    "__init__.py", "x" * 5000, "x/" * 500, "UTC ", "\x1b[2J", "é", "CON", "leapseconds", "America/../UTC", "-",
]  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """No name leads out of the zone database, or to a file of it that is no zone."""
    schedule = {"v": 1, "kind": "schedule", "id": "s", "zone": zone, "windows": []}
    with pytest.raises(ContractError, match="not an IANA time zone"):
        parse_item(schedule)


@cases(400)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(ZONES), max_size=3).map("/".join)))
def test_a_zone_of_any_name_is_refused_or_a_zone(zone: str) -> None:
    """zoneinfo raises several errors for names that it does not like."""
    only_contract_errors(lambda: parse_item({"v": 1, "kind": "schedule", "id": "s", "zone": zone}))


# ---- through storage to the decision --------------------------------------------------------------------------------


class Source:
    """A site that offers one list, whatever it is; `agent.ports.ListSource`."""

    def __init__(self) -> None:
        self.offered: Snapshot | Delta = SNAPSHOT

    def head(self) -> Head:
        offer = self.offered
        if isinstance(offer, Delta):
            return replace(HEAD, epoch=offer.epoch, version=offer.version, snapshot_version=1, oldest_delta=2)
        return replace(HEAD, epoch=offer.epoch, version=1, snapshot_version=1, oldest_delta=2)

    def deltas(self, epoch: int, after: int, upto: int) -> Iterator[Delta]:
        assert isinstance(self.offered, Delta)
        text, changes = seal_delta(self.offered, KEY)
        yield open_delta(text, changes, KEYS)

    def snapshot(self, head: Head) -> Snapshot:
        assert isinstance(self.offered, Snapshot)
        return open_snapshot(seal_snapshot(self.offered, KEY), KEYS)


class DoorSide:
    """A door's store, reader and follower over one directory. Every offer is of an epoch of its own."""

    def __init__(self, state_dir: Path) -> None:
        self.store = SqliteAllowListStore(state_dir, on_set_aside=pytest.fail)
        self.reader = SqliteAllowListReader(state_dir)
        self.source = Source()
        self.epoch = 0
        self.applied: list[Applied] = []
        self.refused: list[tuple[Reason, str]] = []
        told = Told(
            applied=self.applied.append,
            refused=lambda reason, what, *_: self.refused.append((reason, what)),
            confirmed=lambda: None,
        )
        self.follower = Follower(self.source, self.store, told, hold_s=0.0)

    def offer_snapshot(self, items: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the door takes this list."""
        self.epoch += 1
        return self._offer(Snapshot("hq", self.epoch, 1, "2026-03-01T08:00:00Z", True, items))

    def offer_delta(self, delta: Delta) -> bool:
        """Whether the door takes these changes to the last snapshot."""
        return self._offer(replace(delta, epoch=self.epoch, version=2, prev_version=1, allow_shrink=True))

    def _offer(self, offered: Snapshot | Delta) -> bool:
        self.source.offered = offered
        before, count = self.store.position(), len(self.applied)
        held = self.everything()
        self.follower.follow(lambda function: function())
        if len(self.applied) > count:
            assert self.store.position() == ListPosition(offered.epoch, offered.version)
            return True
        assert self.store.position() == before
        assert self.everything() == held, "a list that was refused left a trace"
        return False

    def everything(self) -> object:
        """What the controller can see."""
        return self.reader.policy(), self.reader.count_cards(), [self.reader.find(credential(n)) for n in range(4)]

    def close(self) -> None:
        """Release the files."""
        self.reader.close()
        self.store.close()


@pytest.fixture(scope="module")
def door_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorSide]:
    """One door for all cases."""
    side = DoorSide(tmp_path_factory.mktemp("list"))
    yield side
    side.close()


def decides(holder: Holder | None, policy: Policy | None) -> None:
    """Every question has an answer, and the way out is open."""
    for door in ("front", "back"):
        for at_s in (0.0, 86_400.0, 1_800_000_000.5, LAST_S - 1.0, LAST_S + 0.0, float("inf"), float("nan")):
            for clock in ClockPolicy:
                for direction in Direction:
                    request = Request(door, direction, holder, policy, 0.0, "hq")
                    settings = DecisionSettings(clock, 60.0)
                    decision = decide(request, settings, Now(mono_s=1.0, wall_s=at_s, known=True))
                    assert decision.granted or direction is Direction.IN


def days(zone: str, windows: list[dict[str, Any]]) -> dict[str, Any]:
    """The schedule that a group of ITEMS names."""
    return {"v": 1, "kind": "schedule", "id": "days", "zone": zone, "windows": windows}


EXTREME = [
    {**card(1), "from": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"},
    {**card(1), "from": "9999-12-31T23:59:59Z", "until": "0001-01-01T00:00:00Z"},
    {**card(1), "until": "2026-02-30T00:00:00Z"},
    {**person(1, *("staff" for _ in range(500)))},
    {**person(1, *(f"g{n}" for n in range(500)))},
    {"v": 1, "kind": "group", "id": "staff", "grants": [{"door": "front", "schedule": "days"}] * 500},
    days("Antarctica/Troll", [{"days": ["mon"] * 50, "from": "00:00", "to": "24:00"}] * MAX_WINDOWS),
    days("UTC", [{"days": ["mon"], "from": "23:59", "to": "23:59"}] * (MAX_WINDOWS + 1)),
    days("../../etc/passwd", []),
    {**days("UTC", [{"days": ["mon"], "from": "00:00", "to": "24:00"}]), "holidays": "free"},
    {**days("Pacific/Apia", [{"days": ["fri"], "from": "22:00", "to": "06:00"}]), "holidays": "gone"},
    {"v": 1, "kind": "holidays", "id": "free", "dates": ["2027-01-15", "0001-01-01", "9999-12-31"]},
    {"v": 1, "kind": "holidays", "id": "free", "dates": ["2026-02-30"]},
    {"v": 1, "kind": "holidays", "id": "free", "dates": ["2027-01-15"] * (MAX_DATES + 1)},
    {**person(1), "groups": [{"group": "staff", "from": "2027-01-15T08:00:00Z"}, {"group": "staff", "until": ""}]},
    {**person(1), "groups": [{"group": "staff", "until": "2027-01-15T08:00:00Z"}, "no one"]},
    {**person(1), "groups": [{"group": "staff", "from": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"}]},
    {"v": 1, "kind": "door", "id": "front", "mode": "unlocked", "inside": "front", "outside": "front"},
    {"v": 1, "kind": "credential", "id": "04A1B2C3D4E580"},
    {"v": 1, "kind": [[[]]], "id": {"a": 1}},
    {"v": 2**53, "kind": "card\x1b[2J\0", "id": "\x1b[2J\0"},
    {"v": 1, "kind": "holiday", "id": "xmas", "days": ["2026-12-25"]},
]  # fmt: skip
some_items = st.lists(
    st.one_of(
        st.sampled_from(ITEMS),
        st.sampled_from(EXTREME),
        mangled(st.sampled_from([*ITEMS, *EXTREME]).map(lambda item: json.loads(json.dumps(item)))),
        st.dictionaries(st.text(max_size=8), json_values, max_size=4),
    ).filter(lambda item: isinstance(item, dict)),
    max_size=8,
)


@cases(100)
@given(some_items, some_items)
def test_signed_items_of_any_kind_are_taken_or_kept_out_and_never_stop_a_door(
    door_side: DoorSide, items: list[dict[str, Any]], more: list[dict[str, Any]]
) -> None:
    """The list is the old one or the new one, each item of it readable, and every card gets its decision."""
    try:
        lines = [{"op": "put", "item": item} for item in more]
        delta = open_delta(*packed(b"[" + b",".join(map(canonical_bytes, lines)) + b"]"), KEYS)
    except ContractError:
        delta = DELTA
    try:
        seal_snapshot(Snapshot("hq", 1, 1, "2026-03-01T08:00:00Z", True, items), KEY)
    except ContractError:
        return  # no JSON
    assert door_side.offer_snapshot(items)
    assert door_side.offer_delta(delta)
    policy = door_side.reader.policy()
    assert policy is not None
    holders = [door_side.reader.find(credential(number))[0] for number in (1, 2, 3)]
    for holder in holders:
        decides(holder, policy)
    for refused in door_side.applied[-2].refused + door_side.applied[-1].refused:
        said = f"{refused.kind} {refused.id} {refused.what}"
        assert said.isprintable()
        assert len(said) < 400
        assert "04A1B2" not in said


# ---- more than a door can hold --------------------------------------------------------------------------------------


def big_group(number: int) -> dict[str, Any]:
    """About 400 KB: a group with 10,000 grants."""
    grants = [{"door": f"door-{place}", "schedule": "days"} for place in range(10_000)]
    return {"v": 1, "kind": "group", "id": f"group-{number}", "grants": grants}


def test_rights_that_do_not_fit_into_memory_are_refused_whole(tmp_path: Path) -> None:
    """With a delta that is one group too many: else the door would end at every start."""
    side = DoorSide(tmp_path)
    try:
        group = big_group(0)
        fit = MAX_RIGHTS_BYTES // len(item_row("group", parse_item(group))[2])
        assert side.offer_snapshot([big_group(number) for number in range(fit)])
        too_many = {**group, "id": "one-more"}
        assert not side.offer_delta(replace(DELTA, changes=(Change("group", "one-more", too_many),)))
        assert side.refused[-1][0] is Reason.MALFORMED
        assert "rights" in side.refused[-1][1]
        assert side.offer_delta(replace(DELTA, changes=(Change("group", "group-0", None),)))
    finally:
        side.close()


def test_a_snapshot_of_more_items_than_it_says_is_read_no_further() -> None:
    """A bomb of a million empty objects is 3 KB."""
    with pytest.raises(ContractError, match="number of items"):
        open_snapshot(boxed(b"{}\n" * 1_000_000, 5), KEYS)
    with pytest.raises(ContractError, match="more than fit"):
        open_snapshot(boxed(b"{}\n" * 10, MAX_ITEMS + 1), KEYS)
    with pytest.raises(ContractError, match="a line above"):
        open_snapshot(boxed(b" " * (64 << 20), 1), KEYS)


def test_a_delta_beyond_its_bounds_is_refused() -> None:
    """Before it is parsed: a byte of `[],[],` is twenty in memory."""
    with pytest.raises(ContractError, match=f"above {MAX_DELTA_INFLATED_BYTES}"):
        open_delta(*packed(b"[" + b"[]," * MAX_DELTA_INFLATED_BYTES), KEYS)
    changes = b"\x00" * (MAX_DELTA_BYTES + 1)
    text = sealed({**unsealed(DELTA_TEXT.encode()), "changes_sha256": sha256_hex(changes)}).decode()
    with pytest.raises(ContractError, match=f"above {MAX_DELTA_BYTES}"):
        open_delta(text, changes, KEYS)


class CountedWindows(tuple[Window, ...]):
    """Windows that count how often they are walked over."""

    walks = 0

    def __iter__(self) -> Iterator[Window]:
        self.walks += 1
        return super().__iter__()


def test_a_decision_looks_at_each_schedule_once() -> None:
    """Ten thousand grants of one closed schedule once took seconds, in the thread that also serves the exits."""
    windows = CountedWindows([Window(frozenset({0}), 60, 61)] * MAX_WINDOWS)
    groups = {"g": Group("g", tuple(Grant("front", "s") for _ in range(10_000)))}
    policy = Policy(1, 1, 0, groups=groups, schedules={"s": Schedule("s", "UTC", windows)})
    holder = Holder(Card(credential(1), "p"), Person("p", groups=(Membership("g"),) * 10))
    request = Request("front", Direction.IN, holder, policy, 0.0, None)
    decision = decide(request, DecisionSettings(), Now(mono_s=0.0, wall_s=1_800_000_000.0, known=True))
    assert decision.reason is Reason.OUTSIDE_SCHEDULE
    assert windows.walks < 50
