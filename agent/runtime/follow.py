"""Brings the door's list from what it holds to what the site's head says, one checked version at a time.

What is not signed, not newer or looks like an accident is refused, told once, and the list that is held stays.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

import structlog

from agent.core.allowlist import (
    Nothing,
    Refuse,
    TakeDeltas,
    TakeSnapshot,
    check_delta,
    check_snapshot,
    plan,
    shrinks_too_much,
)
from agent.ports import AllowListStore, Applied, ListSource
from cloud.contract.allowlist import Delta, Head, Snapshot
from cloud.contract.errors import (
    ContractError,
    HashMismatchError,
    SignatureInvalidError,
    UnknownVersionError,
    WrongSiteError,
)
from cloud.contract.reasons import Reason

log = structlog.get_logger(__name__)

T = TypeVar("T")

LONGEST_HOLD_S: Final = 3600.0
"""A refused list is fetched again at growing intervals up to this one: a damaged object may be put right, but a
door on a metered link must not fetch the same bad snapshot twice a minute."""
_MAX_TOLD: Final = 64
"""Refusals that are remembered as told; past that the oldest may be told again."""

_REASONS: Final = (
    (SignatureInvalidError, Reason.BAD_SIGNATURE),
    (UnknownVersionError, Reason.UNKNOWN_VERSION),
    (HashMismatchError, Reason.BAD_HASH),
    (WrongSiteError, Reason.WRONG_SITE),
)


class Ask(Protocol):
    """Makes a blocking call of the source on behalf of the worker; raises what the call raises, and Stopped."""

    def __call__(self, function: Callable[[], T], /) -> T:
        """What `function` returns."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is posted, from the sync thread; each must only enqueue."""

    applied: Callable[[Applied], None]
    """A version is in use; once for each version."""
    refused: Callable[[Reason, str, int, int], None]
    """Reason, detail, epoch and version of what was offered; 0 and 0 for a head that can't be read."""
    confirmed: Callable[[], None]
    """The head was just read and is what the door holds."""


@dataclass(frozen=True, slots=True)
class _Hold:
    """A head whose list was refused, and when to fetch it again."""

    head: Head
    wait_s: float
    until_s: float


class _Refused(Exception):  # noqa: N818 - an outcome, not an error
    """What was offered is not taken; ends the step that found it."""

    def __init__(self, reason: Reason, detail: str, epoch: int, version: int) -> None:
        self.reason, self.detail, self.epoch, self.version = reason, detail, epoch, version
        super().__init__(detail)


