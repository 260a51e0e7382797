"""What a door does about the list that its site offers: nothing, take deltas, take the snapshot, or refuse. Pure."""

from dataclasses import dataclass
from typing import Final

from cloud.contract.allowlist import Delta, Head
from cloud.contract.reasons import Reason

MOST_DELTAS: Final = 200
"""Further behind than this, one snapshot is cheaper than the deltas."""
_SHRINK_PART: Final = 5
"""More than one card in so many may only go if the change is signed as meant."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The newest list is held."""


@dataclass(frozen=True, slots=True)
class TakeDeltas:
    """Apply the deltas after < version <= upto, of the epoch that is held."""

    after: int
    upto: int


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Replace the list by the head's snapshot, then plan again: deltas may follow it."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Keep the list that is held, and say why."""

    reason: Reason


Plan = Nothing | TakeDeltas | TakeSnapshot | Refuse


def plan(position: tuple[int, int] | None, head: Head) -> Plan:
    """How to get from the position held, (epoch, version), to the head; None: nothing is held."""
    if not (1 <= head.snapshot_version <= head.version and 1 <= head.oldest_delta <= head.version + 1):
        return Refuse(Reason.MALFORMED)
    if position is None or head.epoch > position[0]:
        return TakeSnapshot()
    epoch, version = position
    if head.epoch < epoch or head.version < version:
        return Refuse(Reason.ROLLBACK)
    if head.version == version:
        return Nothing()
    newer_snapshot = head.snapshot_version > version
    if head.oldest_delta > version + 1:
        # Neither deltas nor a snapshot lead on from here: the publisher broke its own rule.
        return TakeSnapshot() if newer_snapshot else Refuse(Reason.MALFORMED)
    if newer_snapshot and head.version - version > MOST_DELTAS:
        return TakeSnapshot()
    return TakeDeltas(version, head.version)


def check_delta(position: tuple[int, int], delta: Delta) -> Reason | None:
    """Why this delta must not be applied to the position held; None when it is the next one."""
    epoch, version = position
    if delta.epoch < epoch or (delta.epoch == epoch and delta.version <= version):
        return Reason.ROLLBACK
    if delta.epoch != epoch or delta.prev_version != version:
        return Reason.MALFORMED
    return None


def check_snapshot(position: tuple[int, int] | None, epoch: int, version: int) -> Reason | None:
    """Why a snapshot of this epoch and version must not replace the position held; None when it is newer."""
    return Reason.ROLLBACK if position is not None and (epoch, version) <= position else None


def shrinks_too_much(removed: int, held: int, *, allow_shrink: bool) -> bool:
    """Whether a change that takes `removed` of `held` cards away looks like an accident: more than a fifth."""
    return not allow_shrink and removed * _SHRINK_PART > held
