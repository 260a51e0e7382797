"""How far a request has come, as the item that whoever asked can read: pure functions from one state to the next.

accepted -> (processing ->) done | rejected. An end is final: what is done or rejected is never touched again, so that a
request that is delivered twice has one effect.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from cloud.contract.allowlist import Head
from cloud.domain.envelope import Envelope
from cloud.domain.keys import request as request_key
from cloud.domain.outcome import Item, Put

MAX_PROBLEMS: Final = 200
"""Problems of an import that are kept with it, with line and column; more are only counted. They are written again with
each step of the import, and an item is paid by the kilobyte."""


UNREADABLE: Final = "unreadable"
"""Code of what is stored and is no request that this release understands."""


class Status(StrEnum):
    """Where a request is."""

    ACCEPTED = "accepted"
    PROCESSING = "processing"
    """Some of an import is applied."""
    DONE = "done"
    REJECTED = "rejected"


def is_final(item: Item | None) -> bool:
    """Whether a request's item says that nothing more will happen."""
    return item is not None and item["status"] in (Status.DONE, Status.REJECTED)


def accepted(envelope: Envelope) -> Put:
    """A request is stored and will be carried out."""
    return _put(envelope.id, {**_asked(envelope), "status": Status.ACCEPTED.value})


def processing(
    before: Item | None,
    envelope: Envelope,
    *,
    done: int,
    of: int,
    problems: Sequence[Mapping[str, Any]],
    head: Head | None,
) -> Put:
    """So many of the rows of an import are behind us; `problems` are those of this step, `head` is its list."""
    fields = {
        **_kept(before, envelope),
        "status": Status.PROCESSING.value,
        "progress": {"done": done, "of": of},
        **_with_problems(before, problems),
        **_listed(head),
    }
    return _put(envelope.id, fields)


def done(
    before: Item | None,
    envelope: Envelope,
    at: str,
    *,
    summary: Mapping[str, Any],
    head: Head | None,
    problems: Sequence[Mapping[str, Any]] = (),
) -> Put:
    """It is done; `head` is the list that tells the doors, None when they need not know (or know already)."""
    fields = {
        **_kept(before, envelope),
        "status": Status.DONE.value,
        "finished_at": at,
        "summary": dict(summary),
        **_with_problems(before, problems),
        **_listed(head),
    }
    return _put(envelope.id, fields)


def rejected(
    before: Item | None,
    envelope: Envelope,
    at: str,
    code: str,
    detail: str,
    problems: Sequence[Mapping[str, Any]] = (),
) -> Put:
    """It can't be done; `code` and `detail` say why."""
    fields = {**_kept(before, envelope), **_refusal(at, code, detail), **_with_problems(before, problems)}
    return _put(envelope.id, fields)


def unreadable(before: Item | None, site: str, identifier: str, at: str, detail: str) -> Put:
    """What is stored under this id is no request that this release understands."""
    found: dict[str, Any] = {"id": identifier, "site": site, "at": at} if before is None else _own(before)
    found.setdefault("g2pk", f"REQUESTS#{site}")
    found.setdefault("g2sk", f"{found['at']}#{identifier}")
    return _put(identifier, {**found, **_refusal(at, UNREADABLE, detail)})


def rows_behind(item: Item | None) -> int:
    """How many rows of an import are applied or found to be wrong; 0 before its first step."""
    return 0 if item is None or "progress" not in item else int(item["progress"]["done"])


def problem_count(item: Item | None) -> int:
    """How many rows of an import are found to be wrong."""
    return 0 if item is None else int(item.get("problem_count", 0))


def _put(identifier: str, fields: Mapping[str, Any]) -> Put:
    return Put(request_key(identifier), fields)


def _with_problems(before: Item | None, problems: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is wrong with rows: that of before and this, the first of them in words."""
    known = list((before or {}).get("problems", ()))
    count = problem_count(before) + len(problems)
    if not count:
        return {}
    return {"problems": [*known, *(dict(problem) for problem in problems)][:MAX_PROBLEMS], "problem_count": count}


def _listed(head: Head | None) -> dict[str, Any]:
    return {} if head is None else {"list": {"epoch": head.epoch, "version": head.version}}


def _asked(envelope: Envelope) -> dict[str, Any]:
    return {
        "id": envelope.id,
        "type": envelope.type.value,
        "site": envelope.site,
        "at": envelope.at,
        "operator": {"subject": envelope.operator.subject, "name": envelope.operator.name},
        "g2pk": f"REQUESTS#{envelope.site}",
        "g2sk": f"{envelope.at}#{envelope.id}",
    }


def _kept(before: Item | None, envelope: Envelope) -> dict[str, Any]:
    # The stored request is what counts: its item may be missing (the API died in between).
    return {**_own(before or {}), **_asked(envelope)}


def _own(item: Item) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in ("pk", "sk", "v", "rev", "uses")}


def _refusal(at: str, code: str, detail: str) -> dict[str, Any]:
    return {"status": Status.REJECTED.value, "finished_at": at, "code": code, "detail": detail}
