"""Changes: checked, stored as requests for good, and answered with where to read what became of them.

Nothing is changed here. A request is stored once under its idempotency key; whatever is cut short afterwards is made
up for when the same request comes again, or when its status is read.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from cloud.api.bodies import checked, max_bytes, merged, read_body, refuse_body
from cloud.api.call import Call
from cloud.api.problems import Problem
from cloud.api.record_answers import Accepted
from cloud.api.uids import holds_numbers, without_numbers
from cloud.contract.errors import ContractError
from cloud.domain import progress
from cloud.domain.envelope import (
    MAX_REQUEST_BYTES,
    REQUEST_VERSION,
    Envelope,
    Operator,
    object_name,
    read_envelope,
    request_id,
)
from cloud.domain.payloads import RequestType

KEY_PATTERN: Final = "[A-Za-z0-9_.:-]{1,64}"
"""Of an Idempotency-Key."""
_KEY: Final = re.compile(KEY_PATTERN)


def accept(call: Call) -> Accepted:
    """Store what is asked for; raises Problem."""
    kind = call.route.change
    if kind is None:
        raise TypeError(f"{call.route.operation} is no change")
    key = _idempotency_key(call.event)
    envelope = Envelope(
        v=REQUEST_VERSION,
        id=request_id(call.site, call.caller.subject, key),
        type=kind,
        site=call.site,
        at=call.at,
        operator=Operator(
            subject=call.caller.subject, name=call.caller.name, roles=sorted(role.value for role in call.roles)
        ),
        payload=_payload(call, kind),
    )
    data = envelope.to_bytes()
    if len(data) > MAX_REQUEST_BYTES:
        raise Problem("body-too-large")
    if call.backend.requests.put_new(object_name(envelope.site, envelope.id), data):
        return _accepted(call, envelope, replayed=False)
    return _replayed(call, envelope)


def href(site: str, request: str) -> str:
    """Where to read how far a request has come."""
    return f"/v1/sites/{site}/requests/{request}"


def _replayed(call: Call, envelope: Envelope) -> Accepted:
    """The answer to a request that is stored already, or the refusal of another one under its key."""
    stored = call.backend.requests.get(object_name(envelope.site, envelope.id))
    if stored is None:
        # It was there a moment ago, and nobody deletes requests.
        raise Problem("unavailable")
    try:
        earlier = read_envelope(stored)
    except ContractError:
        # Not put there by us, and not what is asked for now.
        raise Problem("idempotency-key-reused") from None
    if earlier.body_sha256() != envelope.body_sha256():
        raise Problem("idempotency-key-reused")
    return _accepted(call, earlier, replayed=True)


def _accepted(call: Call, envelope: Envelope, *, replayed: bool) -> Accepted:
    """The answer; its status is put if nobody has yet: after a first time that was cut short, too."""
    put = progress.accepted(envelope)
    status = progress.Status.ACCEPTED.value
    if not call.backend.new_items.put(put.key, put.fields):
        status = call.found(put.key)["status"]
    return Accepted(
        request=envelope.id,
        type=envelope.type,
        status=status,
        href=href(envelope.site, envelope.id),
        replayed=replayed,
    )


def _payload(call: Call, kind: RequestType) -> dict[str, Any]:
    """What is stored: the fields that were given, in the one form that equal requests have in common."""
    if call.route.takes_body:
        body = read_body(call.event, max_bytes(kind))
    else:
        refuse_body(call.event)
        body = {}
    body = merged(body, {field: call.names[name] for name, field in call.route.bound.items()})
    if holds_numbers(kind, body):
        body = without_numbers(kind, body, call.backend.card_hash_key(call.site))
    return checked(kind, body).model_dump(mode="json", exclude_unset=True)


def _idempotency_key(event: Mapping[str, Any]) -> str:
    key = str((event.get("headers") or {}).get("idempotency-key", ""))
    if not _KEY.fullmatch(key):
        raise Problem("idempotency-key-invalid", "It takes 1 to 64 of A-Z, a-z, 0-9 and _ . : -")
    return key
