"""One example of the body of each change, for the OpenAPI document. A test sends each of them through the checks."""

from collections.abc import Mapping
from typing import Any, Final

PATHS: Final[Mapping[str, str]] = {
    "site": "hq",
    "person": "p-1001",
    "permission": "0b6f3a52-9d1e-5d0c-8a6e-0d6a2f8f5b3e",
    "card": "9f86d081884c7d659a2feaa0c55ad015",
    "building": "hq-main",
    "area": "lobby",
    "door": "hq-lobby",
    "group": "staff",
    "schedule": "office-hours",
    "holidays": "public-2026",
    "device": "hq-lobby-1",
    "subject": "c2f41a7e-5b0c-4c1b-9a53-1f6f2f1c7a11",
    "grant": "guard-2026",
    "request": "5d1f7c1e-66a4-5a0e-8f5a-2f8f5b3e0d6a",
}
"""What may stand in a path."""
_NOTE: Final = {"note": "as agreed by phone"}

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "createPerson": {"person": "p-1001", "name": "Ada Lovelace", "email": "ada@example.org"},
    "updatePerson": {"name": "Ada King", "valid_until": "2026-12-31T23:00:00Z"},
    "activatePerson": _NOTE,
    "deactivatePerson": _NOTE,
    "importPeople": {
        "rows": [{"line": 2, "person": "p-1002", "name": "Charles Babbage", "uid": "04A224B2C35E80"}],
        "all_or_nothing": True,
    },
    "grantPermission": {"group": "staff", "valid_from": "2026-03-01T08:00:00Z", "valid_until": "2026-09-01T08:00:00Z"},
    "endPermission": {"at": "2026-06-01T08:00:00Z"},
    "lookupCard": {"uid": "04A224B2C35E80"},
    "registerCards": {"cards": [{"uid": "04A224B2C35E80", "label": "000123"}]},
    "issueCardByNumber": {"uid": "04A224B2C35E80", "person": "p-1001", "complete_onboarding": True},
    "issueCard": {"person": "p-1001", "building": "hq-main"},
    "returnCard": _NOTE,
    "reportCardLost": _NOTE,
    "reportCardStolen": _NOTE,
    "destroyCard": _NOTE,
    "expireCard": _NOTE,
    "reactivateCard": _NOTE,
    "revokeCard": _NOTE,
    "replaceCard": {"by_uid": "04B224B2C35E81", "reason": "lost"},
    "putBuilding": {"name": "Headquarters"},
    "putArea": {"name": "Lobby", "building": "hq-main", "anti_passback": "hard"},
    "putDoor": {"name": "Lobby door", "building": "hq-main", "inside": "lobby"},
    "putGroup": {"name": "Staff", "grants": [{"door": "hq-lobby", "schedule": "office-hours"}]},
    "putSchedule": {
        "name": "Office hours",
        "zone": "Europe/Berlin",
        "windows": [{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "07:00", "end": "19:00"}],
        "holidays": "public-2026",
    },
    "putHolidays": {"name": "Public holidays", "dates": ["2026-12-25"]},
    "registerDevice": {
        "keys": ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"],
        "doors": ["hq-lobby"],
    },
    "retireDevice": _NOTE,
    "grantRole": {"role": "guard", "valid_until": "2026-12-31T23:00:00Z"},
    "endRole": _NOTE,
}  # fmt: skip
"""Operation -> body."""
