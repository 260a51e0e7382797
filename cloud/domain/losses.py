"""What a device says of events that it lost, pure. Must never explain more than it said.

The bound is MAX_EXPLAINED ranges. When there are more, the lowest go, and their holes are then reported as if nobody
had explained them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from cloud.contract.checks import is_whole
from cloud.contract.events import Event, EventType

MAX_EXPLAINED: Final = 64
Part = tuple[int, int]
"""First and last of consecutive places."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What the device itself said is lost. It may say so in a later epoch."""

    epoch: int
    first: int
    last: int


def explained_by(event: Event) -> Explained | None:
    """The loss that an event tells of.

    None too for a loss in memory, which is told by times: those events never got a place, so they leave no hole.
    """
    if event.type is not EventType.JOURNAL_GAP or event.detail is None:
        return None
    epoch, first, last = (event.detail.get(name) for name in ("epoch", "first", "last"))
    if not (_is_place(epoch) and _is_place(first) and _is_place(last)):
        return None
    return Explained(epoch, first, last) if first <= last else None


def united(losses: Iterable[Explained]) -> tuple[Explained, ...]:
    """The same losses without overlaps, lowest first, cut to what is kept."""
    found: list[Explained] = []
    for loss in sorted(losses, key=lambda loss: (loss.epoch, loss.first)):
        if found and found[-1].epoch == loss.epoch and loss.first <= found[-1].last + 1:
            found[-1] = replace(found[-1], last=max(found[-1].last, loss.last))
        else:
            found.append(loss)
    return tuple(found[-MAX_EXPLAINED:])


def without(part: Part, losses: Iterable[Explained]) -> list[Part]:
    """What is left of a part, lowest first, after losses of its epoch."""
    left: list[Part] = []
    at, last = part
    for loss in sorted(losses, key=_first):
        if loss.first > at:
            left.append((at, min(last, loss.first - 1)))
        at = max(at, loss.last + 1)
        if at > last:
            return left
    return [*left, (at, last)]


class Explanations:
    """All that one device said of its losses, by epoch: made once, so that each hole only meets those of its own.

    Args:
        losses: What it named.
        lost_before: What is missing of the epochs below this one is known to be lost.
    """

    def __init__(self, losses: Iterable[Explained], lost_before: int) -> None:
        self._lost_before = lost_before
        self._by_epoch: dict[int, list[Explained]] = {}
        for loss in sorted(losses, key=_first):
            self._by_epoch.setdefault(loss.epoch, []).append(loss)

    def left_of(self, epoch: int, part: Part) -> list[Part]:
        """What of a part of this epoch nobody explains, lowest first."""
        return [] if epoch < self._lost_before else without(part, self._by_epoch.get(epoch, ()))


def _first(loss: Explained) -> int:
    return loss.first


def _is_place(value: object) -> TypeGuard[int]:
    return is_whole(value, least=1)
