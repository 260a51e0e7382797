"""The door: one `step` from what is and what happened to what is next and what to do. The rules are in `door_table`.

`now` is when the input happened, which debouncing reports a little later; going back that little is harmless.
A fire, or a REX that unlocks, is answered before any deadline that was missed; all else finds deadlines kept.
Must never block, read a clock, or decide who may enter.
"""

from typing import Final

from agent.core.door_acts import ACTS, Turn
from agent.core.door_demand import barred_by, grants_end_s, leads_out
from agent.core.door_state import (
    ContactChanged,
    DoorInput,
    DoorSettings,
    DoorState,
    DoorStateName,
    FireChanged,
    FireResetRequested,
    ModeChanged,
    RexChanged,
    TamperChanged,
    Tapped,
    TimePassed,
)
from agent.core.door_table import AT_START, TABLE, Act, Target, Trigger, When
from agent.core.effects import Effect
from agent.core.model import Now
from cloud.contract.events import EventType
from cloud.contract.items import DoorMode
from cloud.contract.reasons import Reason

__all__ = [
    "REX_STUCK_S",
    "ContactChanged",
    "DoorInput",
    "DoorSettings",
    "DoorState",
    "DoorStateName",
    "FireChanged",
    "FireResetRequested",
    "ModeChanged",
    "RexChanged",
    "TamperChanged",
    "Tapped",
    "TimePassed",
    "next_deadline",
    "start",
    "step",
]

REX_STUCK_S: Final = 120.0
"""REX pressed for this long is reported. Our choice: a motion sensor above a busy door stays on for a minute or so."""


def start(
    settings: DoorSettings,
    *,
    mode: DoorMode,
    contact_open: bool | None,
    rex_pressed: bool,
    tampered: bool,
    fire_active: bool,
    fire_latched: bool,
    now: Now,
) -> tuple[DoorState, tuple[Effect, ...]]:
    """A door as it is found, its inputs read and not assumed, and what brings lock and journal into line."""
    found = DoorState(
        name=DoorStateName.LOCKED,
        mode=mode,
        contact_open=contact_open if settings.has_contact else None,
        fire=fire_active or fire_latched,
        fire_active=fire_active,
        tampered=tampered,
        opened_s=now.mono_s,
    )
    turn = Turn(settings, found, now)
    if rex_pressed:
        ACTS[Act.PRESS_REX](turn)
    ACTS[Act.SET_LOCK](turn)
    if fire_active:
        turn.record(EventType.FIRE_ACTIVATED, at_start=True)
    elif fire_latched:
        turn.record(EventType.DOOR_UNLOCKED, Reason.FIRE, at_start=True)
    elif mode is DoorMode.UNLOCKED:
        turn.record(EventType.DOOR_UNLOCKED, Reason.MODE, mode=mode.value, at_start=True)
    if rex_pressed:
        turn.record(EventType.REX_PRESSED, at_start=True)
    if turn.door.contact_open:
        turn.record(EventType.DOOR_OPENED, at_start=True)
    if tampered:
        turn.record(EventType.INPUT_TAMPERED, input="tamper", at_start=True)
    turn.change(name=_target(AT_START, turn.door))
    return turn.door, tuple(turn.effects)


def step(
    settings: DoorSettings, door: DoorState, happened: DoorInput, now: Now
) -> tuple[DoorState, tuple[Effect, ...]]:
    """The door after `happened`, and what to do, in this order. What changes nothing has no effects."""
    turn = Turn(settings, door, now, happened)
    urgent = happened == FireChanged(active=True) or (settings.rex_unlocks and happened == RexChanged(pressed=True))
    if not urgent:
        _keep_deadlines(turn)
    trigger = _trigger(settings, turn.door, happened, now)
    if trigger is not None:
        _carry_out(turn, trigger)
    if urgent:
        _keep_deadlines(turn)
    return turn.door, tuple(turn.effects)


def next_deadline(settings: DoorSettings, door: DoorState) -> float | None:
    """The monotonic instant at which TimePassed matters next; None: only an input can change this door."""
    return min((at_s for at_s, _ in _deadlines(settings, door)), default=None)


