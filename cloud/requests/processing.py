"""Carries out one request, once, however often it is delivered and whoever else is at work."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cloud.adapters.entities import EntityStore
from cloud.adapters.request_objects import RequestObjects
from cloud.contract.errors import ContractError
from cloud.domain import progress
from cloud.domain.envelope import Envelope
from cloud.domain.fields import Fields
from cloud.domain.grants import GRANT_PREFIX, as_permitted, partition
from cloud.domain.keys import request as request_key
from cloud.domain.outcome import Item, Rejected
from cloud.domain.routes import Family, family
from cloud.domain.rules import apply, permitted
from cloud.errors import Conflict, TooLarge
from cloud.requests.deciding import decide
from cloud.requests.messages import MessageError, Routed
from cloud.requests.settling import Settler

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


class ImportsPeople(Protocol):
    """Carries out an import, step by step (cloud.requests.importing)."""

    def run(self, envelope: Envelope, content: Fields, before: Item | None) -> Report:
        """Go on from where the request's item says; raises Conflict when somebody else does so too."""
        ...


class Processor:
    """Carries out the requests of one family.

    Args:
        mine: The family.
        objects: Where requests lie.
        entities: What the rules read.
        settler: Writes what they came to.
        importer: For imports.
        clock: Unix seconds.
        on_conflict: Called each time when somebody else wrote in between.
    """

    def __init__(
        self,
        mine: Family,
        objects: RequestObjects,
        entities: EntityStore,
        settler: Settler,
        importer: ImportsPeople,
        clock: Callable[[], float],
        on_conflict: Callable[[], None] = lambda: None,
    ) -> None:
        self._mine = mine
        self._objects = objects
        self._entities = entities
        self._settler = settler
        self._importer = importer
        self._clock = clock
        self._on_conflict = on_conflict

    def process(self, message: Routed) -> Report:
        """Return once the request has its end; every exception means that it is to be delivered again."""
        if family(message.type) is not self._mine:
            raise MessageError(f"{message.type.value} belongs to {family(message.type).value}, not {self._mine.value}")
        try:
            envelope, content = self._objects.read(message.bucket, message.key)
        except ContractError as error:
            # The router could read it. Perhaps this function is of an older release.
            return self._until_settled(lambda: self._refuse_unreadable(message, str(error)))
        if (envelope.id, envelope.type, envelope.site) != (message.id, message.type, message.site):
            raise MessageError(f"request {message.id}: the stored one is not what the message says")
        return self._until_settled(lambda: self._attempt(envelope, content))

    def _attempt(self, envelope: Envelope, content: Fields) -> Report:
        before = self._entities.get(request_key(envelope.id))
        if progress.is_final(before):
            return Report(End.REPEATED, envelope.id, envelope.type.value)
        envelope = as_permitted(
            envelope, self._entities.query_all(None, partition(envelope.operator.subject), prefix=GRANT_PREFIX)
        )
        if self._mine is Family.IMPORTS and permitted(envelope.type, envelope.operator.roles):
            return self._importer.run(envelope, content, before)
        return self._carry_out(envelope, content, before)

    def _carry_out(self, envelope: Envelope, content: Fields, before: Item | None) -> Report:
        decision = decide(apply(envelope, content, self._clock()), self._entities.get)
        outcome = decision.outcome
        if not isinstance(outcome, Rejected):
            try:
                self._settler.apply(envelope, content, before, outcome, decision.reads)
            except TooLarge as error:
                # It will be as large the next time.
                outcome = Rejected("too_large", f"This changes too much at once: {error}.")
            else:
                return Report(End.DONE, envelope.id, envelope.type.value)
        self._settler.reject(envelope, content, before, outcome, {} if outcome.code == "too_large" else decision.reads)
        return Report(End.REJECTED, envelope.id, envelope.type.value, outcome.code)

    def _refuse_unreadable(self, message: Routed, detail: str) -> Report:
        before = self._entities.get(request_key(message.id))
        if progress.is_final(before):
            return Report(End.REPEATED, message.id, message.type.value)
        self._settler.refuse_unreadable(message.site, message.id, before, detail)
        return Report(End.UNREADABLE, message.id, message.type.value, progress.UNREADABLE)

    def _until_settled(self, attempt: Callable[[], Report]) -> Report:
        return until_settled(attempt, self._on_conflict)


def until_settled(attempt: Callable[[], Report], on_conflict: Callable[[], None]) -> Report:
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
