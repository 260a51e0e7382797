"""The readings of what happened: events, requests, the audit. Reading what is recorded of people is recorded first."""

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from cloud.api import answers, record_answers
from cloud.api.call import Call, Operation
from cloud.api.problems import Problem
from cloud.api.route import ALL_REQUESTS
from cloud.contract.errors import ContractError
from cloud.domain import keys, progress
from cloud.domain.envelope import object_name, read_envelope
from cloud.domain.intake import used_by
from cloud.domain.keys import LISTING_INDEX, OWNER_INDEX
from cloud.domain.outcome import Item

_EARLIEST: Final = "0000-01-01T00:00:00Z"
_LATEST: Final = "9999-12-31T23:59:59Z"


def list_door_events(call: Call) -> answers.Answer:
    """What happened at a door, newest first."""
    door = call.names["door"]
    call.found(keys.place(call.site, "door", door))
    return _events(call, None, keys.event(call.site, door, "", "", 0, 0)[0])


def list_usage(call: Call) -> answers.Answer:
    """What a person did at doors, newest first. Who reads it is recorded before anything is told."""
    person = call.names["person"]
    call.found(keys.person(call.site, person))
    _record(call, "usage.read", person=person)
    return _events(call, OWNER_INDEX, used_by(call.site, person))


def list_requests(call: Call) -> answers.Answer:
    """What was asked for, newest first."""
    items, following = call.page(LISTING_INDEX, f"REQUESTS#{call.site}", forward=False)
    return answers.Page[record_answers.Request](items=[_request(item) for item in items], next=following)


def get_request(call: Call) -> answers.Answer:
    """How far a request has come. Others' requests are unknown to those who may not see them."""
    item = call.backend.entities.get(keys.request(call.names["request"])) or _stored(call)
    if item is None or item["site"] != call.site:
        raise Problem("request-unknown")
    own = item.get("operator", {}).get("subject") == call.caller.subject
    if not own and not call.roles & ALL_REQUESTS:
        raise Problem("request-unknown")
    return _request(item)


def list_audit(call: Call) -> answers.Answer:
    """Who did and read what in a month, newest first. That this is read is recorded before anything is told."""
    month = call.query.get("month", call.at[:7])
    _record(call, "audit.read", month=month)
    items, following = call.page(None, keys.audit(call.site, month, "")[0], forward=False)
    entries = [record_answers.AuditEntry(**item) for item in items]
    return answers.Page[record_answers.AuditEntry](items=entries, next=following)


def _events(call: Call, index: str | None, partition: str) -> answers.Answer:
    first, last = call.query.get("from", _EARLIEST), call.query.get("to", _LATEST)
    if first >= last:
        raise Problem("parameter-invalid", "`to` is not after `from`.")
    # An event has milliseconds where these have their Z: its key is longer than the second that it lies in, so it
    # sorts behind the second's own text.
    between = (f"EVENT#{first[:-1]}", f"EVENT#{last[:-1]}")
    items, following = call.page(index, partition, between=between, forward=False)
    return answers.Page[record_answers.Event](items=[_event(item) for item in items], next=following)


def _event(item: Item) -> record_answers.Event:
    """An event as its device sent it, with when it came."""
    return record_answers.Event(
        **{**json.loads(item["event"]), "arrived_at": item["arrived_at"], "delay": item["delay"]}
    )


def _stored(call: Call) -> Item | None:
    """A request whose status was not put, because the change was cut short after storing it."""
    data = call.backend.requests.get(object_name(call.site, call.names["request"]))
    if data is None:
        return None
    try:
        return progress.accepted(read_envelope(data)).fields
    except ContractError:
        # Somebody put it there beside the API. The router says so in its status.
        return None


def _request(item: Item) -> record_answers.Request:
    return record_answers.Request(**{**item, "request": item["id"]})


def _record(call: Call, action: str, **what: Any) -> None:
    """Put an entry of the audit; raises when that can't be done, and then nothing is told."""
    identifier = str(uuid.uuid4())
    entry: Mapping[str, Any] = {
        "id": identifier,
        "site": call.site,
        "at": call.at,
        "subject": call.caller.subject,
        "name": call.caller.name,
        "action": action,
        "outcome": "read",
        "exchange": call.request,
        **what,
    }
    if not call.backend.new_items.put(keys.audit(call.site, call.at, identifier), entry):
        raise Problem("unavailable")


OPERATIONS: Final[Mapping[str, Operation]] = {
    "listDoorEvents": list_door_events,
    "listUsage": list_usage,
    "listRequests": list_requests,
    "getRequest": get_request,
    "listAudit": list_audit,
}
