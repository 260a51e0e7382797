"""Carries out one request, once, however often it is delivered and whoever else is at work."""

from collections.abc import Callable

from cloud.adapters.entities import EntityStore
from cloud.adapters.request_objects import RequestObjects
from cloud.contract.errors import ContractError, UnknownVersionError
from cloud.domain import progress
from cloud.domain.envelope import Envelope
from cloud.domain.fields import Fields
from cloud.domain.grants import GRANT_PREFIX, as_permitted, partition
from cloud.domain.keys import request as request_key
from cloud.domain.keys import site as site_key
from cloud.domain.outcome import Rejected
from cloud.domain.payloads import ImportPeople
from cloud.domain.routes import Family, family
from cloud.domain.rules import apply
from cloud.requests import rights
from cloud.requests.deciding import decide
from cloud.requests.ending import End, Report, refuse_unreadable, until_settled
from cloud.requests.importing import Importer
from cloud.requests.messages import MessageError, Routed
from cloud.requests.settling import Settler


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
        importer: Importer,
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
        except UnknownVersionError as error:
            # The router knew it: this function is of an older release, and soon is not any more.
            raise MessageError(f"request {message.id}: {error}") from error
        except ContractError as error:
            return self._refuse(message, str(error))
        if (envelope.id, envelope.type, envelope.site) != (message.id, message.type, message.site):
            raise MessageError(f"request {message.id}: the stored one is not what the message says")
        return self.carry_out(envelope, content)

    def carry_out(self, envelope: Envelope, content: Fields) -> Report:
        """As `process`, for a request that was read and checked."""
        # Read once, although what held at an earlier time may still change: the end of a role that was asked for before
        # this request may be carried out after it. No second look would see it either, if that comes later still.
        grants = self._entities.query_all(None, partition(envelope.operator.subject), prefix=GRANT_PREFIX)
        envelope = as_permitted(envelope, grants)
        if isinstance(content, ImportPeople):
            return self._importer.run(envelope, content)
        return until_settled(lambda: self._settle(envelope, content), self._on_conflict)

    def _settle(self, envelope: Envelope, content: Fields) -> Report:
        before = self._entities.get(request_key(envelope.id))
        if progress.is_final(before):
            return Report(End.REPEATED, envelope.id, envelope.type.value)
        decision = decide(apply(envelope, content, self._clock()), self._entities.get)
        outcome = decision.outcome
        if not isinstance(outcome, Rejected) and rights.concerns(outcome.changes):
            places = self._entities.query_all(None, site_key(envelope.site)[0])
            outcome = rights.refusal(places, outcome.changes) or outcome
        if isinstance(outcome, Rejected):
            self._settler.reject(envelope, content, before, outcome, decision.reads)
            return Report(End.REJECTED, envelope.id, envelope.type.value, outcome.code)
        self._settler.apply(envelope, content, before, outcome, decision.reads)
        return Report(End.DONE, envelope.id, envelope.type.value)

    def _refuse(self, message: Routed, detail: str) -> Report:
        return refuse_unreadable(self._entities, self._settler, message.site, message.id, detail, self._on_conflict)
