"""Takes what came into the bucket of requests to where it is carried out."""

from collections.abc import Callable

from cloud.adapters.entities import EntityStore
from cloud.adapters.request_objects import RequestObjects
from cloud.adapters.topics import Topics
from cloud.contract.errors import ContractError
from cloud.domain.envelope import parse_object_name
from cloud.domain.routes import family
from cloud.requests.ending import End, Report, refuse_unreadable
from cloud.requests.messages import Routed, StoredObject
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

    def route(self, stored: StoredObject) -> Routed | Report:
        """Hand a request on; or say that it is unreadable, in its status and the audit.

        Every exception means that the notification is to be delivered again. An object that is under no request's key
        can have no status: the report is all that says so.
        """
        try:
            envelope, _ = self._objects.read(stored.bucket, stored.key)
        except ContractError as error:
            return self._refuse(stored.key, str(error))
        message = Routed.of(stored, envelope)
        self._topics.publish(family(message.type).value, message.text())
        return message

    def _refuse(self, key: str, detail: str) -> Report:
        named = parse_object_name(key)
        if named is None:
            return Report(End.UNREADABLE, "", code="not_a_request")
        return refuse_unreadable(self._entities, self._settler, *named, detail, self._on_conflict)
