"""What the queues hold: notifications of the bucket, and requests on their way to a processor. Pure.

Both come wrapped by the topic that the queue is subscribed to. Anything else in a queue of ours is a fault of ours or
an attack: MessageError, so that the message ends in the dead-letter queue, where a human sees it.
"""

from typing import TypeVar
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud.contract.canonical import canonical_bytes
from cloud.domain.envelope import Envelope
from cloud.domain.fields import Fields, Id
from cloud.domain.payloads import RequestType
from cloud.errors import CloudError

M = TypeVar("M", bound=BaseModel)


class MessageError(CloudError):
    """A message is not one of those that this queue is for."""


class _Theirs(BaseModel):
    """What a service sends: it may add fields at any time."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Wrapped(_Theirs):
    message: str = Field(alias="Message")


class _Bucket(_Theirs):
    name: str


class _Object(_Theirs):
    key: str


class _Location(_Theirs):
    bucket: _Bucket
    object: _Object


class _Notification(_Theirs):
    s3: _Location


class _Notifications(_Theirs):
    records: list[_Notification] | None = Field(default=None, alias="Records")
    event: str | None = Field(default=None, alias="Event")


class StoredObject(Fields):
    """An object that came into the bucket of requests."""

    bucket: str
    key: str


class Routed(Fields):
    """A request on its way to the processor of its family."""

    bucket: str
    key: str
    id: Id
    type: RequestType = Field(strict=False)
    site: Id

    @classmethod
    def of(cls, stored: StoredObject, envelope: Envelope) -> "Routed":
        """The message about a request that was read."""
        return cls(bucket=stored.bucket, key=stored.key, id=envelope.id, type=envelope.type, site=envelope.site)

    def text(self) -> str:
        """As it is published."""
        return canonical_bytes(self.model_dump(mode="json")).decode()


def stored_objects(body: str) -> list[StoredObject]:
    """The objects that a message of the bucket tells of; none for the test that the bucket sends when it is set up."""
    notifications = _parsed(_Notifications, _parsed(_Wrapped, body).message)
    if notifications.records is None:
        if notifications.event != "s3:TestEvent":
            raise MessageError("neither notifications of a bucket nor its test")
        return []
    # Keys come as in the address of a form: a space is a plus.
    return [
        StoredObject(bucket=record.s3.bucket.name, key=unquote_plus(record.s3.object.key))
        for record in notifications.records
    ]


def routed(body: str) -> Routed:
    """The request that a message of a family's topic is about."""
    return _parsed(Routed, _parsed(_Wrapped, body).message)


def _parsed(model: type[M], text: str) -> M:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        # Not what it held: that may be anything.
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise MessageError(f"{model.__name__.strip('_')}: malformed at {place or 'its start'}") from None
