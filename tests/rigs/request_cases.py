"""Every type of request as staff ask for it: what must be there before, the call, and where its effect is seen.

In all texts {x} is the test's own token, {last} the id of the request before, and {asked} that of the request itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloud.domain.payloads import RequestType

CARD: Final = "{x}{x}{x}00000001"
OTHER_CARD: Final = "{x}{x}{x}00000002"
KEY: Final = "{x}" * 8
SOME: Final = "(some)"
"""In what is seen: any value but null."""
GONE: Final = None
"""Nothing is there (404)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change that is asked for."""

    method: str
    path: str
    body: Any = None


@dataclass(frozen=True, slots=True)
class Case:
    """A change, with what goes before it and what is seen after it."""

    given: tuple[Step, ...]
    asked: Step
    seen_at: str
    seen: Mapping[str, Any] | None
    among: bool = False
    """What is seen is one entry of a list."""
    paged: bool = False
    """That list is of the whole site."""


def _post(path: str, body: Any = None) -> Step:
    return Step("POST", path, body)


def _put(path: str, **body: Any) -> Step:
    return Step("PUT", path, body)


_PERSON: Final = _post("people", {"person": "p-{x}", "name": "Ada", "status": "active"})
_REGISTERED: Final = _post("cards", {"cards": [{"card": CARD}, {"card": OTHER_CARD}]})
_ISSUED: Final = (_PERSON, _REGISTERED, _post(f"cards/{CARD}/issue", {"person": "p-{x}"}))
_BUILDING: Final = _put("buildings/b-{x}", name="Annex")
_AREA: Final = _put("areas/a-{x}", name="Hall", building="b-{x}")
_DOOR: Final = _put("doors/d-{x}", name="Gate")
_GROUP: Final = _put("groups/g-{x}", name="Staff")
_SCHEDULE: Final = _put("schedules/s-{x}", name="Days", zone="Europe/Berlin")
_HOLIDAYS: Final = _put("holidays/h-{x}", name="Public", dates=["2027-01-01"])
_GRANT: Final = _post("people/p-{x}/permissions", {"group": "g-{x}", "valid_until": "2100-01-01T00:00:00Z"})
_DEVICE: Final = _put("devices/c-{x}", keys=[KEY], doors=["d-{x}"])
_ROLE: Final = _post("operators/staff-{x}/grants", {"role": "guard"})


def _card(verb: str, status: str, *given: Step, body: Any = None) -> Case:
    """Something is done with the card of a person, which stays named as theirs."""
    seen = {"card": CARD, "status": status, "person": "p-{x}", "changed_at": SOME}
    return Case((*_ISSUED, *given), _post(f"cards/{CARD}/{verb}", body), f"cards/{CARD}", seen)


def _removed(plural: str, name: str, *given: Step) -> Case:
    return Case(given, Step("DELETE", f"{plural}/{name}"), f"{plural}/{name}", GONE)


CASES: Final[Mapping[RequestType, Case]] = {
    RequestType.CARD_REGISTER: Case((), _REGISTERED, f"cards/{OTHER_CARD}", {"status": "unissued", "person": None}),
    RequestType.CARD_ISSUE: Case(
        _ISSUED[:2], _ISSUED[2], "people/p-{x}/cards", {"card": CARD, "status": "issued"}, among=True
    ),
    RequestType.CARD_RETURN: _card("return", "returned"),
    RequestType.CARD_REPORT_LOST: _card("report-lost", "lost", body={"note": "on the train"}),
    RequestType.CARD_REPORT_STOLEN: _card("report-stolen", "stolen"),
    RequestType.CARD_DESTROY: _card("destroy", "destroyed"),
    RequestType.CARD_EXPIRE: _card("expire", "expired"),
    RequestType.CARD_REVOKE: _card("revoke", "revoked"),
    RequestType.CARD_REACTIVATE: _card("reactivate", "issued", _post(f"cards/{CARD}/report-lost")),
    RequestType.CARD_REPLACE: Case(
        _ISSUED,
        _post(f"cards/{CARD}/replace", {"by": OTHER_CARD, "reason": "lost"}),
        f"cards/{OTHER_CARD}",
        {"status": "issued", "person": "p-{x}"},
    ),
    RequestType.PERSON_CREATE: Case(
        (),
        _post("people", {"person": "p-{x}", "name": "Ada", "email": "ada@example.org"}),
        "people/p-{x}",
        {"name": "Ada", "email": "ada@example.org", "status": "onboarding", "cards": [], "created_at": SOME},
    ),
    RequestType.PERSON_UPDATE: Case(
        (_PERSON,),
        Step("PATCH", "people/p-{x}", {"name": "Ada L.", "valid_until": "2100-01-01T00:00:00Z"}),
        "people/p-{x}",
        {"name": "Ada L.", "valid_until": "2100-01-01T00:00:00Z", "status": "active"},
    ),
    RequestType.PERSON_ACTIVATE: Case(
        (_post("people", {"person": "p-{x}", "name": "Ada"}),),
        _post("people/p-{x}/activate"),
        "people/p-{x}",
        {"status": "active"},
    ),
    RequestType.PERSON_DEACTIVATE: Case(
        _ISSUED, _post("people/p-{x}/deactivate"), "people/p-{x}", {"status": "inactive", "cards": [CARD]}
    ),
    RequestType.PEOPLE_IMPORT: Case(
        (_GROUP,),
        _post(
            "people/import",
            {
                "rows": [
                    {"line": 2, "person": "p-{x}", "name": "Ada", "card": CARD, "groups": ["g-{x}"]},
                    {"line": 3, "person": "q-{x}", "name": "Grace", "status": "onboarding"},
                ]
            },
        ),
        "people/p-{x}",
        {"name": "Ada", "status": "active", "cards": [CARD], "permissions": [{"group": "g-{x}"}]},
    ),
    RequestType.PERMISSION_GRANT: Case(
        (_PERSON, _GROUP),
        _GRANT,
        "people/p-{x}/permissions",
        {"permission": "{asked}", "group": "g-{x}", "valid_until": "2100-01-01T00:00:00Z", "granted_by": SOME},
        among=True,
    ),
    RequestType.PERMISSION_END: Case(
        (_PERSON, _GROUP, _GRANT),
        _post("people/p-{x}/permissions/{last}/end"),
        "people/p-{x}",
        {"permissions": []},
    ),
    RequestType.BUILDING_PUT: Case((), _BUILDING, "buildings/b-{x}", {"building": "b-{x}", "name": "Annex"}),
    RequestType.BUILDING_REMOVE: _removed("buildings", "b-{x}", _BUILDING),
    RequestType.AREA_PUT: Case(
        (_BUILDING,), _AREA, "areas/a-{x}", {"name": "Hall", "building": "b-{x}", "anti_passback": "off"}
    ),
    RequestType.AREA_REMOVE: _removed("areas", "a-{x}", _BUILDING, _AREA),
    RequestType.DOOR_PUT: Case(
        (_BUILDING, _AREA),
        _put("doors/d-{x}", name="Gate", building="b-{x}", mode="lockdown", inside="a-{x}"),
        "doors/d-{x}",
        {"name": "Gate", "building": "b-{x}", "mode": "lockdown", "inside": "a-{x}", "outside": None},
    ),
    RequestType.DOOR_REMOVE: _removed("doors", "d-{x}", _DOOR),
    RequestType.GROUP_PUT: Case(
        (_DOOR, _SCHEDULE),
        _put("groups/g-{x}", name="Staff", grants=[{"door": "d-{x}", "schedule": "s-{x}"}]),
        "groups/g-{x}",
        {"name": "Staff", "grants": [{"door": "d-{x}", "schedule": "s-{x}"}]},
    ),
    RequestType.GROUP_REMOVE: _removed("groups", "g-{x}", _GROUP),
    RequestType.SCHEDULE_PUT: Case(
        (_HOLIDAYS,),
        _put(
            "schedules/s-{x}",
            name="Days",
            zone="Europe/Berlin",
            windows=[{"days": ["mon"], "start": "22:00", "end": "06:00"}],
            holidays="h-{x}",
        ),
        "schedules/s-{x}",
        {
            "zone": "Europe/Berlin",
            "windows": [{"days": ["mon"], "start": "22:00", "end": "06:00"}],
            "holidays": "h-{x}",
        },
    ),
    RequestType.SCHEDULE_REMOVE: _removed("schedules", "s-{x}", _SCHEDULE),
    RequestType.HOLIDAYS_PUT: Case((), _HOLIDAYS, "holidays/h-{x}", {"name": "Public", "dates": ["2027-01-01"]}),
    RequestType.HOLIDAYS_REMOVE: _removed("holidays", "h-{x}", _HOLIDAYS),
    RequestType.DEVICE_REGISTER: Case(
        (_DOOR,), _DEVICE, "devices/c-{x}", {"status": "registered", "keys": [KEY], "doors": ["d-{x}"]}
    ),
    RequestType.DEVICE_RETIRE: Case(
        (_DOOR, _DEVICE),
        _post("devices/c-{x}/retire", {"note": "stolen"}),
        "devices/c-{x}",
        {"status": "retired", "keys": [], "doors": []},
    ),
    RequestType.OPERATOR_GRANT: Case(
        (),
        _ROLE,
        "operators",
        {"subject": "staff-{x}", "grant": "{asked}", "role": "guard", "valid_until": None},
        among=True,
        paged=True,
    ),
    RequestType.OPERATOR_END: Case(
        (_ROLE,),
        _post("operators/staff-{x}/grants/{last}/end"),
        "operators",
        {"subject": "staff-{x}", "grant": "{last}", "valid_until": SOME},
        among=True,
        paged=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A change that the rules refuse."""

    given: tuple[Step, ...]
    asked: Step
    code: str
    unseen: str | None = None
    """A path where nothing must have come to be."""


