"""Takes what came into the bucket of requests to where it is carried out."""

from collections.abc import Callable

from cloud.adapters.entities import EntityStore
from cloud.adapters.request_objects import RequestObjects
from cloud.adapters.topics import Topics
from cloud.contract.errors import ContractError
from cloud.domain import progress
from cloud.domain.envelope import parse_object_name
from cloud.domain.keys import request as request_key
from cloud.domain.routes import family
from cloud.requests.messages import Routed, StoredObject
from cloud.requests.processing import End, Report, until_settled
from cloud.requests.settling import Settler


class Router:
    """Routes by type. What can't be read ends here: it would be no more readable anywhere else."""

    def __init__(
        self,
        objects: RequestObjects,
        topics: Topics,
        entities: EntityStore,
        settler: Settler,
        on_conflict: Callable[[], None] = lambda: None,
    ) -> None:
        self._objects = objects
        self._topics = topics
        self._entities = entities
        self._settler = settler
        self._on_conflict = on_conflict

    def route(self, stored: StoredObject) -> Report | None:
        """Hand a request on (None); or say that it is unreadable, in its status and the audit.

        Every exception means that the notification is to be delivered again. An object that is under no request's key
        can have no status: the report is all that says so.
        """
        try:
            envelope, _ = self._objects.read(stored.bucket, stored.key)
        except ContractError as error:
            return self._refuse(stored.key, str(error))
        self._topics.publish(family(envelope.type).value, Routed.of(stored, envelope).text())
        return None

    def _refuse(self, key: str, detail: str) -> Report:
        named = parse_object_name(key)
        if named is None:
            return Report(End.UNREADABLE, "", code="not_a_request")
        site, identifier = named

        def attempt() -> Report:
            before = self._entities.get(request_key(identifier))
            if progress.is_final(before):
                return Report(End.REPEATED, identifier)
            self._settler.refuse_unreadable(site, identifier, before, detail)
            return Report(End.UNREADABLE, identifier, code=progress.UNREADABLE)

        return until_settled(attempt, self._on_conflict)
