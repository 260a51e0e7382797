"""A change from being asked for to its end. The service takes it at once and carries it out a moment later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.office.api import Api, Document
from agent.office.errors import Refused, Rejected, Unfinished
from agent.printable import one_line

_FIRST_POLL_S: Final = 0.15
_MOST_POLL_S: Final = 2.0
_NOT_THERE_YET: Final = "request-unknown"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the end of a change is waited for."""

    limit_s: float
    """Since something last happened: an import goes on for as long as it makes progress."""
    now_s: Callable[[], float]
    """Monotonic."""
    sleep: Callable[[float], None]


def follow(
    api: Api, accepted: Document, patience: Patience, on_progress: Callable[[int, int], None] | None = None
) -> Document:
    """The request's document once it is done; raises Rejected, Unfinished, and what the API raises.

    `on_progress` is told how many parts of how many are done.
    """
    identifier = str(accepted["request"])
    seen: Document = dict(accepted)
    last, since, pause = _state(seen), patience.now_s(), _FIRST_POLL_S
    while True:
        seen = _look(api, identifier) or seen
        status = seen.get("status")
        if status == "done":
            return seen
        if status == "rejected":
            raise Rejected(rejection_text(seen), seen)
        if _state(seen) != last:
            last, since, pause = _state(seen), patience.now_s(), _FIRST_POLL_S
            progress = seen.get("progress")
            if isinstance(progress, Mapping) and on_progress is not None:
                on_progress(int(progress.get("done", 0)), int(progress.get("of", 0)))
        if patience.now_s() - since >= patience.limit_s:
            raise Unfinished(
                f"request {identifier} is {status} and nothing happened for {patience.limit_s:.0f} s; "
                f"`cardea requests show {identifier}` tells how it ends",
                seen,
            )
        patience.sleep(pause)
        pause = min(pause * 1.5, _MOST_POLL_S)


def rejection_text(request: Mapping[str, Any]) -> str:
    """Why a request was rejected, in one line: its code and its words."""
    return one_line(f"rejected: {request.get('code')}: {request.get('detail')}", 600)


def _look(api: Api, identifier: str) -> Document | None:
    try:
        return api.get("requests", identifier)
    except Refused as refused:
        # It is stored before its status is: for a moment there may be nothing to see.
        if refused.kind == _NOT_THERE_YET:
            return None
        raise


def _state(request: Mapping[str, Any]) -> tuple[object, object]:
    return request.get("status"), str(request.get("progress"))
