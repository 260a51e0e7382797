"""Which family of processors carries out which type of request: one topic, queue and function for each family."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from cloud.domain.payloads import RequestType


class Family(StrEnum):
    """Requests that are processed, throttled and alarmed on together."""

    CARDS = "cards"
    PEOPLE = "people"
    PERMISSIONS = "permissions"
    PLACES = "places"
    IMPORTS = "imports"
    """Apart from the rest: one of them takes minutes."""
    SYSTEM = "system"
    """Devices and operators."""


_BY_SUBJECT: Final[Mapping[str, Family]] = {
    "card": Family.CARDS,
    "person": Family.PEOPLE,
    "people": Family.IMPORTS,
    "permission": Family.PERMISSIONS,
    "building": Family.PLACES,
    "area": Family.PLACES,
    "door": Family.PLACES,
    "group": Family.PLACES,
    "schedule": Family.PLACES,
    "holidays": Family.PLACES,
    "device": Family.SYSTEM,
    "operator": Family.SYSTEM,
}


def family(kind: RequestType) -> Family:
    """Who carries out a request of this type. Every type has one: a test holds that."""
    return _BY_SUBJECT[kind.value.partition(".")[0]]
