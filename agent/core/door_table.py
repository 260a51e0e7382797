"""The door's state machine as a table: in which state, on what, do what, and be where.

This is data. What a trigger or an act means in code is in `door` and `door_acts`; `docs/door-states.md` is drawn
from here. A row that unlocks for life safety drives the lock before it records; one that admits records first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.core.door_state import DoorStateName as S


class Trigger(StrEnum):
    """What a door reacts to: an input that changes something, or a deadline that has come."""

    GRANTED = "grant"
    WITHHELD = "entry grant in lockdown or disabled"
    DENIED = "denial"
    REX_PRESSED = "REX pressed"
    REX_RELEASED = "REX let go"
    OPENED = "opened"
    FORCED_OPEN = "opened without cause"
    CLOSED = "closed"
    TAMPERED = "tampered"
    RESTORED = "tamper restored"
    FIRE_ON = "fire active"
    FIRE_OFF = "fire cleared"
    FIRE_RESET = "fire reset"
    RESET_REFUSED = "fire reset too early or for nothing"
    MODE_UNLOCKED = "mode unlocked"
    MODE_GUARDED = "mode normal, lockdown or disabled"
    GRANT_ENDED = "grant time over"
    REX_RENEWED = "REX still pressed"
    REX_STUCK = "REX pressed for 2 min"
    REX_ENDED = "REX time over"
    WARNING_DUE = "pre-alarm due"
    HELD_DUE = "open too long"


class Act(StrEnum):
    """One thing that a row does."""

    RECORD_TAP = "record the tap"
    ADMIT = "start strike time"
    MOVE = "move who went through"
    RECORD_LAPSED = "record access.not_taken for who did not"
    WITHHOLD = "let the grant lapse"
    UNLOCK = "unlock"
    FOLLOW = "bring the lock into line"
    SET_LOCK = "drive the lock anew"
    PRESS_REX = "start REX time"
    EXTEND_REX = "restart REX time"
    RELEASE_REX = "restart REX time for the last time"
    END_REX = "end REX time"
    END_GRANTS = "end strike time"
    REPORT_STUCK = "record input.tampered (REX stuck)"
    REPORT_UNSTUCK = "record input.restored if REX was stuck"
    OPEN = "note open; end strike time if relock_on_open"
    CLOSE = "note shut"
    TIME_OPENING = "start the held-open timer"
    LATCH = "latch fire"
    CLEAR = "note the input clear"
    RESET = "end the latch"
    TAKE_MODE = "take the mode; withdraw entry in lockdown, disabled"
    RECORD_MODE = "record door.locked or door.unlocked (mode)"
    RECORD_TAMPER = "record input.tampered or input.restored"
    RECORD_RESET = "record fire.reset"
    RECORD_REFUSED = "record command.refused"
    RECORD_REX = "record rex.pressed"
    RECORD_OPENED = "record door.opened"
    RECORD_CLOSED = "record door.closed"
    RECORD_FORCED = "record door.forced"
    RECORD_WARNED = "record door.held_warned"
    RECORD_HELD = "record door.held"
    RECORD_FIRE = "record fire.activated"
    RECORD_CLEARED = "record fire.cleared"


class When(StrEnum):
    """What decides where a row leads, asked after its acts."""

    FIRE = "fire latched"
    FREE = "mode unlocked"
    OPEN = "open"
    UNLOCKED = "lock unlocked"
    ELSE = "otherwise"


Target = tuple[tuple[When, S], ...]
"""The first that holds is the next state; empty: the state stays."""

STAY: Final[Target] = ()
SHUT: Final[Target] = ((When.UNLOCKED, S.UNLOCKED), (When.ELSE, S.LOCKED))
REST: Final[Target] = ((When.OPEN, S.OPEN), *SHUT)
AFTER_FIRE: Final[Target] = ((When.FREE, S.FREE), *REST)
AT_START: Final[Target] = ((When.FIRE, S.FIRE), *AFTER_FIRE)


@dataclass(frozen=True, slots=True)
class Row:
    """In any of these states, on this trigger: these acts in this order, then there."""

    states: tuple[S, ...]
    trigger: Trigger
    acts: tuple[Act, ...]
    to: Target


@dataclass(frozen=True, slots=True)
class Ignored:
    """These states do nothing on this trigger, because."""

    states: tuple[S, ...]
    trigger: Trigger
    why: str


def _to(state: S) -> Target:
    return ((When.ELSE, state),)


_ALL: Final = tuple(S)
_SHUT: Final = (S.LOCKED, S.UNLOCKED)
_AJAR: Final = (S.OPEN, S.WARNED, S.HELD, S.FORCED)
_NOT_SHUT: Final = (*_AJAR, S.FREE, S.FIRE)
_NOT_FIRE: Final = (*_SHUT, *_AJAR, S.FREE)

_GRANT: Final = (Act.RECORD_TAP, Act.ADMIT, Act.UNLOCK, Act.MOVE, Act.RECORD_LAPSED)
_PRESS: Final = (Act.PRESS_REX, Act.UNLOCK, Act.RECORD_REX)
_RELEASE: Final = (Act.RELEASE_REX, Act.FOLLOW, Act.REPORT_UNSTUCK)
_RENEW: Final = (Act.EXTEND_REX, Act.FOLLOW)
_REX_END: Final = (Act.END_REX, Act.FOLLOW)
_GRANT_END: Final = (Act.END_GRANTS, Act.FOLLOW, Act.RECORD_LAPSED)
_OPENING: Final = (Act.OPEN, Act.FOLLOW, Act.TIME_OPENING, Act.RECORD_OPENED, Act.MOVE)
_CLOSING: Final = (Act.CLOSE, Act.RECORD_CLOSED)
_MODE: Final = (Act.TAKE_MODE, Act.SET_LOCK, Act.RECORD_MODE, Act.RECORD_LAPSED)
_MODE_IN_FIRE: Final = (Act.TAKE_MODE, Act.RECORD_LAPSED)

ROWS: Final[tuple[Row, ...]] = (
    # Life safety: the same in every state, whatever the mode.
    Row(_ALL, Trigger.FIRE_ON, (Act.LATCH, Act.UNLOCK, Act.RECORD_FIRE), _to(S.FIRE)),
    Row((S.FIRE,), Trigger.FIRE_OFF, (Act.CLEAR, Act.RECORD_CLEARED), STAY),
    Row((S.FIRE,), Trigger.FIRE_RESET, (Act.RESET, Act.RECORD_RESET, Act.SET_LOCK, Act.TIME_OPENING), AFTER_FIRE),
    Row(_ALL, Trigger.RESET_REFUSED, (Act.RECORD_REFUSED,), STAY),
    Row(_SHUT, Trigger.REX_PRESSED, _PRESS, SHUT),
    Row(_NOT_SHUT, Trigger.REX_PRESSED, _PRESS, STAY),
    Row(_ALL, Trigger.REX_RENEWED, _RENEW, STAY),
    Row(_ALL, Trigger.REX_STUCK, (Act.REPORT_STUCK,), STAY),
    Row(_ALL, Trigger.REX_RELEASED, _RELEASE, STAY),
    Row(_SHUT, Trigger.REX_ENDED, _REX_END, SHUT),
    Row(_NOT_SHUT, Trigger.REX_ENDED, _REX_END, STAY),
    # Taps.
    Row(_SHUT, Trigger.GRANTED, _GRANT, SHUT),
    Row(_NOT_SHUT, Trigger.GRANTED, _GRANT, STAY),
    Row(_ALL, Trigger.WITHHELD, (Act.RECORD_TAP, Act.WITHHOLD, Act.RECORD_LAPSED), STAY),
    Row(_ALL, Trigger.DENIED, (Act.RECORD_TAP,), STAY),
    Row(_SHUT, Trigger.GRANT_ENDED, _GRANT_END, SHUT),
    Row(_NOT_SHUT, Trigger.GRANT_ENDED, _GRANT_END, STAY),
    # The leaf.
    Row(_SHUT, Trigger.OPENED, _OPENING, _to(S.OPEN)),
    Row((S.FREE, S.FIRE), Trigger.OPENED, _OPENING, STAY),
    Row((S.LOCKED,), Trigger.FORCED_OPEN, (Act.OPEN, Act.RECORD_FORCED), _to(S.FORCED)),
    Row((S.OPEN,), Trigger.WARNING_DUE, (Act.RECORD_WARNED,), _to(S.WARNED)),
    Row((S.OPEN, S.WARNED), Trigger.HELD_DUE, (Act.RECORD_HELD,), _to(S.HELD)),
    Row((*_SHUT, *_AJAR), Trigger.CLOSED, _CLOSING, SHUT),
    Row((S.FREE, S.FIRE), Trigger.CLOSED, _CLOSING, STAY),
    # The mode.
    Row((*_SHUT, *_AJAR), Trigger.MODE_UNLOCKED, _MODE, _to(S.FREE)),
    Row(_SHUT, Trigger.MODE_GUARDED, _MODE, SHUT),
    Row(_AJAR, Trigger.MODE_GUARDED, _MODE, STAY),
    Row((S.FREE,), Trigger.MODE_GUARDED, (*_MODE, Act.TIME_OPENING), REST),
    Row((S.FIRE,), Trigger.MODE_UNLOCKED, _MODE_IN_FIRE, STAY),
    Row((S.FIRE,), Trigger.MODE_GUARDED, _MODE_IN_FIRE, STAY),
    # Tamper: no effect on the lock.
    Row(_ALL, Trigger.TAMPERED, (Act.RECORD_TAMPER,), STAY),
    Row(_ALL, Trigger.RESTORED, (Act.RECORD_TAMPER,), STAY),
)

IGNORED: Final[tuple[Ignored, ...]] = (
    Ignored(_AJAR, Trigger.OPENED, "it is open already"),
    Ignored((S.UNLOCKED, S.FREE, S.FIRE), Trigger.FORCED_OPEN, "an unlocked door has a cause to open"),
    Ignored(_AJAR, Trigger.FORCED_OPEN, "it is open already"),
    Ignored((S.LOCKED, S.UNLOCKED), Trigger.WARNING_DUE, "it is not open"),
    Ignored((S.WARNED, S.HELD), Trigger.WARNING_DUE, "the warning was given"),
    Ignored((S.FORCED,), Trigger.WARNING_DUE, "forced is an alarm already, and never becomes held"),
    Ignored((S.FREE, S.FIRE), Trigger.WARNING_DUE, "it may stay open"),
    Ignored((S.LOCKED, S.UNLOCKED), Trigger.HELD_DUE, "it is not open"),
    Ignored((S.HELD,), Trigger.HELD_DUE, "the alarm was given"),
    Ignored((S.FORCED,), Trigger.HELD_DUE, "forced is an alarm already, and never becomes held"),
    Ignored((S.FREE, S.FIRE), Trigger.HELD_DUE, "it may stay open"),
    Ignored(_NOT_FIRE, Trigger.FIRE_OFF, "an active fire input has latched"),
    Ignored(_NOT_FIRE, Trigger.FIRE_RESET, "nothing is latched: the request is refused"),
    Ignored((S.FREE,), Trigger.MODE_UNLOCKED, "it is in that mode already"),
)

TABLE: Final[Mapping[tuple[S, Trigger], Row]] = {(state, row.trigger): row for row in ROWS for state in row.states}
