"""What the API answers when it can't do what was asked: problem documents (RFC 9457) of stable kinds.

Must never repeat what the caller sent, which may be a card's number, nor how the code looks inside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

from cloud.errors import CloudError

PROBLEM_JSON: Final = "application/problem+json"
_TYPE_PREFIX: Final = "/problems/"

KINDS: Final[Mapping[str, tuple[int, str]]] = {
    "body-malformed": (400, "The body is not a JSON object"),
    "parameter-invalid": (400, "A parameter is not as it must be"),
    "cursor-invalid": (400, "The cursor does not belong to this list"),
    "idempotency-key-invalid": (400, "The Idempotency-Key is missing or not as it must be"),
    "not-authenticated": (401, "The token is not one for this API"),
    "role-missing": (403, "None of the caller's roles allows this"),
    "route-unknown": (404, "There is nothing at this path"),
    "site-unknown": (404, "There is no such site"),
    "person-unknown": (404, "There is no such person"),
    "card-unknown": (404, "There is no such card"),
    "building-unknown": (404, "There is no such building"),
    "area-unknown": (404, "There is no such area"),
    "door-unknown": (404, "There is no such door"),
    "group-unknown": (404, "There is no such group"),
    "schedule-unknown": (404, "There is no such schedule"),
    "holidays-unknown": (404, "There is no such calendar of holidays"),
    "device-unknown": (404, "There is no such device"),
    "request-unknown": (404, "There is no such request"),
    "idempotency-key-reused": (409, "Another request was made with this Idempotency-Key"),
    "body-too-large": (413, "The body is too large"),
    "media-type-unsupported": (415, "The body must be application/json"),
    "body-invalid": (422, "The body does not hold what it must"),
    "internal-error": (500, "Something went wrong here"),
    "unavailable": (503, "This can't be answered now; try again later"),
}
"""Kind -> HTTP status and title. Clients match on the kind; titles are for people and may change."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field."""

    pointer: str
    """JSON pointer (RFC 6901) into the body; empty for the whole."""
    detail: str


class ProblemDocument(BaseModel):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    """The id of the HTTP request, for whoever looks into it."""
    errors: list[Fault] | None = None


class Problem(CloudError):  # noqa: N818 - the word of RFC 9457
    """An answer that is not what was asked for; `kind` is one of KINDS."""

    def __init__(self, kind: str, detail: str | None = None, faults: Sequence[Fault] = ()) -> None:
        self.kind = kind
        self.status, self.title = KINDS[kind]
        self.detail = detail
        self.faults = tuple(faults)
        super().__init__(f"{self.status} {kind}")

    def document(self, request: str) -> ProblemDocument:
        """The body of the answer to the HTTP request with this id."""
        return ProblemDocument(
            type=problem_type(self.kind),
            title=self.title,
            status=self.status,
            detail=self.detail,
            instance=f"urn:request:{request}",
            errors=list(self.faults) or None,
        )


def problem_type(kind: str) -> str:
    """The `type` of a kind of problem: a stable URI, relative to the API."""
    return _TYPE_PREFIX + kind
