"""What may stand behind the ? of a path: the kinds, how they are read, and how the document describes them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from cloud.api.answers import CardStatus
from cloud.contract.checks import ID
from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import instant

MAX_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 50
MAX_CURSOR_CHARS: Final = 1024
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}")
_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_CURSOR: Final = re.compile(f"[A-Za-z0-9_-]{{1,{MAX_CURSOR_CHARS}}}")
_INSTANT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One kind: `read` turns its text into a value and raises ValueError, whose message never holds the text."""

    name: str
    summary: str
    schema: Mapping[str, Any]
    example: str | int | None
    """None where only the API can make one."""
    read: Callable[[str], Any]


def _limit(text: str) -> int:
    if not _LIMIT.fullmatch(text) or int(text) > MAX_LIMIT:
        raise ValueError(f"is not a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _cursor(text: str) -> str:
    if not _CURSOR.fullmatch(text):
        raise ValueError("is not a cursor")
    return text


def _prefix(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError("is not the beginning of an id")
    return text


def _card_status(text: str) -> str:
    if text not in get_args(CardStatus):
        raise ValueError(f"is not one of {', '.join(get_args(CardStatus))}")
    return text


def _instant(text: str) -> str:
    try:
        instant(text)
    except ContractError:
        raise ValueError("is not an instant like 2026-03-01T08:00:00Z") from None
    return text


def _month(text: str) -> str:
    if not _MONTH.fullmatch(text):
        raise ValueError("is not a month like 2026-03")
    return text


LIMIT: Final = Parameter(
    "limit",
    "Most entries of the page.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    DEFAULT_LIMIT,
    _limit,
)
CURSOR: Final = Parameter(
    "cursor",
    "`next` of the page before; with the same other parameters.",
    {"type": "string", "pattern": f"^{_CURSOR.pattern}$"},
    None,
    _cursor,
)
PREFIX: Final = Parameter(
    "prefix", "Only ids that begin so.", {"type": "string", "pattern": f"^{ID.pattern}$"}, "p-10", _prefix
)
CARD_STATUS: Final = Parameter(
    "status",
    "Only cards in this state.",
    {"type": "string", "enum": list(get_args(CardStatus))},
    "issued",
    _card_status,
)
FROM: Final = Parameter(
    "from", "Not earlier than this.", {"type": "string", "pattern": _INSTANT}, "2026-03-01T08:00:00Z", _instant
)
TO: Final = Parameter(
    "to", "Earlier than this.", {"type": "string", "pattern": _INSTANT}, "2026-03-01T18:00:00Z", _instant
)
MONTH: Final = Parameter(
    "month",
    "The month to read, in UTC; without it, the present one.",
    {"type": "string", "pattern": f"^{_MONTH.pattern}$"},
    "2026-03",
    _month,
)
PAGED: Final = (LIMIT, CURSOR)
