"""What is kept of every request, whatever became of it: who asked for what, when, and how it ended. Pure.

One that goes in steps has its entry from the first of them on, so that nothing is changed of which the audit is silent.

Holds ids and states, and the name of who asked. Must never hold what a request contained, beyond its note.
"""

from collections.abc import Mapping
from typing import Any

from cloud.domain.envelope import Envelope
from cloud.domain.fields import Fields
from cloud.domain.keys import audit as audit_key
from cloud.domain.outcome import Item, Put, Rejected
from cloud.domain.payloads import RequestType
from cloud.domain.progress import UNREADABLE, Status

NOBODY = "unknown"
"""Instead of who asked, where what is stored does not tell."""
DEPLOYMENT = "deployment"
"""Instead of who asked, where nobody did: whoever deploys did it."""


def of_begun(envelope: Envelope, content: Fields) -> Put:
    """The entry of a request of which a part is carried out; how large a part, its status tells."""
    return _entry(envelope, content, {"outcome": Status.PROCESSING.value})


def of_done(envelope: Envelope, content: Fields, finished_at: str, summary: Mapping[str, Any]) -> Put:
    """The entry of a request that was carried out."""
    return _entry(envelope, content, {"outcome": "done", "finished_at": finished_at, "summary": dict(summary)})


def of_rejected(envelope: Envelope, content: Fields, finished_at: str, why: Rejected) -> Put:
    """The entry of one that was not."""
    refusal = {"outcome": "rejected", "finished_at": finished_at, "code": why.code, "detail": why.detail}
    return _entry(envelope, content, refusal)


def of_deployment(site: str, at: str, identifier: str, action: RequestType, summary: Mapping[str, Any]) -> Put:
    """The entry of what was done beside the API, by who has the account: no request tells of it."""
    fields = {
        "id": identifier,
        "site": site,
        "at": at,
        "subject": DEPLOYMENT,
        "name": DEPLOYMENT,
        "action": action.value,
        "outcome": Status.DONE.value,
        "finished_at": at,
        "summary": dict(summary),
    }
    return Put(audit_key(site, at, identifier), fields)


def of_unreadable(before: Item | None, site: str, identifier: str, found_at: str, detail: str) -> Put:
    """The entry of what nobody can read; `before` is the request's item, which may tell who asked."""
    known = before or {}
    at = known.get("at", found_at)
    return Put(
        audit_key(site, at, identifier),
        {
            "id": identifier,
            "request": identifier,
            "site": site,
            "at": at,
            **known.get("operator", {"subject": NOBODY}),
            "action": known.get("type", "request"),
            "outcome": "rejected",
            "finished_at": found_at,
            "code": UNREADABLE,
            "detail": detail,
        },
    )


def _entry(envelope: Envelope, content: Fields, end: Mapping[str, Any]) -> Put:
    note = getattr(content, "note", None)
    fields: dict[str, Any] = {
        "id": envelope.id,
        "request": envelope.id,
        "site": envelope.site,
        "at": envelope.at,
        "subject": envelope.operator.subject,
        "name": envelope.operator.name,
        "action": envelope.type.value,
        **end,
    }
    if note:
        fields["note"] = note
    # By the time when it was asked for, so that a request has one entry however often it is carried out.
    return Put(audit_key(envelope.site, envelope.at, envelope.id), fields)