REFUSALS: Final[Mapping[str, Refusal]] = {
    "cards": Refusal(
        (*_ISSUED, _post("people", {"person": "q-{x}", "name": "Eve"})),
        _post(f"cards/{CARD}/issue", {"person": "q-{x}"}),
        "card_not_available",
    ),
    "people": Refusal((_PERSON,), _PERSON, "person_exists"),
    "permissions": Refusal((_PERSON,), _post("people/p-{x}/permissions", {"group": "no-{x}"}), "group_unknown"),
    "places": Refusal((_BUILDING, _AREA), Step("DELETE", "buildings/b-{x}"), "place_in_use"),
    "imports": Refusal(
        (),
        _post(
            "people/import",
            {
                "rows": [
                    {"line": 2, "person": "p-{x}", "name": "Ada"},
                    {"line": 3, "person": "q-{x}", "name": "Eve", "groups": ["no-{x}"]},
                ]
            },
        ),
        "rows_refused",
        unseen="people/p-{x}",
    ),
    "system": Refusal((), _put("devices/c-{x}", keys=[KEY], doors=["no-{x}"]), "door_unknown", unseen="devices/c-{x}"),
}
"""One of each family of processors."""


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """The same with names in place of the braces of all texts."""
    match value:
        case str():
            return value.format_map(names)
        case Mapping():
            return {key: filled(each, names) for key, each in value.items()}
        case list():
            return [filled(each, names) for each in value]
        case _:
            return value


def matches(found: Any, wanted: Any) -> bool:
    """Whether what was found says all that is wanted; it may say more, but no longer lists."""
    if wanted == SOME:
        return found is not None
    match wanted:
        case Mapping():
            return isinstance(found, Mapping) and all(matches(found.get(key), each) for key, each in wanted.items())
        case list():
            return len(found) == len(wanted) and all(map(matches, found, wanted))
        case _:
            return bool(found == wanted)
