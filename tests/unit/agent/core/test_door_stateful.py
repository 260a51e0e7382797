"""Any inputs, any gaps in time, loops that hang: what must hold of a door whatever happens to it.

The machine keeps its own, independent account of who may open the door until when, and a lock that does what the
effects say. It never asks the door's state for the truth.
"""

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.core.door import (
    REX_STUCK_S,
    ContactChanged,
    DoorInput,
    DoorSettings,
    DoorStateName,
    FireChanged,
    FireResetRequested,
    ModeChanged,
    RexChanged,
    TamperChanged,
    Tapped,
    TimePassed,
    next_deadline,
    start,
    step,
)
from agent.core.door_demand import demand
from agent.core.effects import Effect, MovePerson, Record, Relock, Unlock
from agent.core.events import EventDraft
from agent.core.model import Now
from cloud.contract.events import EventType as E
from cloud.contract.items import DoorMode

SETTINGS = st.builds(
    DoorSettings,
    id=st.just("door"),
    strike_s=st.sampled_from([1.0, 5.0, 9.0]),
    rex_unlocks=st.sampled_from([True, True, True, False]),
    rex_unlock_s=st.sampled_from([1.0, 3.0, 7.0]),
    held_open_s=st.sampled_from([5.0, 30.0]),
    pre_alarm_s=st.sampled_from([0.0, 2.0]),
    relock_on_open=st.booleans(),
    has_contact=st.sampled_from([True, True, False]),
)
# Quarters are exact in binary, so that "exactly at the deadline" is drawn often.
GAPS_S = st.integers(0, 63).map(lambda quarters: quarters / 4 if quarters < 62 else REX_STUCK_S)
HANGS_S = st.sampled_from([0.0, 0.0, 0.0, 9.0])
# Fire and modes hide the rest of the machine, so they are the exception here as in life.
SELDOM = st.sampled_from([False] * 7 + [True])
MODES = st.sampled_from([DoorMode.NORMAL] * 4 + [DoorMode.UNLOCKED, DoorMode.LOCKDOWN, DoorMode.DISABLED])
BARRED = (DoorMode.LOCKDOWN, DoorMode.DISABLED)
LEAF_ALARMS = (E.DOOR_FORCED, E.DOOR_HELD, E.DOOR_HELD_WARNED)


