"""All doors of the controller: takes what happened to one, asks the pure door, performs the effects in their order.

Owned by the controller's thread. No rule lives here.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from agent.core.door import (
    ContactChanged,
    DoorInput,
    FireChanged,
    FireResetRequested,
    ModeChanged,
    RexChanged,
    TamperChanged,
    TimePassed,
    next_deadline,
    start,
    step,
)
from agent.core.effects import Effect, MovePerson, Record, Relock, Unlock
from agent.core.events import EventDraft
from agent.ports import Clock
from agent.runtime.doors import Done, DoorUnit, DoorView
from agent.runtime.presence import Presence
from agent.runtime.recorder import Recorder
from cloud.contract.events import Event, EventType
from cloud.contract.items import DoorMode

log = structlog.get_logger(__name__)

_ACCESS = (EventType.ACCESS_GRANTED, EventType.ACCESS_DENIED)
_LIFE_SAFETY = ("fire", "rex")


class Doors:
    """See the module. `mode_of` tells what the site says of a door."""

    def __init__(
        self,
        units: Mapping[str, DoorUnit],
        inputs: Mapping[str, bool],
        recorder: Recorder,
        presence: Presence,
        clock: Clock,
        mode_of: Callable[[str], DoorMode],
    ) -> None:
        self._units = units
        self._inputs = dict(inputs)
        self._recorder = recorder
        self._presence = presence
        self._clock = clock
        self._mode_of = mode_of

    def __getitem__(self, door: str) -> DoorUnit:
        return self._units[door]

    def start(self) -> None:
        """Bring each door into the state that its inputs demand.

        Also when the thread is run again: what failed in the midst of a step, or never came to one, is made good.
        What a door knows already is no news to it.
        """
        for name in sorted(self._inputs, key=_can_wait):
            self.input(name, active=self._inputs[name])
        for name, unit in self._units.items():
            if unit.state is None:
                self._begin(name, unit)
            else:
                self._presence.latch_fire(name, latched=unit.state.fire)

    def _begin(self, name: str, unit: DoorUnit) -> None:
        unit.state, effects = start(
            unit.settings,
            mode=self._mode_of(name),
            contact_open=self._inputs.get(f"{name}.contact") if unit.settings.has_contact else None,
            rex_pressed=self._inputs.get(f"{name}.rex", False),
            tampered=self._inputs.get(f"{name}.tamper", False),
            fire_active=self._fire_active(unit),
            fire_latched=self._presence.fire_latched(name),
            now=self._clock.now(),
        )
        try:
            self._perform(unit, effects)
        finally:
            self._presence.latch_fire(name, latched=unit.state.fire)

    def step(self, unit: DoorUnit, happened: DoorInput, at_s: float | None = None) -> Done:
        """One step of a door; `at_s` is when it happened, if that was earlier than now."""
        if unit.state is None:
            return Done(None, None)
        had_fire = unit.state.fire
        now = self._clock.now()
        if at_s is not None:
            now = replace(now, mono_s=min(at_s, now.mono_s))
        unit.state, effects = step(unit.settings, unit.state, happened, now)
        try:
            return self._perform(unit, effects)
        finally:
            if unit.state.fire != had_fire:
                self._presence.latch_fire(unit.settings.id, latched=unit.state.fire)

    def input(self, name: str, *, active: bool, at_s: float | None = None) -> None:
        """The input `<door>.<kind>` is in a new state since `at_s`; telling a known state again is harmless."""
        self._inputs[name] = active
        door, _, kind = name.partition(".")
        if kind == "fire":
            for unit in self._units.values():
                if door in unit.fire_from:
                    self.step(unit, FireChanged(self._fire_active(unit)), at_s)
            return
        happened: Mapping[str, DoorInput] = {
            "rex": RexChanged(active),
            "contact": ContactChanged(active),
            "tamper": TamperChanged(active),
        }
        self.step(self._units[door], happened[kind], at_s)

    def inputs(self, states: Mapping[str, bool]) -> None:
        """All inputs of a bank, as they are now."""
        # Known before the first is acted on: should that fail, the next start makes all of them good.
        self._inputs.update(states)
        for name, active in states.items():
            self.input(name, active=active)

    def reset_fire(self, door: str | None, who: str) -> None:
        """Somebody asks to end the fire state of a door; None: of all."""
        for name, unit in self._units.items():
            if door in (None, name):
                self.step(unit, FireResetRequested(who))

    def modes_changed(self) -> None:
        """The site says something new of its doors."""
        for name, unit in self._units.items():
            self.step(unit, ModeChanged(self._mode_of(name)))

    def due_s(self) -> float:
        """Monotonic instant at which `time_passes` is wanted next; infinite when there is no door."""
        due = [float("inf")]
        for unit in self._units.values():
            deadline = None if unit.state is None else next_deadline(unit.settings, unit.state)
            due += [unit.assert_due_s] if deadline is None else [unit.assert_due_s, deadline]
        return min(due)

    def time_passes(self) -> bool:
        """Do what has fallen due; whether any door changed."""
        changed = False
        now_s = self._clock.now().mono_s
        for unit in self._units.values():
            if unit.state is None:
                continue
            deadline = next_deadline(unit.settings, unit.state)
            if deadline is not None and deadline <= now_s:
                self.step(unit, TimePassed())
                changed = True
            if unit.assert_due_s <= now_s:
                self._drive(unit, unit.wanted())
        return changed

    def record(self, draft: EventDraft) -> Event | None:
        """Log and journal an event. A tap is not logged here: it has its own line, with its outcome."""
        if draft.type not in _ACCESS:
            detail = None if draft.detail is None else dict(draft.detail)
            log.info(draft.type.value, door=draft.door, reader=draft.reader, reason=draft.reason, detail=detail)
        return self._recorder.record(draft)

    def views(self) -> tuple[DoorView, ...]:
        """What is shown of the doors."""
        return tuple(
            DoorView(
                id=name,
                state=unit.state,
                fail=unit.fail,
                inputs={key.partition(".")[2]: on for key, on in self._inputs.items() if key.startswith(f"{name}.")},
                lock_fault=unit.lock_fault,
                last=unit.last,
            )
            for name, unit in self._units.items()
            if unit.state is not None
        )

    def _perform(self, unit: DoorUnit, effects: tuple[Effect, ...]) -> Done:
        events: list[Event | None] = []
        driven_s: float | None = None
        for effect in effects:
            match effect:
                case Record(event=draft):
                    events.append(self.record(draft))
                case Unlock() | Relock():
                    self._drive(unit, effect)
                    driven_s = self._clock.now().mono_s
                case MovePerson(person=person, area=area):
                    self._presence.move(person, area)
        return Done(events[0] if events else None, driven_s)

    def _drive(self, unit: DoorUnit, effect: Unlock | Relock) -> None:
        fault = unit.drive(effect, self._clock.now().mono_s)
        if fault is not None:
            log.error("lock.faulted", door=unit.settings.id, error=fault)
            detail = {"what": fault[:200]}
            self._recorder.record(EventDraft(type=EventType.LOCK_FAULTED, door=unit.settings.id, detail=detail))

    def _fire_active(self, unit: DoorUnit) -> bool:
        return any(self._inputs.get(f"{door}.fire", False) for door in unit.fire_from)


def _can_wait(name: str) -> bool:
    return name.partition(".")[2] not in _LIFE_SAFETY
