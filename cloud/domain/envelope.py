"""A request as it is stored, for good: who asked for what, when, and in which words."""

from __future__ import annotations

import re
import uuid
from typing import Annotated, Any, Final

from pydantic import StringConstraints, ValidationError

from cloud.contract.canonical import canonical_bytes, parse_json, sha256_hex
from cloud.contract.checks import ID, check_version
from cloud.contract.errors import ContractError
from cloud.domain.fields import Fields, Id, Name
from cloud.domain.payloads import PAYLOADS, RequestType

REQUEST_VERSION: Final = 1
MAX_REQUEST_BYTES: Final = 5 << 20
"""Of the stored object; a function is handed 6 MB at most."""
_NAMESPACE: Final = uuid.UUID("4f0b6c0e-6f55-5d0c-9a6e-0d6a2f8f5b3e")
_PREFIX: Final = "requests"
_OBJECT_NAME: Final = re.compile(rf"{_PREFIX}/({ID.pattern})/({ID.pattern})\.json")


class Operator(Fields):
    """Who asked, as the identity provider named them at that moment."""

    subject: Id
    name: Name
    roles: list[str]
    """The roles that held then."""


class Envelope(Fields):
    """A request with its payload still unread."""

    v: int
    id: Id
    type: RequestType
    site: Id
    at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    operator: Operator
    payload: dict[str, Any]

    def body_sha256(self) -> str:
        """What tells one request from another under the same idempotency key."""
        return sha256_hex(canonical_bytes({"type": self.type.value, "payload": self.payload}))

    def content(self) -> Fields:
        """The payload, read and checked; raises ContractError that names the field."""
        return read_payload(self.type, self.payload)

    def to_bytes(self) -> bytes:
        """The bytes of the stored object."""
        return canonical_bytes(self.model_dump(mode="json"))


def request_id(site: str, subject: str, idempotency_key: str) -> str:
    """The same key of the same person at the same site is the same request."""
    return str(uuid.uuid5(_NAMESPACE, f"{site}/{subject}/{idempotency_key}"))


def object_name(site: str, identifier: str) -> str:
    """Key of a request in its bucket."""
    return f"{_PREFIX}/{site}/{identifier}.json"


def parse_object_name(name: str) -> tuple[str, str] | None:
    """Site and id of a request from its key: the inverse of `object_name`; None for any other key."""
    parts = _OBJECT_NAME.fullmatch(name)
    return None if parts is None else (parts[1], parts[2])


def read_envelope(data: bytes) -> Envelope:
    """Read a stored request; raises ContractError for anything else, UnknownVersionError for another `v`."""
    if len(data) > MAX_REQUEST_BYTES:
        raise ContractError(f"request: {len(data)} bytes, {MAX_REQUEST_BYTES} fit")
    document = parse_json(data, "request")
    if not isinstance(document, dict):
        raise ContractError("request: not a JSON object")
    check_version(document, REQUEST_VERSION, "request")
    try:
        return Envelope.model_validate_json(data)
    except ValidationError as error:
        raise ContractError(f"request: {explained(error)}") from None


def read_payload(kind: RequestType, payload: Any) -> Fields:
    """Read what a request of this type holds; raises ContractError that names the field."""
    try:
        return PAYLOADS[kind].model_validate(payload)
    except ValidationError as error:
        raise ContractError(f"{kind.value}: {explained(error)}") from None


def explained(error: ValidationError) -> str:
    """The first thing that is wrong and where; never what was there, which may be a card's number."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole"
    return f"{place}: {first['msg']}"