class Follower:
    """Owned by the sync thread, as is the store.

    Args:
        source: Where lists come from.
        store: Where they go.
        told: What is posted.
        hold_s: How long a refused list is not fetched again, the first time; doubles up to LONGEST_HOLD_S.
    """

    def __init__(self, source: ListSource, store: AllowListStore, told: Told, *, hold_s: float) -> None:
        self._source = source
        self._store = store
        self._told = told
        self._hold_s = hold_s
        self._hold: _Hold | None = None
        self._refusals: dict[tuple[Reason, int, int], None] = {}
        self.applied = 0
        """Versions applied since the start: progress, for whoever decides how long to wait."""
        self.refusing = False
        """Whether the newest offer was refused."""

    def follow(self, ask: Ask) -> None:
        """Read the head and do what follows from it; raises Transient, Permanent, StorageError."""
        applied = self.applied
        try:
            head = ask(self._source.head)
        except ContractError as error:
            self._refuse(_Refused(_reason(error), str(error), 0, 0))
            return
        if head is None or self._is_held_back(head):
            return
        try:
            while self._step(head, ask):
                pass
        except _Refused as refusal:
            self._refuse(refusal)
            self._hold_back(head)
        else:
            self._hold = None
            self.refusing = False
            if self.applied > applied:
                self._refusals.clear()
            self._told.confirmed()

    def _step(self, head: Head, ask: Ask) -> bool:
        """Take one step towards the head; False when it is reached. Raises _Refused."""
        match plan(self._position(), head):
            case Nothing():
                return False
            case Refuse(reason=reason):
                held = "nothing" if (at := self._position()) is None else f"epoch {at[0]} version {at[1]}"
                raise _Refused(reason, f"head: does not lead on from {held}", head.epoch, head.version)
            case TakeSnapshot():
                self._take_snapshot(head, ask)
            case TakeDeltas(after=after, upto=upto):
                try:
                    self._take_deltas(head.epoch, after, upto, ask)
                except _Refused as refusal:
                    position = self._position()
                    if check_snapshot(position, head.epoch, head.snapshot_version) is not None:
                        raise
                    self._refuse(refusal)
                    self._take_snapshot(head, ask)
        return True

    def _take_deltas(self, epoch: int, after: int, upto: int, ask: Ask) -> None:
        deltas = ask(partial(self._source.deltas, epoch, after, upto))
        expected = after + 1
        while True:
            try:
                delta = ask(partial(next, deltas, None))
            except ContractError as error:
                raise _Refused(_reason(error), str(error), epoch, expected) from error
            if delta is None:
                break
            reason = check_delta((epoch, expected - 1), delta)
            if reason is not None:
                detail = f"delta: from {delta.prev_version} to {delta.version} does not follow {expected - 1}"
                raise _Refused(reason, detail, delta.epoch, delta.version)
            self._check_shrink(delta, "delta")
            self._apply(partial(self._store.apply_delta, delta), delta)
            expected = delta.version + 1
        if expected <= upto:
            raise _Refused(Reason.MALFORMED, f"delta: {expected} is missing, the head says {upto}", epoch, expected)

    def _take_snapshot(self, head: Head, ask: Ask) -> None:
        try:
            snapshot = ask(partial(self._source.snapshot, head))
        except ContractError as error:
            raise _Refused(_reason(error), str(error), head.epoch, head.snapshot_version) from error
        if (snapshot.epoch, snapshot.version) != (head.epoch, head.snapshot_version):
            detail = f"snapshot: is epoch {snapshot.epoch} version {snapshot.version}, not what the head names"
            raise _Refused(Reason.MALFORMED, detail, head.epoch, head.snapshot_version)
        reason = check_snapshot(self._position(), snapshot.epoch, snapshot.version)
        if reason is not None:
            raise _Refused(reason, "snapshot: not newer than what is held", snapshot.epoch, snapshot.version)
        self._check_shrink(snapshot, "snapshot")
        self._apply(partial(self._store.apply_snapshot, snapshot), snapshot)

    def _check_shrink(self, change: Delta | Snapshot, what: str) -> None:
        removed, held = self._store.removals(change)
        if shrinks_too_much(removed, held, allow_shrink=change.allow_shrink):
            detail = f"{what}: takes {removed} of {held} cards away and is not signed as meant"
            raise _Refused(Reason.SHRINK, detail, change.epoch, change.version)

    def _apply(self, apply: Callable[[], Applied], change: Delta | Snapshot) -> None:
        try:
            applied = apply()
        except ContractError as error:
            raise _Refused(_reason(error), str(error), change.epoch, change.version) from error
        self.applied += 1
        self._told.applied(applied)

    def _position(self) -> tuple[int, int] | None:
        position = self._store.position()
        return None if position is None else (position.epoch, position.version)

    def _refuse(self, refusal: _Refused) -> None:
        self.refusing = True
        place = (refusal.reason, refusal.epoch, refusal.version)
        if place in self._refusals:
            return
        if len(self._refusals) >= _MAX_TOLD:
            del self._refusals[next(iter(self._refusals))]
        self._refusals[place] = None
        log.error("allowlist.refused", reason=refusal.reason, detail=refusal.detail)
        self._told.refused(refusal.reason, refusal.detail, refusal.epoch, refusal.version)

    def _is_held_back(self, head: Head) -> bool:
        hold = self._hold
        return hold is not None and hold.head == head and time.monotonic() < hold.until_s

    def _hold_back(self, head: Head) -> None:
        again = self._hold is not None and self._hold.head == head
        wait_s = min(LONGEST_HOLD_S, self._hold.wait_s * 2) if again and self._hold else self._hold_s
        self._hold = _Hold(head, wait_s, time.monotonic() + wait_s)


def _reason(error: ContractError) -> Reason:
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), Reason.MALFORMED)
