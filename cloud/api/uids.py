"""Card numbers in the bodies of requests: where they may stand, and how they are turned into keyed hashes at once.

A number that a reader shows comes in as `uid` in place of `card`. It goes no further than this: no number is stored,
logged or sent back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloud.api.problems import Fault, Problem
from cloud.contract.signing import credential_hash
from cloud.domain.payloads import RequestType

UID_PATTERN: Final = "([0-9A-Fa-f]{2}){4,16}"
"""4 to 16 bytes in hex: what ISO 14443 and 15693 cards, and the ids of phones, come to."""
_UID: Final = re.compile(UID_PATTERN)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a number may stand for a card: in the body itself, or in each entry of one of its lists."""

    number: str
    card: str
    within: str | None = None


SPOTS: Final[Mapping[RequestType, Spot]] = {
    RequestType.CARD_REGISTER: Spot("uid", "card", within="cards"),
    RequestType.CARD_ISSUE: Spot("uid", "card"),
    RequestType.CARD_REPLACE: Spot("by_uid", "by"),
    RequestType.PEOPLE_IMPORT: Spot("uid", "card", within="rows"),
}


def holds_numbers(kind: RequestType, body: Mapping[str, Any]) -> bool:
    """Whether anything in the body must be hashed, so that the site's key is needed."""
    spot = SPOTS.get(kind)
    return spot is not None and any(spot.number in place for _, place in _places(spot, body))


def without_numbers(kind: RequestType, body: Mapping[str, Any], site_key: bytes) -> dict[str, Any]:
    """The body with keyed hashes in place of all numbers; raises Problem for what is no number, or beside a card."""
    spot = SPOTS.get(kind)
    if spot is None:
        return dict(body)
    faults: list[Fault] = []
    hashed = [_hashed(spot, place, pointer, site_key, faults) for pointer, place in _places(spot, body)]
    if faults:
        raise Problem("body-invalid", faults=faults)
    if spot.within is None:
        return hashed[0]
    if not hashed:
        return dict(body)
    entries = iter(hashed)
    return {
        **body,
        spot.within: [next(entries) if isinstance(entry, Mapping) else entry for entry in body[spot.within]],
    }


def hashed_uid(value: object, site_key: bytes) -> str | None:
    """The keyed hash of a number; None if it is none."""
    if not isinstance(value, str) or not _UID.fullmatch(value):
        return None
    return credential_hash(site_key, bytes.fromhex(value))


def _places(spot: Spot, body: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects in which a number may stand, with pointers to them; what is of the wrong type is found later."""
    if spot.within is None:
        return [("", body)]
    entries = body.get(spot.within)
    if not isinstance(entries, list):
        return []
    return [
        (f"/{spot.within}/{number}", entry) for number, entry in enumerate(entries) if isinstance(entry, Mapping)
    ]  # fmt: skip


def _hashed(spot: Spot, place: Mapping[str, Any], pointer: str, site_key: bytes, faults: list[Fault]) -> dict[str, Any]:
    if spot.number not in place:
        return dict(place)
    if spot.card in place:
        faults.append(Fault(f"{pointer}/{spot.number}", f"stands beside {spot.card}, of which it is the number"))
    card = hashed_uid(place[spot.number], site_key)
    if card is None:
        faults.append(Fault(f"{pointer}/{spot.number}", "is not 4 to 16 bytes in hex"))
    rest = {name: value for name, value in place.items() if name != spot.number}
    return {**rest, spot.card: card}