class DoorMachine(RuleBasedStateMachine):
    """One door, its world and its lock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 10_000.0
        self.taps = 0
        # The world as it is.
        self.rex = self.open = self.tamper = self.fire_input = self.latched = False
        self.mode = DoorMode.NORMAL
        # Who may open until when, by our own account.
        self.entry_end_s = self.exit_end_s = self.rex_end_s = self.open_since_s = self.rex_since_s = float("-inf")
        self.free_to_stay_open = False
        # What the effects have done.
        self.lock_unlocked = False
        self.lock_until_s: float | None = None
        self.waiting: set[str] = set()
        self.alarm: E | None = None
        self.stuck = False
        self.warned = False
        self.settled = True

    @initialize(
        settings=SETTINGS,
        mode=MODES,
        is_open=SELDOM,
        rex=SELDOM,
        tamper=SELDOM,
        fire=SELDOM,
        latched=SELDOM,
    )
    def begin(
        self,
        settings: DoorSettings,
        mode: DoorMode,
        is_open: bool,
        rex: bool,
        tamper: bool,
        fire: bool,
        latched: bool,
    ) -> None:
        self.settings, self.mode, self.rex, self.tamper, self.fire_input = settings, mode, rex, tamper, fire
        self.open = is_open and settings.has_contact
        self.latched = fire or latched
        self.open_since_s = self.rex_since_s = self.now_s
        self.rex_end_s = self.now_s + settings.rex_unlock_s if rex else self.rex_end_s
        self.door, effects = start(
            settings,
            mode=mode,
            contact_open=is_open,
            rex_pressed=rex,
            tampered=tamper,
            fire_active=fire,
            fire_latched=latched,
            now=self.now,
        )
        self.perform(effects)

    @property
    def now(self) -> Now:
        return Now(mono_s=self.now_s, wall_s=0.0, known=False)

    def caused(self) -> bool:
        """Whether anything explains an opening right now."""
        causes = (self.entry_end_s, self.exit_end_s, self.rex_end_s)
        return self.latched or self.mode is DoorMode.UNLOCKED or self.rex or any(self.now_s < end for end in causes)

    def may_be_unlocked(self) -> bool:
        """Whether the lock may be unlocked right now."""
        rex = self.settings.rex_unlocks and (self.rex or self.now_s < self.rex_end_s)
        grants = self.now_s < max(self.entry_end_s, self.exit_end_s)
        return self.latched or self.mode is DoorMode.UNLOCKED or rex or grants

    def happens(self, happened: DoorInput) -> tuple[Effect, ...]:
        self.door, effects = step(self.settings, self.door, happened, self.now)
        self.settled = True
        self.perform(effects)
        again, nothing = step(self.settings, self.door, TimePassed(), self.now)
        assert again == self.door, "a step leaves something due"
        assert nothing == ()
        return effects

    def perform(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case Record(event=event):
                    self.check_event(event)
                case Unlock(until_s=until_s, emergency=emergency):
                    assert emergency == self.latched
                    assert until_s is None or until_s > self.now_s, "an unlock that is over before it begins"
                    assert (until_s is None) == (self.latched or self.mode is DoorMode.UNLOCKED)
                    self.lock_unlocked, self.lock_until_s = True, until_s
                case Relock():
                    assert not self.latched, "relocked in a fire"
                    self.lock_unlocked, self.lock_until_s = False, None
                case MovePerson(person=person, area=area):
                    assert area == "area"
                    assert person in self.waiting, "moved without a grant, or twice"
                    self.waiting.remove(person)

    def check_event(self, event: EventDraft) -> None:
        assert event.door == "door"
        if event.type is E.ACCESS_GRANTED:
            assert event.person is not None
            self.waiting.add(event.person)
        if event.type is E.ACCESS_NOT_TAKEN:
            assert event.person is not None
            assert event.person in self.waiting, "told twice, or never granted"
            self.waiting.remove(event.person)
        if event.type in LEAF_ALARMS:
            assert not self.latched, "an alarm of the leaf in a fire"
            assert self.mode is not DoorMode.UNLOCKED
            assert self.open
        if event.type is E.INPUT_TAMPERED and event.detail and event.detail["input"] == "rex":
            assert not self.stuck, "stuck is told twice"
            self.stuck = True
        if event.type is E.INPUT_RESTORED and event.detail and event.detail["input"] == "rex":
            self.stuck = False
        if event.type is E.DOOR_FORCED:
            assert not self.caused(), "forced, but there was a cause"
            assert self.alarm is None
            self.alarm = event.type
        if event.type is E.DOOR_HELD_WARNED:
            assert self.settings.pre_alarm_s > 0
            assert self.now_s >= self.open_since_s + self.settings.held_open_s - self.settings.pre_alarm_s
            assert not self.warned
            self.warned = True
        if event.type is E.DOOR_HELD:
            assert self.now_s >= self.open_since_s + self.settings.held_open_s
            assert self.alarm is None, "held and forced confused, or told twice"
            assert self.warned == (self.settings.pre_alarm_s > 0)
            self.alarm = event.type

    # Time

    @rule(gap_s=GAPS_S)
    def time_passes(self, gap_s: float) -> None:
        """A loop that keeps every deadline."""
        self.happens(TimePassed())
        end_s = self.now_s + gap_s
        while (deadline := next_deadline(self.settings, self.door)) is not None and deadline <= end_s:
            assert deadline > self.now_s, "a deadline in the past"
            self.now_s = deadline
            self.happens(TimePassed())
            self.check_lock()
        self.now_s = end_s

    @rule(gap_s=GAPS_S)
    def loop_hangs(self, gap_s: float) -> None:
        """Nobody keeps the deadlines, and the next thing that comes is whatever comes."""
        self.now_s += gap_s
        self.settled = False

    @rule(early_s=st.sampled_from([0.0, 0.25]))
    def deadline_comes(self, early_s: float) -> None:
        """It is the very instant of a deadline, or just before it, and something else is handled first."""
        deadline = next_deadline(self.settings, self.door)
        if deadline is not None:
            self.now_s = max(self.now_s, deadline - early_s)
            self.settled = self.now_s < deadline

    # What people do

    @rule(direction=st.sampled_from(["in", "out", None]))
    def is_granted(self, direction: str | None) -> None:
        self.taps += 1
        person = f"p{self.taps}"
        event = EventDraft(type=E.ACCESS_GRANTED, door="door", direction=direction, person=person)
        effects = self.happens(Tapped(event, granted=True, leads_to="area"))
        barred = self.mode in BARRED and direction != "out"
        unlocks = [place for place, effect in enumerate(effects) if isinstance(effect, Unlock)]
        if barred:
            assert not any(place > effects.index(Record(event)) for place in unlocks), "an entry in lockdown"
            assert person not in self.waiting, "an entry in lockdown waits"
            return
        end_s = self.now_s + self.settings.strike_s
        if direction == "out":
            self.exit_end_s = end_s
        else:
            self.entry_end_s = end_s
        assert unlocks, "a grant did not drive the lock"
        assert effects.index(Record(event)) < unlocks[-1], "unlocked before the record"
        assert self.lock_unlocked
        assert (person in self.waiting) == (self.settings.has_contact and not self.open)

    @rule()
    def is_denied(self) -> None:
        event = EventDraft(type=E.ACCESS_DENIED, door="door", person="nobody")
        effects = self.happens(Tapped(event, granted=False, leads_to=None))
        assert effects[-1] == Record(event)

    @rule(pressed=SELDOM, hung_s=HANGS_S)
    def rex_changes(self, pressed: bool, hung_s: float) -> None:
        self.now_s += hung_s
        changed = pressed != self.rex
        if not pressed:
            self.happens(TimePassed())
        self.rex = pressed
        if changed:
            self.rex_since_s = self.now_s
            self.rex_end_s = max(self.rex_end_s, self.now_s + self.settings.rex_unlock_s)
        effects = self.happens(RexChanged(pressed))
        if pressed and changed:
            kinds = [effect.event.type if isinstance(effect, Record) else type(effect) for effect in effects]
            assert E.REX_PRESSED in kinds
            if self.settings.rex_unlocks:
                assert kinds[0] is Unlock, "something stood before REX"
                assert Relock not in kinds, "REX was answered, then locked out"
        if pressed and self.settings.rex_unlocks:
            assert self.lock_unlocked, "REX ignored"

    @rule(is_open=st.booleans())
    def leaf_moves(self, is_open: bool) -> None:
        changed = self.settings.has_contact and is_open != self.open
        if not self.settings.has_contact:
            assert all(isinstance(effect, (Relock, Unlock, Record)) for effect in self.happens(ContactChanged(is_open)))
            return
        if not changed:
            self.happens(ContactChanged(is_open))
            return
        if not is_open:
            # A hung loop may owe alarms of the time before the leaf shut.
            self.happens(TimePassed())
            self.open, self.alarm, self.warned = False, None, False
            assert self.happens(ContactChanged(is_open)) == (Record(EventDraft(type=E.DOOR_CLOSED, door="door")),)
            return
        self.happens(TimePassed())
        caused = self.caused()
        self.open, self.open_since_s = True, self.now_s
        effects = self.happens(ContactChanged(is_open))
        opened = Record(EventDraft(type=E.DOOR_OPENED, door="door"))
        forced = Record(EventDraft(type=E.DOOR_FORCED, door="door"))
        assert (opened in effects, forced in effects) == (caused, not caused)
        if self.settings.relock_on_open:
            self.entry_end_s = self.exit_end_s = float("-inf")
        assert not self.waiting, "the door opened, and somebody still waits"

    @rule(active=st.booleans())
    def cabinet_is_touched(self, active: bool) -> None:
        self.happens(TimePassed())
        before = (self.lock_unlocked, self.lock_until_s)
        changed = active != self.tamper
        self.tamper = active
        effects = self.happens(TamperChanged(active))
        assert len(effects) == changed
        assert (self.lock_unlocked, self.lock_until_s) == before, "tamper moved the lock"

    @rule(active=SELDOM, hung_s=HANGS_S)
    def fire_changes(self, active: bool, hung_s: float) -> None:
        self.now_s += hung_s
        changed = active != self.fire_input
        self.fire_input = active
        self.latched = self.latched or active
        if active:
            self.alarm, self.warned = None, False
        effects = self.happens(FireChanged(active))
        if active and changed:
            assert effects[:2] == (
                Unlock(None, emergency=True),
                Record(EventDraft(type=E.FIRE_ACTIVATED, door="door")),
            ), "something stood before fire"
        if active:
            assert self.lock_unlocked, "fire ignored"

    @rule()
    def fire_reset_is_asked(self) -> None:
        self.happens(TimePassed())
        ends = self.latched and not self.fire_input
        if ends:
            self.latched = False
            self.open_since_s = self.now_s
        effects = self.happens(FireResetRequested("guard"))
        assert isinstance(effects[0], Record)
        assert effects[0].event.type is (E.FIRE_RESET if ends else E.COMMAND_REFUSED)
        assert len(effects) == 1 + ends

    @rule(mode=MODES)
    def mode_changes(self, mode: DoorMode) -> None:
        self.happens(TimePassed())
        if mode in BARRED:
            self.entry_end_s = float("-inf")
        if mode is DoorMode.UNLOCKED and mode is not self.mode:
            self.alarm, self.warned = None, False
        if self.mode is DoorMode.UNLOCKED and mode is not self.mode and not self.latched:
            self.open_since_s = self.now_s
        changed = mode is not self.mode
        self.mode = mode
        effects = self.happens(ModeChanged(mode))
        if changed and not self.latched:
            assert isinstance(effects[0], Relock if not self.may_be_unlocked() else Unlock)

    # What must hold whenever the door has caught up with the time

    @precondition(lambda self: self.settled)
    @invariant()
    def lock_is_as_it_should_be(self) -> None:
        self.check_lock()

    def check_lock(self) -> None:
        door = self.door
        assert (door.unlocked, door.unlocked_until_s) == (self.lock_unlocked, self.lock_until_s)
        assert demand(self.settings, door) == (door.unlocked, door.unlocked_until_s)
        assert self.lock_unlocked == self.may_be_unlocked(), "unlocked without a cause, or locked against one"
        if self.lock_until_s is None:
            return
        bound_s = max(self.settings.strike_s, self.settings.rex_unlock_s)
        assert self.lock_until_s <= self.now_s + bound_s, "unlocked beyond its bound"
        ends_s = [self.entry_end_s, self.exit_end_s]
        if self.settings.rex_unlocks:
            # While REX is held the end moves on, at the latest when half of it is over.
            ends_s.append(self.now_s + self.settings.rex_unlock_s / 2 if self.rex else self.rex_end_s)
        if self.rex:
            assert self.lock_until_s >= max(ends_s), "a cause was cut short"
        else:
            assert self.lock_until_s == max(ends_s), "not until the end of the last cause"

    @precondition(lambda self: self.settled)
    @invariant()
    def name_says_what_is(self) -> None:
        door, name = self.door, self.door.name
        assert (name is DoorStateName.FIRE) == self.latched
        assert (door.mode, door.rex_pressed, door.tampered) == (self.mode, self.rex, self.tamper)
        assert door.contact_open is (self.open if self.settings.has_contact else None)
        assert self.stuck == (self.rex and self.now_s >= self.rex_since_s + REX_STUCK_S)
        if not self.latched:
            assert (name is DoorStateName.FREE) == (self.mode is DoorMode.UNLOCKED)
        if name in (DoorStateName.LOCKED, DoorStateName.UNLOCKED):
            assert not self.open
            assert (name is DoorStateName.UNLOCKED) == door.unlocked
        if name in (DoorStateName.OPEN, DoorStateName.WARNED, DoorStateName.HELD, DoorStateName.FORCED):
            assert self.open
        if name in (DoorStateName.OPEN, DoorStateName.WARNED, DoorStateName.HELD):
            assert door.opened_s == self.open_since_s, "the held-open timer does not run from where it should"
        held_at_s = self.open_since_s + self.settings.held_open_s
        if name is DoorStateName.OPEN:
            assert self.now_s < held_at_s - self.settings.pre_alarm_s, "the warning is late"
        if name is DoorStateName.WARNED:
            assert self.now_s < held_at_s, "the alarm is late"
        if not self.latched and self.mode is not DoorMode.UNLOCKED:
            assert (name is DoorStateName.FORCED) == (self.alarm is E.DOOR_FORCED)
            assert (name is DoorStateName.HELD) == (self.alarm is E.DOOR_HELD)

    @precondition(lambda self: self.settled)
    @invariant()
    def every_grant_has_an_end(self) -> None:
        assert {grant.event.person for grant in self.door.waiting} == set(self.waiting)
        if self.waiting:
            deadline = next_deadline(self.settings, self.door)
            assert deadline is not None
            assert deadline <= self.now_s + self.settings.strike_s

    def teardown(self) -> None:
        """After everybody let go and time passed, nobody is left between taken and not taken."""
        if hasattr(self, "door"):  # a run may end before it begins
            self.rex_changes(pressed=False, hung_s=0.0)
            self.time_passes(3600.0)
            assert not self.waiting
            assert next_deadline(self.settings, self.door) is None


TestDoor = DoorMachine.TestCase
TestDoor.settings = hypothesis_settings(max_examples=500, stateful_step_count=40, deadline=None)
