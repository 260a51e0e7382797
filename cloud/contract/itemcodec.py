"""The wire form of allow-list items: parsed with a clear error for each fault, and written back."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud.contract.checks import CREDENTIAL, check_id, check_version, shown
from cloud.contract.errors import ContractError, UnknownVersionError
from cloud.contract.items import (
    DAYS,
    AntiPassback,
    Area,
    Card,
    CardStatus,
    Door,
    DoorMode,
    Grant,
    Group,
    Holidays,
    Item,
    Kind,
    Membership,
    Person,
    Schedule,
    Window,
    kind_of,
)

ITEM_VERSION: Final = 1
MAX_WINDOWS: Final = 200
"""Of a schedule, each of which a decision may look at."""
MAX_DATES: Final = 1000
"""Of a calendar of holidays."""
# ASCII: \d alone takes the digits of every script.
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)
# Files of the zone database that are no zones, or that mean another one on every machine or count leap seconds.
_NO_ZONE: Final = re.compile(r"(localtime|posixrules|Factory|posix/.*|right/.*)")


def instant(text: str) -> int:
    """Unix seconds of an RFC 3339 UTC instant to the second, such as 2026-03-01T08:00:00Z."""
    if not _INSTANT.fullmatch(text):
        raise ContractError(f"{shown(text)} is not an instant like 2026-03-01T08:00:00Z")
    try:
        # A snapshot holds hundreds of thousands of these: strptime takes ten times as long.
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError as error:
        raise ContractError(f"{shown(text)}: {error}") from None


def instant_text(seconds: int) -> str:
    """The inverse of `instant`."""
    # Not strftime: it drops the zeros of the years before 1000.
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_item(document: Any) -> Item:
    """Read one item; raises UnknownVersionError for another `v` or kind, else ContractError naming the field."""
    if not isinstance(document, Mapping):
        raise ContractError("item: not an object")
    check_version(document, ITEM_VERSION, "item")
    kind = document.get("kind")
    parser = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parser is None:
        raise UnknownVersionError(f"item: kind {shown(kind)} is not known")
    allowed, parse = parser
    if not document.keys() <= allowed:
        raise ContractError(f"{kind}: unknown field {shown(min(map(str, document.keys() - allowed)))}")
    try:
        return parse(document)
    except ContractError as error:
        raise ContractError(f"{kind} {_name(document)}: {error}") from None


def item_json(item: Item) -> dict[str, Any]:
    """The wire form of an item; `parse_item` reads it back."""
    document: dict[str, Any] = {"v": ITEM_VERSION, "kind": kind_of(item).value, "id": item.id}
    match item:
        case Card():
            document |= {"person": item.person, "status": item.status.value, **_validity_json(item)}
        case Person():
            document |= {"active": item.active, "groups": [_membership_json(it) for it in item.groups]}
            document |= _validity_json(item)
        case Group():
            document["grants"] = [{"door": grant.door, "schedule": grant.schedule} for grant in item.grants]
        case Schedule():
            document |= {"zone": item.zone, "windows": [_window_json(window) for window in item.windows]}
            if item.holidays is not None:  # else as it was written before there were holidays
                document["holidays"] = item.holidays
        case Holidays():
            document["dates"] = [day.isoformat() for day in sorted(item.dates)]
        case Door():
            document |= {"mode": item.mode.value, "inside": item.inside, "outside": item.outside}
        case Area():
            document["anti_passback"] = item.anti_passback.value
    return document


def _name(document: Mapping[str, Any]) -> str:
    # A card's id that is no keyed hash may be a raw card number that went astray: it must not reach a log.
    value = document.get("id")
    if document["kind"] == Kind.CARD and not (isinstance(value, str) and CREDENTIAL.fullmatch(value)):
        return "<id withheld>"
    return shown(value)


def _identifier(document: Mapping[str, Any], name: str, *, optional: bool = False) -> Any:
    value = document.get(name)
    if value is None and optional:
        return None
    check_id(value, name)
    return value


def _choice(document: Mapping[str, Any], name: str, kind: type[StrEnum], default: StrEnum) -> Any:
    value = document.get(name, default.value)
    if not isinstance(value, str) or value not in kind._value2member_map_:
        raise ContractError(f"{name} is {shown(value)}, not one of {', '.join(kind)}")
    return kind(value)


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name, [])
    if not isinstance(value, list):
        raise ContractError(f"{name} is not a list")
    return value


def _validity(document: Mapping[str, Any]) -> dict[str, int | None]:
    bounds: dict[str, int | None] = {}
    for wire, name in (("from", "valid_from"), ("until", "valid_until")):
        value = document.get(wire)
        if value is not None and not isinstance(value, str):
            raise ContractError(f"{wire} is not a string")
        bounds[name] = None if value is None else instant(value)
    return bounds


def _validity_json(item: Card | Person | Membership) -> dict[str, str]:
    bounds = {"from": item.valid_from, "until": item.valid_until}
    return {name: instant_text(value) for name, value in bounds.items() if value is not None}


def _card(document: Mapping[str, Any]) -> Card:
    card_id = document.get("id")
    if not isinstance(card_id, str) or not CREDENTIAL.fullmatch(card_id):
        raise ContractError("id is not a keyed hash of 32 hex digits")
    return Card(
        id=card_id,
        person=_identifier(document, "person"),
        status=_choice(document, "status", CardStatus, CardStatus.ACTIVE),
        **_validity(document),
    )


def _person(document: Mapping[str, Any]) -> Person:
    active = document.get("active", True)
    if not isinstance(active, bool):
        raise ContractError("active is neither true nor false")
    groups = tuple(_membership(each) for each in _list(document, "groups"))
    return Person(id=_identifier(document, "id"), active=active, groups=groups, **_validity(document))


def _membership(document: Any) -> Membership:
    if isinstance(document, str):
        return _unbounded(document)
    if not isinstance(document, Mapping) or set(document) - {"group", "from", "until"}:
        raise ContractError("groups holds something that is neither an id nor {group, from, until}")
    return Membership(_identifier(document, "group"), **_validity(document))


@lru_cache(1024)
def _unbounded(group: str) -> Membership:
    """The same for all who are in the group: a list of 250,000 persons names some dozens of them over and over."""
    check_id(group, "groups")
    return Membership(group)


def _membership_json(membership: Membership) -> str | dict[str, str]:
    # One form for each: without bounds it is the plain id, as all were before there were bounds.
    bounds = _validity_json(membership)
    return {"group": membership.group, **bounds} if bounds else membership.group


def _group(document: Mapping[str, Any]) -> Group:
    grants = []
    for grant in _list(document, "grants"):
        if not isinstance(grant, Mapping) or set(grant) - {"door", "schedule"}:
            raise ContractError("grants holds something that is not {door, schedule}")
        grants.append(Grant(_identifier(grant, "door"), _identifier(grant, "schedule", optional=True)))
    return Group(id=_identifier(document, "id"), grants=tuple(grants))


def _schedule(document: Mapping[str, Any]) -> Schedule:
    zone = document.get("zone")
    if not isinstance(zone, str) or not _is_zone(zone):
        raise ContractError(f"zone {shown(zone)} is not an IANA time zone")
    listed = _list(document, "windows")
    if len(listed) > MAX_WINDOWS:
        raise ContractError(f"windows are more than {MAX_WINDOWS}")
    windows = tuple(_window(window) for window in listed)
    holidays = _identifier(document, "holidays", optional=True)
    return Schedule(id=_identifier(document, "id"), zone=zone, windows=windows, holidays=holidays)


def _is_zone(name: str) -> bool:
    if _NO_ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _window(document: Any) -> Window:
    if not isinstance(document, Mapping) or set(document) != {"days", "from", "to"}:
        raise ContractError("windows holds something that is not {days, from, to}")
    days = _list(document, "days")
    if not days or any(day not in DAYS for day in days):
        raise ContractError(f"days are not some of {', '.join(DAYS)}")
    start, end = (_minutes(document[name]) for name in ("from", "to"))
    if start == 1440:
        raise ContractError("a window can't begin at 24:00")
    return Window(days=frozenset(DAYS.index(day) for day in days), start=start, end=end)


def _minutes(text: Any) -> int:
    if not isinstance(text, str) or not _CLOCK.fullmatch(text):
        raise ContractError(f"{shown(text)} is not a time of day from 00:00 to 24:00")
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _window_json(window: Window) -> dict[str, Any]:
    return {
        "days": [DAYS[day] for day in sorted(window.days)],
        "from": f"{window.start // 60:02}:{window.start % 60:02}",
        "to": f"{window.end // 60:02}:{window.end % 60:02}",
    }


def _holidays(document: Mapping[str, Any]) -> Holidays:
    listed = _list(document, "dates")
    if len(listed) > MAX_DATES:
        raise ContractError(f"dates are more than {MAX_DATES}")
    return Holidays(id=_identifier(document, "id"), dates=frozenset(map(_day, listed)))


def _day(text: Any) -> date:
    # fromisoformat also takes 20261225 and 2026-W52-5.
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        raise ContractError(f"{shown(text)} is not a date like 2026-12-25")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ContractError(f"{shown(text)}: {error}") from None


def _door(document: Mapping[str, Any]) -> Door:
    return Door(
        id=_identifier(document, "id"),
        mode=_choice(document, "mode", DoorMode, DoorMode.NORMAL),
        inside=_identifier(document, "inside", optional=True),
        outside=_identifier(document, "outside", optional=True),
    )


def _area(document: Mapping[str, Any]) -> Area:
    return Area(
        id=_identifier(document, "id"),
        anti_passback=_choice(document, "anti_passback", AntiPassback, AntiPassback.OFF),
    )


_EVERY: Final = frozenset({"v", "kind", "id"})
_PARSERS: Final[Mapping[str, tuple[frozenset[str], Callable[[Mapping[str, Any]], Item]]]] = {
    Kind.CARD: (_EVERY | {"person", "status", "from", "until"}, _card),
    Kind.PERSON: (_EVERY | {"active", "groups", "from", "until"}, _person),
    Kind.GROUP: (_EVERY | {"grants"}, _group),
    Kind.SCHEDULE: (_EVERY | {"zone", "windows", "holidays"}, _schedule),
    Kind.HOLIDAYS: (_EVERY | {"dates"}, _holidays),
    Kind.DOOR: (_EVERY | {"mode", "inside", "outside"}, _door),
    Kind.AREA: (_EVERY | {"anti_passback"}, _area),
}
