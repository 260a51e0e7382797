"""How a delivery ends, and how it gets there while others are at work on the same things."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cloud.adapters.entities import EntityStore
from cloud.domain import progress
from cloud.domain.keys import audit as audit_key
from cloud.domain.keys import request as request_key
from cloud.errors import Conflict
from cloud.requests.settling import Settler

T = TypeVar("T")

_ATTEMPTS: Final = 10
_WAIT: Final = wait_random_exponential(multiplier=0.02, max=1.0)
"""A transaction takes some 20 ms, and all that a site's doors must know goes through one head: the losers of a race
come back spread over a while that doubles, for some seconds in all. Who still loses then is delivered again."""


class End(StrEnum):
    """What became of a delivery."""

    DONE = "done"
    REJECTED = "rejected"
    UNREADABLE = "unreadable"
    REPEATED = "repeated"
    """It was done or rejected before: nothing happened."""


@dataclass(frozen=True, slots=True)
class Report:
    """For the log and the metrics: no personal data."""

    end: End
    request: str
    type: str | None = None
    code: str | None = None


def until_settled(attempt: Callable[[], T], on_conflict: Callable[[], None]) -> T:
    """Decide anew while others write in between; raises Conflict when that does not end."""

    def again(_: RetryCallState) -> None:
        on_conflict()

    return Retrying(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=_WAIT,
        before_sleep=again,
        reraise=True,
    )(attempt)


def refuse_unreadable(
    entities: EntityStore, settler: Settler, site: str, identifier: str, detail: str, on_conflict: Callable[[], None]
) -> Report:
    """Say of a request that nobody can read it; raises Conflict when others write to its item all the time."""

    def attempt() -> Report:
        before = entities.get(request_key(identifier))
        if progress.is_final(before):
            return Report(End.REPEATED, identifier)
        recorded = None if before is None else entities.get(audit_key(site, before["at"], identifier))
        settler.refuse_unreadable(site, identifier, before, recorded, detail)
        return Report(End.UNREADABLE, identifier, code=progress.UNREADABLE)

    return until_settled(attempt, on_conflict)
