"""The kinds of field that requests are made of: one type for each, whoever reads it (API, router, processor)."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from cloud.contract.checks import CREDENTIAL, ID
from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import instant

MAX_NAME_CHARS: Final = 200
MAX_NOTE_CHARS: Final = 500


class Fields(BaseModel):
    """What all of them are: of the right type without conversion, without anything unknown, and never changed."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _check_instant(text: str) -> str:
    try:
        instant(text)
    except ContractError:
        # Its message shows the text, which may be anything, a card's number too.
        raise ValueError("is not an instant like 2026-03-01T08:00:00Z") from None
    return text


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds characters that can't be printed")
    return text


Id = Annotated[str, StringConstraints(pattern=f"^{ID.pattern}$")]
"""Of a site, building, area, door, group, schedule, person, device, permission or request."""
CardId = Annotated[str, StringConstraints(pattern=f"^{CREDENTIAL.pattern}$")]
"""The keyed hash of a card: what stands for it everywhere behind the API."""
_SHAPE: Final = {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"}
"""For the schema alone: what is refused is better told in words."""
Instant = Annotated[
    str, StringConstraints(max_length=20), AfterValidator(_check_instant), Field(json_schema_extra=_SHAPE)
]
"""RFC 3339 UTC to the second, such as 2026-03-01T08:00:00Z."""
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_CHARS),
    AfterValidator(_check_printable),
]
"""For people to read."""
Note = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=MAX_NOTE_CHARS), AfterValidator(_check_printable)
]
"""Why somebody asked for it; ends up in the audit."""
