"""The readings of one site: people, cards, places, devices and staff. Nothing is written."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from cloud.api import answers, record_answers
from cloud.api.bodies import MAX_BODY_BYTES, read_body
from cloud.api.call import Call, Operation
from cloud.api.problems import Fault, Problem
from cloud.api.route import KEEPERS_OF_PEOPLE
from cloud.api.uids import hashed_uid
from cloud.domain import keys
from cloud.domain.keys import LISTING_INDEX, OWNER_INDEX
from cloud.domain.outcome import Item
from cloud.domain.presence import inside
from cloud.domain.roles import EVERY_SITE

_Answer = TypeVar("_Answer", bound=answers.Answer)

PLACES: Final[Mapping[str, type[answers.Answer]]] = {
    "building": answers.Building,
    "area": answers.Area,
    "door": answers.Door,
    "group": answers.Group,
    "schedule": answers.Schedule,
    "holidays": answers.Holidays,
}
"""Kinds of place, as the table and paths name them."""
_PLURALS: Final = {kind: kind if kind.endswith("s") else f"{kind}s" for kind in PLACES}


def list_people(call: Call) -> answers.Answer:
    """People, those whose ids begin so."""
    items, following = call.page(LISTING_INDEX, f"PEOPLE#{call.site}", prefix=call.query.get("prefix"))
    return answers.Page[answers.PersonEntry](items=[_read(answers.PersonEntry, item) for item in items], next=following)


def get_person(call: Call) -> answers.Answer:
    """A person; how to reach them is told to those who keep people's records."""
    item = _person(call)
    seen = item if call.roles & KEEPERS_OF_PEOPLE else {name: item[name] for name in item if name != "email"}
    return _read(answers.Person, seen)


def list_permissions(call: Call) -> answers.Answer:
    """A person's permissions."""
    return answers.Permissions(
        items=[_read(answers.Permission, permission) for permission in _person(call).get("permissions", ())]
    )


def list_persons_cards(call: Call) -> answers.Answer:
    """The cards that a person holds."""
    held = [keys.card(call.site, card) for card in _person(call).get("cards", ())]
    found = call.backend.entities.get_many(held)
    return answers.Cards(items=[_read(answers.Card, item) for item in found.values() if item is not None])


def get_presence(call: Call) -> answers.Answer:
    """Where a person was last known to be."""
    person = _person(call)
    item = call.backend.entities.get(keys.presence(call.site, call.names["person"]))
    return _read(answers.Presence, item or {"person": person["person"]})


def list_cards(call: Call) -> answers.Answer:
    """Cards, those in one state if that is asked for."""
    status = call.query.get("status")
    prefix = None if status is None else f"{status}#"
    items, following = call.page(LISTING_INDEX, f"CARDS#{call.site}", prefix=prefix)
    return answers.Page[answers.Card](items=[_read(answers.Card, item) for item in items], next=following)


def get_card(call: Call) -> answers.Answer:
    """A card."""
    return _read(answers.Card, call.found(keys.card(call.site, call.names["card"])))


def lookup_card(call: Call) -> answers.Answer:
    """The card with this number."""
    body = read_body(call.event, MAX_BODY_BYTES)
    if set(body) != {"uid"}:
        raise Problem("body-invalid", "It takes a uid and nothing else.")
    card = hashed_uid(body["uid"], call.backend.card_hash_key(call.site))
    if card is None:
        raise Problem("body-invalid", faults=[Fault("/uid", "is not 4 to 16 bytes in hex")])
    return _read(answers.Card, call.found(keys.card(call.site, card)))


def get_occupancy(call: Call) -> answers.Answer:
    """Who is inside a building, by name: in a fire, nobody should have to look them up."""
    building = call.names["building"]
    call.found(keys.place(call.site, "building", building))
    partition = inside(call.site, building)
    items, following = call.page(OWNER_INDEX, partition)
    people = call.backend.entities.get_many(keys.person(call.site, item["person"]) for item in items)
    occupants = [
        _read(answers.Occupant, {**item, "name": (people[keys.person(call.site, item["person"])] or {}).get("name")})
        for item in items
    ]
    count = call.backend.entities.count(OWNER_INDEX, partition) if "cursor" not in call.query else None
    return answers.Occupancy(building=building, count=count, items=occupants, next=following)


def list_devices(call: Call) -> answers.Answer:
    """Controllers."""
    items, following = call.page(LISTING_INDEX, f"DEVICES#{call.site}")
    return answers.Page[record_answers.Device](
        items=[_read(record_answers.Device, item) for item in items], next=following
    )


def get_device(call: Call) -> answers.Answer:
    """A controller; those of other sites are unknown here."""
    item = call.found(keys.device(call.names["device"]))
    if item.get("site") != call.site:
        raise Problem("device-unknown")
    return _read(record_answers.Device, item)


def list_operators(call: Call) -> answers.Answer:
    """The roles of the staff: before the first page of the site's own, the few that hold at every site."""
    items, following = call.page(LISTING_INDEX, f"OPERATORS#{call.site}")
    if "cursor" not in call.query:
        items = [*call.backend.entities.query_all(LISTING_INDEX, f"OPERATORS#{EVERY_SITE}"), *items]
    entries = [_read(record_answers.OperatorGrant, item) for item in items]
    return answers.Page[record_answers.OperatorGrant](items=entries, next=following)


def _list_places(kind: str, model: type[answers.Answer]) -> Operation:
    def operation(call: Call) -> answers.Answer:
        partition, prefix = keys.place(call.site, kind, "")
        items, following = call.page(None, partition, prefix=prefix)
        page: Any = answers.Page[model]  # type: ignore[valid-type]  # the parameter is a value here
        return page(items=[_read(model, item) for item in items], next=following)  # type: ignore[no-any-return]

    return operation


def _get_place(kind: str, model: type[answers.Answer]) -> Operation:
    def operation(call: Call) -> answers.Answer:
        return _read(model, call.found(keys.place(call.site, kind, call.names[kind])))

    return operation


def _person(call: Call) -> Item:
    return call.found(keys.person(call.site, call.names["person"]))


def _read(model: type[_Answer], item: Mapping[str, Any]) -> _Answer:
    return model(**item)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "listPeople": list_people,
    "getPerson": get_person,
    "listPersonPermissions": list_permissions,
    "listPersonCards": list_persons_cards,
    "getPresence": get_presence,
    "listCards": list_cards,
    "getCard": get_card,
    "lookupCard": lookup_card,
    "getOccupancy": get_occupancy,
    "listDevices": list_devices,
    "getDevice": get_device,
    "listOperators": list_operators,
    **{f"list{_PLURALS[kind].capitalize()}": _list_places(kind, model) for kind, model in PLACES.items()},
    **{f"get{kind.capitalize()}": _get_place(kind, model) for kind, model in PLACES.items()},
}
