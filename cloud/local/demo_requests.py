"""What the staff of a demo site would have asked for: its places, people and cards, as requests in order."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cloud.contract.items import CardStatus, Kind
from cloud.domain.payloads import RequestType
from cloud.local.demo_site import DemoSite

Asked = tuple[RequestType, Mapping[str, Any]]
"""A type and a payload."""
_BLOCKED: Final[Mapping[str, RequestType]] = {
    CardStatus.LOST: RequestType.CARD_REPORT_LOST,
    CardStatus.STOLEN: RequestType.CARD_REPORT_STOLEN,
    CardStatus.REVOKED: RequestType.CARD_REVOKE,
    CardStatus.INACTIVE: RequestType.CARD_RETURN,
}


def requests(site: DemoSite) -> Iterator[Asked]:
    """All requests of a site, in order. Who has a blocked card gets that one before the one that works."""
    people = [item for (kind, _), item in site.items.items() if kind == Kind.PERSON]
    cards = [card for person in people for card in _cards(site, person["id"])]
    blocked = [card for card in cards if card["status"] in _BLOCKED]
    first = {card["person"]: card["id"] for card in blocked}
    later = [card for card in cards if card not in blocked and (_bounds(card) or card["person"] in first)]
    first |= {card["person"]: card["id"] for card in cards if card not in blocked and card not in later}
    rows = [{**_row(line, person), **_card(first, person)} for line, person in enumerate(people, 1)]
    yield from (*_buildings(site), *_areas(site), *_doors(site), *_holidays(site), *_schedules(site), *_groups(site))
    yield RequestType.PEOPLE_IMPORT, {"rows": rows}
    for card in blocked:
        yield _BLOCKED[card["status"]], {"card": card["id"]}
    if later:
        yield RequestType.CARD_REGISTER, {"cards": [{"card": card["id"]} for card in later]}
    for card in later:
        yield RequestType.CARD_ISSUE, {"card": card["id"], "person": card["person"], **_bounds(card)}
    for person in people:
        if not person.get("active", True):
            yield RequestType.PERSON_DEACTIVATE, {"person": person["id"]}


def _buildings(site: DemoSite) -> Iterator[Asked]:
    for name, text in site.buildings.items():
        yield RequestType.BUILDING_PUT, {"building": name, "name": text}


def _cards(site: DemoSite, person: str) -> Iterator[Mapping[str, Any]]:
    for (kind, _), item in site.items.items():
        if kind == Kind.CARD and item["person"] == person:
            yield {**item, "status": item.get("status", CardStatus.ACTIVE.value)}


def _row(line: int, person: Mapping[str, Any]) -> Mapping[str, Any]:
    groups = [name for name in person.get("groups", ()) if isinstance(name, str)]
    return {
        "line": line,
        "person": person["id"],
        "name": person["id"].capitalize(),
        "groups": groups,
        **_bounds(person),
    }


def _card(cards: Mapping[str, str], person: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"card": cards[person["id"]]} if person["id"] in cards else {}


def _areas(site: DemoSite) -> Iterator[Asked]:
    for item in _of(site, Kind.AREA):
        yield (
            RequestType.AREA_PUT,
            {"area": item["id"], **_named(site, Kind.AREA, item), **_given(item, "anti_passback")},
        )


def _doors(site: DemoSite) -> Iterator[Asked]:
    for item in _of(site, Kind.DOOR):
        yield (
            RequestType.DOOR_PUT,
            {"door": item["id"], **_named(site, Kind.DOOR, item), **_given(item, "mode", "inside", "outside")},
        )


def _holidays(site: DemoSite) -> Iterator[Asked]:
    for item in _of(site, Kind.HOLIDAYS):
        yield RequestType.HOLIDAYS_PUT, {"holidays": item["id"], "name": item["id"], **_given(item, "dates")}


def _schedules(site: DemoSite) -> Iterator[Asked]:
    for item in _of(site, Kind.SCHEDULE):
        windows = [
            {"days": window["days"], "start": window["from"], "end": window["to"]} for window in item.get("windows", ())
        ]
        yield (
            RequestType.SCHEDULE_PUT,
            {"schedule": item["id"], "name": item["id"], "windows": windows, **_given(item, "zone", "holidays")},
        )


def _groups(site: DemoSite) -> Iterator[Asked]:
    for item in _of(site, Kind.GROUP):
        yield RequestType.GROUP_PUT, {"group": item["id"], "name": item["id"], **_given(item, "grants")}


def _of(site: DemoSite, kind: Kind) -> Iterator[Mapping[str, Any]]:
    return (item for (each, _), item in site.items.items() if each == kind)


def _named(site: DemoSite, kind: Kind, item: Mapping[str, Any]) -> Mapping[str, Any]:
    building = site.lies_in.get((kind.value, item["id"]))
    return {"name": item["id"], **({} if building is None else {"building": building})}


def _given(item: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return {name: item[name] for name in names if item.get(name) is not None}


def _bounds(item: Mapping[str, Any]) -> Mapping[str, Any]:
    wire = {"from": "valid_from", "until": "valid_until"}
    return {field: item[name] for name, field in wire.items() if item.get(name) is not None}
