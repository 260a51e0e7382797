"""What each act of the door table does to a door. No act asks in which state the door is: that is the table's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from agent.core.door_demand import barred_by, demand, leads_out
from agent.core.door_state import (
    DoorInput,
    DoorSettings,
    DoorState,
    FireResetRequested,
    ModeChanged,
    Tapped,
    WaitingGrant,
)
from agent.core.door_table import Act
from agent.core.effects import Effect, MovePerson, Record, Relock, Unlock
from agent.core.events import EventDraft
from agent.core.model import Now
from cloud.contract.events import EventType
from cloud.contract.items import DoorMode
from cloud.contract.reasons import Reason

MAX_WAITING: Final = 64
"""Grants that may wait for one opening. Past it the oldest counts as not taken; the lock stays unlocked for all."""

MAX_WHO: Final = 64
"""Characters kept of who asked: the name comes from a peer and an event has a size limit."""


@dataclass(slots=True)
class Turn:
    """One row being carried out."""

    settings: DoorSettings
    door: DoorState
    now: Now
    happened: DoorInput | None = None
    effects: list[Effect] = field(default_factory=list)
    lapsed: list[tuple[WaitingGrant, Reason | None]] = field(default_factory=list)
    """Grants that end untaken in this turn."""
    passed: tuple[WaitingGrant, ...] = ()
    """Grants that are taken in this turn."""

    def change(self, **changes: Any) -> None:
        """Replace fields of the door."""
        self.door = replace(self.door, **changes)

    def record(self, kind: EventType, reason: Reason | None = None, **detail: str | int | float | bool | None) -> None:
        """Have an event of this door recorded."""
        event = EventDraft(type=kind, door=self.settings.id, reason=reason, detail=detail or None)
        self.effects.append(Record(event))

    def drive(self, *, repeat_unlock: bool = False, repeat: bool = False) -> None:
        """Bring the lock into line with the demand; say it again on request, for a relay that lost its way."""
        door = self.door
        unlocked, until_s = demand(self.settings, door)
        changed = (unlocked, until_s) != (door.unlocked, door.unlocked_until_s)
        if changed or repeat or (repeat_unlock and unlocked):
            self.effects.append(Unlock(until_s, emergency=door.fire) if unlocked else Relock())
        if door.unlocked and not unlocked:
            self.excuse(door.unlocked_until_s)
        self.change(unlocked=unlocked, unlocked_until_s=until_s)

    def excuse(self, until_s: float | None) -> None:
        """A cause to open ended at this instant, or (None, or an instant to come) ends now."""
        end_s = self.now.mono_s if until_s is None else min(until_s, self.now.mono_s)
        before_s = self.door.excused_until_s
        self.change(excused_until_s=end_s if before_s is None else max(before_s, end_s))


def _record_tap(turn: Turn) -> None:
    if isinstance(turn.happened, Tapped):
        turn.effects.append(Record(turn.happened.event))


def _admit(turn: Turn) -> None:
    if not isinstance(turn.happened, Tapped):
        return
    door, event = turn.door, turn.happened.event
    grant = WaitingGrant(event, turn.happened.leads_to)
    end_s = turn.now.mono_s + turn.settings.strike_s
    if leads_out(event):
        turn.change(exit_until_s=max(end_s, door.exit_until_s or end_s))
    else:
        turn.change(entry_until_s=max(end_s, door.entry_until_s or end_s))
    if door.contact_open is not False:
        # Without a contact nothing tells, and through an open door people walk without opening it.
        turn.passed = (grant,)
        return
    waiting = (*door.waiting, grant)
    turn.lapsed += [(oldest, None) for oldest in waiting[:-MAX_WAITING]]
    turn.change(waiting=waiting[-MAX_WAITING:])


def _withhold(turn: Turn) -> None:
    if isinstance(turn.happened, Tapped):
        grant = WaitingGrant(turn.happened.event, turn.happened.leads_to)
        turn.lapsed.append((grant, barred_by(turn.door.mode)))


def _move(turn: Turn) -> None:
    for grant in turn.passed:
        if grant.event.person is not None and grant.leads_to is not None:
            turn.effects.append(MovePerson(grant.event.person, grant.leads_to))


def _record_lapsed(turn: Turn) -> None:
    for grant, reason in turn.lapsed:
        event = replace(grant.event, type=EventType.ACCESS_NOT_TAKEN, door=turn.settings.id, reason=reason, detail=None)
        turn.effects.append(Record(event))
    turn.lapsed.clear()


def _end_grants(turn: Turn) -> None:
    turn.lapsed += [(grant, None) for grant in turn.door.waiting]
    turn.change(entry_until_s=None, exit_until_s=None, waiting=())


def _press_rex(turn: Turn) -> None:
    turn.change(rex_pressed=True, rex_since_s=turn.now.mono_s, rex_stuck=False)
    _extend_rex(turn)


def _extend_rex(turn: Turn) -> None:
    end_s = turn.now.mono_s + turn.settings.rex_unlock_s
    turn.change(rex_until_s=max(end_s, turn.door.rex_until_s or end_s))


def _release_rex(turn: Turn) -> None:
    turn.change(rex_pressed=False)
    _extend_rex(turn)


def _end_rex(turn: Turn) -> None:
    turn.excuse(turn.door.rex_until_s)
    turn.change(rex_until_s=None)


def _report_stuck(turn: Turn) -> None:
    turn.change(rex_stuck=True)
    turn.record(EventType.INPUT_TAMPERED, input="rex", pressed_s=round(turn.now.mono_s - turn.door.rex_since_s, 1))


def _report_unstuck(turn: Turn) -> None:
    if turn.door.rex_stuck:
        turn.change(rex_stuck=False)
        turn.record(EventType.INPUT_RESTORED, input="rex")


def _open(turn: Turn) -> None:
    turn.passed = turn.door.waiting
    turn.change(contact_open=True, waiting=())
    if turn.settings.relock_on_open:
        # REX is left to run: an opening from outside must not cut short whoever is on the way out.
        turn.change(entry_until_s=None, exit_until_s=None)


def _take_mode(turn: Turn) -> None:
    if isinstance(turn.happened, ModeChanged):
        turn.change(mode=turn.happened.mode)
    reason = barred_by(turn.door.mode)
    if reason is not None:
        _withdraw_entry(turn, reason)


def _withdraw_entry(turn: Turn, reason: Reason) -> None:
    exit_until_s = turn.door.exit_until_s
    if exit_until_s is not None and exit_until_s <= turn.now.mono_s:
        # Its own time is over: only the entry that now goes still held the door for it.
        exit_until_s = None
    staying = tuple(grant for grant in turn.door.waiting if exit_until_s is not None and leads_out(grant.event))
    for grant in turn.door.waiting:
        if grant not in staying:
            turn.lapsed.append((grant, None if leads_out(grant.event) else reason))
    turn.change(entry_until_s=None, exit_until_s=exit_until_s, waiting=staying)


def _record_mode(turn: Turn) -> None:
    mode = turn.door.mode
    if mode is DoorMode.UNLOCKED:
        turn.record(EventType.DOOR_UNLOCKED, Reason.MODE, mode=mode.value)
    elif turn.door.unlocked:
        turn.record(EventType.DOOR_LOCKED, Reason.MODE, mode=mode.value, still_unlocked=True)
    else:
        turn.record(EventType.DOOR_LOCKED, Reason.MODE, mode=mode.value)


def _record_tamper(turn: Turn) -> None:
    turn.change(tampered=not turn.door.tampered)
    turn.record(EventType.INPUT_TAMPERED if turn.door.tampered else EventType.INPUT_RESTORED, input="tamper")


def _who(turn: Turn) -> str | None:
    return turn.happened.who[:MAX_WHO] if isinstance(turn.happened, FireResetRequested) else None


def _record_reset(turn: Turn) -> None:
    turn.record(EventType.FIRE_RESET, who=_who(turn), mode=turn.door.mode.value)


def _record_refused(turn: Turn) -> None:
    reason = Reason.FIRE if turn.door.fire else None
    why = "the fire input is active" if turn.door.fire else "no fire is latched"
    turn.record(EventType.COMMAND_REFUSED, reason, command="fire-reset", who=_who(turn), why=why)


ACTS: Final[Mapping[Act, Callable[[Turn], None]]] = {
    Act.RECORD_TAP: _record_tap,
    Act.ADMIT: _admit,
    Act.MOVE: _move,
    Act.RECORD_LAPSED: _record_lapsed,
    Act.WITHHOLD: _withhold,
    Act.UNLOCK: lambda turn: turn.drive(repeat_unlock=True),
    Act.FOLLOW: lambda turn: turn.drive(),
    Act.SET_LOCK: lambda turn: turn.drive(repeat=True),
    Act.PRESS_REX: _press_rex,
    Act.EXTEND_REX: _extend_rex,
    Act.RELEASE_REX: _release_rex,
    Act.END_REX: _end_rex,
    Act.END_GRANTS: _end_grants,
    Act.REPORT_STUCK: _report_stuck,
    Act.REPORT_UNSTUCK: _report_unstuck,
    Act.OPEN: _open,
    Act.CLOSE: lambda turn: turn.change(contact_open=False),
    Act.TIME_OPENING: lambda turn: turn.change(opened_s=turn.now.mono_s),
    Act.LATCH: lambda turn: turn.change(fire=True, fire_active=True),
    Act.CLEAR: lambda turn: turn.change(fire_active=False),
    Act.RESET: lambda turn: turn.change(fire=False),
    Act.TAKE_MODE: _take_mode,
    Act.RECORD_MODE: _record_mode,
    Act.RECORD_TAMPER: _record_tamper,
    Act.RECORD_RESET: _record_reset,
    Act.RECORD_REFUSED: _record_refused,
    Act.RECORD_REX: lambda turn: turn.record(EventType.REX_PRESSED),
    Act.RECORD_OPENED: lambda turn: turn.record(EventType.DOOR_OPENED),
    Act.RECORD_CLOSED: lambda turn: turn.record(EventType.DOOR_CLOSED),
    Act.RECORD_FORCED: lambda turn: turn.record(EventType.DOOR_FORCED),
    Act.RECORD_WARNED: lambda turn: turn.record(EventType.DOOR_HELD_WARNED),
    Act.RECORD_HELD: lambda turn: turn.record(EventType.DOOR_HELD),
    Act.RECORD_FIRE: lambda turn: turn.record(EventType.FIRE_ACTIVATED),
    Act.RECORD_CLEARED: lambda turn: turn.record(EventType.FIRE_CLEARED),
}
