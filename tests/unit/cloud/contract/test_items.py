"""The items of an allow-list: what a door takes, and what it keeps out with words that give nothing away."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.canonical import canonical_bytes, parse_canonical
from cloud.contract.errors import ContractError, UnknownVersionError
from cloud.contract.itemcodec import MAX_DATES, instant, instant_text, item_json, parse_item
from cloud.contract.items import Card, Holidays, Item, Kind, Membership, Person, Window, kind_of
from tests.rigs.wire import items, json_values, mangled, only_contract_errors, seconds

CARD = {"v": 1, "kind": "card", "id": "ab" * 16, "person": "anna"}
PERSON = {"v": 1, "kind": "person", "id": "anna", "groups": ["staff"]}
GROUP = {"v": 1, "kind": "group", "id": "staff", "grants": [{"door": "lobby", "schedule": None}]}
WINDOW = {"days": ["mon", "fri"], "from": "22:00", "to": "06:00"}
SCHEDULE = {"v": 1, "kind": "schedule", "id": "night", "zone": "Europe/Berlin", "windows": [WINDOW]}
HOLIDAYS = {"v": 1, "kind": "holidays", "id": "public", "dates": ["2026-12-25", "2027-01-01"]}
DOOR = {"v": 1, "kind": "door", "id": "lobby"}
AREA = {"v": 1, "kind": "area", "id": "building", "anti_passback": "hard"}


@given(item=items)
def test_an_item_survives_the_wire(item: Item) -> None:
    """What was written is read back, in canonical bytes too."""
    document = item_json(item)
    assert parse_item(document) == item
    assert parse_item(parse_canonical(canonical_bytes(document), "item")) == item
    assert document["kind"] == kind_of(item)


@pytest.mark.parametrize("document", [CARD, PERSON, GROUP, SCHEDULE, HOLIDAYS, DOOR, AREA])
def test_the_plain_item_of_each_kind_is_taken(document: dict[str, Any]) -> None:
    """The examples that the refusals below are variations of."""
    assert kind_of(parse_item(document)) == document["kind"]
    with pytest.raises(ContractError, match="unknown field 'extra'"):
        parse_item({**document, "extra": 1})
    with pytest.raises(ContractError, match="id"):
        parse_item({**document, "id": None})


def test_what_is_left_out_has_its_default() -> None:
    """A minimal card is active and unbounded, a minimal person active and in no group."""
    assert parse_item(CARD) == Card("ab" * 16, "anna")
    assert parse_item({"v": 1, "kind": "person", "id": "anna"}) == Person("anna")


def test_a_window_is_minutes_of_numbered_days() -> None:
    """Monday is 0, and the end may be 24:00."""
    parsed = parse_item({**SCHEDULE, "windows": [{**WINDOW, "to": "24:00"}]})
    assert item_json(parsed)["windows"] == [{**WINDOW, "to": "24:00"}]
    assert getattr(parsed, "windows") == (Window(frozenset({0, 4}), 1320, 1440),)  # noqa: B009 - of one kind only


def test_a_membership_without_bounds_is_written_as_it_always_was() -> None:
    """The plain id, so that lists of before read the same; both forms of it are taken."""
    bounded = {"group": "night", "until": "2026-03-01T08:00:00Z"}
    parsed = parse_item({**PERSON, "groups": ["staff", {"group": "night"}, bounded]})
    assert parsed == Person(
        "anna", groups=(Membership("staff"), Membership("night"), Membership("night", None, 1_772_352_000))
    )
    assert item_json(parsed)["groups"] == ["staff", "night", bounded]


def test_a_schedule_without_holidays_is_written_as_it_always_was() -> None:
    """Doors of an earlier release go on reading it."""
    assert item_json(parse_item(SCHEDULE)) == SCHEDULE
    assert item_json(parse_item({**SCHEDULE, "holidays": "public"})) == {**SCHEDULE, "holidays": "public"}
    assert parse_item({**SCHEDULE, "holidays": None}) == parse_item(SCHEDULE)


def test_holidays_are_written_sorted_and_each_once() -> None:
    """Whatever order they came in."""
    new_year, christmas = "2027-01-01", "2026-12-25"
    parsed = parse_item({**HOLIDAYS, "dates": [new_year, christmas, new_year]})
    assert parsed == Holidays("public", frozenset({date(2027, 1, 1), date(2026, 12, 25)}))
    assert item_json(parsed)["dates"] == [christmas, new_year]
    assert parse_item({"v": 1, "kind": "holidays", "id": "none"}) == Holidays("none")


def window(**changes: Any) -> dict[str, Any]:
    return {**SCHEDULE, "windows": [{**WINDOW, **changes}]}


BAD: list[tuple[str, dict[str, Any]]] = [
    ("id is not a keyed hash", {**CARD, "id": "04A1B2C3"}),
    ("id is not a keyed hash", {**CARD, "id": ["ab" * 16]}),
    ("person is not an id", {**CARD, "person": None}),
    ("status is 'on fire'", {**CARD, "status": "on fire"}),
    ("status is <list>", {**CARD, "status": ["active"]}),
    ("status is <dict>", {**CARD, "status": {}}),
    ("status is None", {**CARD, "status": None}),
    ("from is not a string", {**CARD, "from": 0}),
    ("not an instant", {**CARD, "from": "2026-03-01"}),
    ("not an instant", {**CARD, "from": "2026-03-01T08:00:00.000Z"}),
    ("not an instant", {**CARD, "until": "٢٠٢٦-03-01T08:00:00Z"}),
    ("2026-02-30", {**CARD, "until": "2026-02-30T08:00:00Z"}),
    ("0000-01-01", {**CARD, "until": "0000-01-01T00:00:00Z"}),
    ("08:00:60", {**CARD, "until": "2026-03-01T08:00:60Z"}),
    ("active is neither", {**PERSON, "active": 1}),
    ("groups is not a list", {**PERSON, "groups": "staff"}),
    ("groups holds something", {**PERSON, "groups": [["staff"]]}),
    ("groups holds something", {**PERSON, "groups": [{"group": "staff", "to": None}]}),
    ("group is not an id", {**PERSON, "groups": [{"from": "2026-03-01T08:00:00Z"}]}),
    ("group is not an id", {**PERSON, "groups": [{"group": "x" * 65}]}),
    ("until is not a string", {**PERSON, "groups": [{"group": "staff", "until": 1_772_000_000}]}),
    ("not an instant", {**PERSON, "groups": [{"group": "staff", "from": "2026-03-01"}]}),
    ("groups is not an id", {**PERSON, "groups": ["x" * 65]}),
    ("grants is not a list", {**GROUP, "grants": {}}),
    ("grants holds something", {**GROUP, "grants": ["lobby"]}),
    ("grants holds something", {**GROUP, "grants": [{"door": "lobby", "always": True}]}),
    ("door is not an id", {**GROUP, "grants": [{"schedule": "night"}]}),
    ("schedule is not an id", {**GROUP, "grants": [{"door": "lobby", "schedule": 1}]}),
    ("zone None", {**SCHEDULE, "zone": None}),
    ("zone 'Europe'", {**SCHEDULE, "zone": "Europe"}),
    ("zone ''", {**SCHEDULE, "zone": ""}),
    ("zone 'Mars/Olympus'", {**SCHEDULE, "zone": "Mars/Olympus"}),
    ("zone", {**SCHEDULE, "zone": "../../../etc/passwd"}),
    ("zone", {**SCHEDULE, "zone": "/etc/localtime"}),
    ("zone", {**SCHEDULE, "zone": "localtime"}),
    ("zone", {**SCHEDULE, "zone": "right/Europe/Berlin"}),
    ("zone", {**SCHEDULE, "zone": "posixrules"}),
    ("zone", {**SCHEDULE, "zone": "zone.tab"}),
    ("zone", {**SCHEDULE, "zone": "\ud800"}),
    ("zone", {**SCHEDULE, "zone": "a\0b"}),
    ("zone", {**SCHEDULE, "zone": "x" * 100_000}),
    ("windows is not a list", {**SCHEDULE, "windows": "always"}),
    ("windows holds something", {**SCHEDULE, "windows": [{"days": ["mon"], "from": "08:00"}]}),
    ("days", window(days=[])),
    ("days", window(days=[["mon"]])),
    ("days", window(days=["Mon"])),
    ("days is not a list", window(days="mon")),
    ("not a time of day", window(**{"from": "8:00"})),
    ("not a time of day", window(**{"from": "24:01"})),
    ("not a time of day", window(**{"from": 480})),
    ("not a time of day", window(to="0٣:00")),
    ("can't begin at 24:00", window(**{"from": "24:00"})),
    ("holidays is not an id", {**SCHEDULE, "holidays": ["public"]}),
    ("dates is not a list", {**HOLIDAYS, "dates": "2026-12-25"}),
    ("dates are more", {**HOLIDAYS, "dates": ["2026-12-25"] * (MAX_DATES + 1)}),
    ("not a date", {**HOLIDAYS, "dates": ["20261225"]}),
    ("not a date", {**HOLIDAYS, "dates": ["2026-W52-5"]}),
    ("not a date", {**HOLIDAYS, "dates": ["25.12.2026"]}),
    ("not a date", {**HOLIDAYS, "dates": ["٢٠٢٦-12-25"]}),
    ("not a date", {**HOLIDAYS, "dates": [20261225]}),
    ("2026-02-29", {**HOLIDAYS, "dates": ["2026-02-29"]}),
    ("0000-01-01", {**HOLIDAYS, "dates": ["0000-01-01"]}),
    ("mode is 'open'", {**DOOR, "mode": "open"}),
    ("inside is not an id", {**DOOR, "inside": ""}),
    ("outside is not an id", {**DOOR, "outside": False}),
    ("anti_passback is True", {**AREA, "anti_passback": True}),
    ("anti_passback is <list>", {**AREA, "anti_passback": []}),
    ("unknown field", {**AREA, "x" * 10_000: 1}),
]


@pytest.mark.parametrize(("what", "document"), BAD, ids=lambda value: str(value)[:60] if isinstance(value, str) else "")
def test_parse_item_names_what_is_wrong(what: str, document: dict[str, Any]) -> None:
    """The kind, the id and the field, in a line that fits a log."""
    with pytest.raises(ContractError, match=what) as caught:
        parse_item(document)
    assert str(caught.value).startswith(document["kind"])
    assert not only_contract_errors(lambda: parse_item(document))


@pytest.mark.parametrize("stray", ["04A1B2C3D4E5F6", "04a1b2c3d4e5f6" * 3, 4_287_654_321])
def test_a_stray_card_number_is_not_repeated(stray: object) -> None:
    """An id that is no keyed hash may be a raw number; the error says so without it."""
    for document in ({**CARD, "id": stray}, {**CARD, "id": stray, "person": ""}):
        with pytest.raises(ContractError) as caught:
            parse_item(document)
        assert str(stray) not in str(caught.value)
        assert "<id withheld>" in str(caught.value)


@pytest.mark.parametrize("version", [2, None, "1", True, 1.0, [], 10**400])
def test_another_version_is_unknown(version: Any) -> None:
    """Whatever the rest looks like."""
    with pytest.raises(UnknownVersionError):
        parse_item({**CARD, "v": version, "id": "?"})


@pytest.mark.parametrize("kind", ["robot", None, 1, ["card"], "Card", "x" * 10_000])
def test_another_kind_is_unknown(kind: Any) -> None:
    """A newer release has more kinds: keep the item out, go on with the others."""
    with pytest.raises(UnknownVersionError, match="kind") as caught:
        parse_item({**CARD, "kind": kind})
    assert len(str(caught.value)) < 100


@given(junk=json_values)
def test_parse_item_of_junk_raises_only_contract_errors(junk: Any) -> None:
    """Whatever json.loads may return."""
    assert not only_contract_errors(lambda: parse_item(junk))


@given(broken=mangled(items.map(item_json)))
def test_parse_item_of_a_damaged_item_raises_only_contract_errors(broken: Any) -> None:
    """One value of a valid item replaced, dropped or renamed; what is still taken has a wire form of its own."""
    if only_contract_errors(lambda: parse_item(broken)):
        parsed = parse_item(broken)
        assert parse_item(item_json(parsed)) == parsed


@given(
    kind=st.sampled_from(Kind), fields=st.dictionaries(st.sampled_from(["id", *WINDOW, "zone", "status"]), json_values)
)
def test_parse_item_of_wild_fields_raises_only_contract_errors(kind: Kind, fields: dict[str, Any]) -> None:
    """The right version and kind, and nonsense in fields that exist."""
    only_contract_errors(lambda: parse_item({"v": 1, "kind": kind.value, **fields}))


@given(second=seconds)
def test_an_instant_survives_its_text(second: int) -> None:
    """Every second of the years 1 to 9999."""
    assert instant(instant_text(second)) == second


def test_the_first_and_the_last_instant() -> None:
    """Early years keep their zeros."""
    assert instant_text(-62_135_596_800) == "0001-01-01T00:00:00Z"
    assert instant("9999-12-31T23:59:59Z") == 253_402_300_799
    assert instant("1970-01-01T00:00:00Z") == 0
