"""Small checks that every reader of the wire shares. Messages must never repeat what a stranger sent at length."""

import re
from collections.abc import Mapping
from typing import Any, Final

from cloud.contract.errors import ContractError, UnknownVersionError

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
"""Ids of everything but cards and events."""
CREDENTIAL: Final = re.compile(r"[0-9a-f]{32}")
"""Ids of cards: keyed hashes."""
SHA256: Final = re.compile(r"[0-9a-f]{64}")
MAX_INT: Final = 2**53 - 1
"""The largest whole number that every JSON reader holds exactly."""
_SHOWN_CHARS: Final = 40


def shown(value: object) -> str:
    """A value from the wire for an error message: short, in one line, and made in bounded time."""
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN_CHARS else f"{value[:_SHOWN_CHARS]}...")
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) <= MAX_INT):
        return repr(value)
    return f"<{type(value).__name__}>"


def is_whole(value: object, least: int = 0) -> bool:
    """Whether this is an integer from `least` to MAX_INT; true and 1.0 are not."""
    return type(value) is int and least <= value <= MAX_INT


def check_version(document: Mapping[str, Any], known: int, what: str) -> None:
    """Raise UnknownVersionError unless `v` is the version that this release knows."""
    version = document.get("v")
    if type(version) is not int or version != known:
        raise UnknownVersionError(f"{what}: v is {shown(version)}, known is {known}")


def check_id(value: object, what: str) -> None:
    """Raise ContractError unless this is an id."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise ContractError(f"{what} is not an id of letters, digits and _.:- up to 64")