def _deadlines(settings: DoorSettings, door: DoorState) -> list[tuple[float, Trigger]]:
    """What time will do to this door. Of two at the same instant, the first one first."""
    due: list[tuple[float, Trigger]] = []
    grants_until_s = grants_end_s(door)
    if grants_until_s is not None:
        due.append((grants_until_s, Trigger.GRANT_ENDED))
    if door.rex_until_s is not None and door.rex_pressed:
        # Half the time early, so that the lock driver's own bound never comes first and the lock never flickers.
        due.append((door.rex_until_s - settings.rex_unlock_s / 2, Trigger.REX_RENEWED))
    elif door.rex_until_s is not None:
        due.append((door.rex_until_s, Trigger.REX_ENDED))
    if door.rex_pressed and not door.rex_stuck:
        due.append((door.rex_since_s + REX_STUCK_S, Trigger.REX_STUCK))
    if door.name is DoorStateName.OPEN and settings.pre_alarm_s > 0:
        due.append((door.opened_s + settings.held_open_s - settings.pre_alarm_s, Trigger.WARNING_DUE))
    elif door.name in (DoorStateName.OPEN, DoorStateName.WARNED):
        due.append((door.opened_s + settings.held_open_s, Trigger.HELD_DUE))
    return due


def _keep_deadlines(turn: Turn) -> None:
    """Do what is due, in the order in which it was due. Each row ends its deadline or moves it past now."""
    while True:
        due = [entry for entry in _deadlines(turn.settings, turn.door) if entry[0] <= turn.now.mono_s]
        if not due:
            return
        _carry_out(turn, min(due, key=lambda entry: entry[0])[1])


def _carry_out(turn: Turn, trigger: Trigger) -> None:
    row = TABLE.get((turn.door.name, trigger))
    if row is None:
        return
    for act in row.acts:
        ACTS[act](turn)
    if row.to:
        turn.change(name=_target(row.to, turn.door))


def _target(to: Target, door: DoorState) -> DoorStateName:
    facts = {
        When.FIRE: door.fire,
        When.FREE: door.mode is DoorMode.UNLOCKED,
        When.OPEN: door.contact_open is True,
        When.UNLOCKED: door.unlocked,
        When.ELSE: True,
    }
    return next(state for when, state in to if facts[when])


def _trigger(settings: DoorSettings, door: DoorState, happened: DoorInput, now: Now) -> Trigger | None:
    """What an input means to this door; None for news that is none."""
    match happened:
        case Tapped():
            return _tap_trigger(door, happened)
        case RexChanged(pressed=pressed) if pressed != door.rex_pressed:
            return Trigger.REX_PRESSED if pressed else Trigger.REX_RELEASED
        case ContactChanged(open=is_open) if settings.has_contact and is_open != door.contact_open:
            return _contact_trigger(door, is_open, now)
        case TamperChanged(active=active) if active != door.tampered:
            return Trigger.TAMPERED if active else Trigger.RESTORED
        case FireChanged(active=active) if active != door.fire_active:
            return Trigger.FIRE_ON if active else Trigger.FIRE_OFF
        case FireResetRequested():
            return Trigger.FIRE_RESET if door.fire and not door.fire_active else Trigger.RESET_REFUSED
        case ModeChanged(mode=mode) if mode is not door.mode:
            return Trigger.MODE_UNLOCKED if mode is DoorMode.UNLOCKED else Trigger.MODE_GUARDED
        case _:
            return None


def _tap_trigger(door: DoorState, tap: Tapped) -> Trigger:
    if not tap.granted:
        return Trigger.DENIED
    barred = barred_by(door.mode) is not None and not leads_out(tap.event)
    return Trigger.WITHHELD if barred else Trigger.GRANTED


def _contact_trigger(door: DoorState, is_open: bool, now: Now) -> Trigger:
    if not is_open:
        return Trigger.CLOSED
    excused = door.excused_until_s is not None and now.mono_s < door.excused_until_s
    caused = door.unlocked or door.rex_until_s is not None or excused
    return Trigger.OPENED if caused else Trigger.FORCED_OPEN
