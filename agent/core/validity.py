"""When something holds: validity bounds against a moment, whether or not the door knows the time. Must never guess.

One rule for cards, persons and memberships: from <= now < until. Without a known time the door's clock policy says
what becomes of those that have bounds.
"""

from dataclasses import dataclass
from typing import Protocol

from agent.core.model import ClockPolicy
from agent.core.schedule import LAST_S
from cloud.contract.itemcodec import instant_text
from cloud.contract.reasons import Reason


class Bounded(Protocol):
    """What holds for a time; Unix seconds, None without such a bound."""

    @property
    def valid_from(self) -> int | None:
        """The first second at which it holds."""

    @property
    def valid_until(self) -> int | None:
        """The first second at which it holds no more."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a decision is made, and what stands in for the time where it is not known."""

    at_s: float | None
    """Unix seconds; None: no known time."""
    clock: ClockPolicy
    """What the door does then."""
    issued_s: int
    """When the list was published: the time is at least this."""


def denies(bounds: Bounded, moment: Moment) -> Reason | None:
    """Why something with these bounds does not hold at a moment; None when it does.

    `CLOCK_UNKNOWN`, `NOT_YET_VALID` or `EXPIRED`. A start that never comes before its end is not yet valid until then.
    """
    since, until = bounds.valid_from, bounds.valid_until
    if moment.at_s is None:
        if moment.clock is not ClockPolicy.IGNORE_SCHEDULES:
            return None if since is None and until is None else Reason.CLOCK_UNKNOWN
        return Reason.EXPIRED if until is not None and until <= moment.issued_s else None
    if since is not None and moment.at_s < since:
        return Reason.NOT_YET_VALID
    return Reason.EXPIRED if until is not None and moment.at_s >= until else None


def denial_words(what: str, bounds: Bounded, reason: Reason, moment: Moment) -> str:
    """What `denies` found, for people: `the card was valid until 2026-03-01T08:00:00Z`."""
    if reason is Reason.CLOCK_UNKNOWN:
        return f"{what} has a validity, and this door does not know the time"
    if reason is Reason.NOT_YET_VALID:
        return f"{what} is valid from {_instant(bounds.valid_from)}"
    over = f"{what} was valid until {_instant(bounds.valid_until)}"
    return over if moment.at_s is not None else f"{over}, and the list was published at {_instant(moment.issued_s)}"


def _instant(unix_s: int | None) -> str:
    # Bounds come from the wire, where they fit; a caller's own may not, and a text must not stop a decision.
    return instant_text(unix_s) if unix_s is not None and 0 <= unix_s < LAST_S else f"{unix_s} s"
