"""The door's rules, one scenario each. Instants are seconds after the start of the story."""

from dataclasses import replace

import pytest

from agent.core.door import (
    REX_STUCK_S,
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
    next_deadline,
    start,
    step,
)
from agent.core.door_acts import ACTS, MAX_WAITING, MAX_WHO
from agent.core.door_table import IGNORED, ROWS, TABLE, Act, Trigger, When
from agent.core.effects import Effect, MovePerson, Record, Relock, Unlock
from agent.core.events import EventDraft
from agent.core.model import Now
from cloud.contract.events import EventType as E
from cloud.contract.items import DoorMode
from cloud.contract.reasons import Reason

SETTINGS = DoorSettings(
    id="office",
    strike_s=5.0,
    rex_unlocks=True,
    rex_unlock_s=3.0,
    held_open_s=30.0,
    pre_alarm_s=5.0,
    relock_on_open=True,
    has_contact=True,
)
BOOT_S = 1000.0
SECURED = [DoorMode.LOCKDOWN, DoorMode.DISABLED]


def at(seconds: float) -> Now:
    return Now(mono_s=BOOT_S + seconds, wall_s=0.0, known=False)


class Story:
    """A door that things happen to."""

    def __init__(
        self,
        settings: DoorSettings = SETTINGS,
        *,
        mode: DoorMode = DoorMode.NORMAL,
        contact_open: bool | None = False,
        rex_pressed: bool = False,
        tampered: bool = False,
        fire_active: bool = False,
        fire_latched: bool = False,
    ) -> None:
        self.settings = settings
        self.door, self.at_start = start(
            settings,
            mode=mode,
            contact_open=contact_open,
            rex_pressed=rex_pressed,
            tampered=tampered,
            fire_active=fire_active,
            fire_latched=fire_latched,
            now=at(0),
        )

    def at(self, seconds: float, happened: DoorInput) -> tuple[Effect, ...]:
        self.door, effects = step(self.settings, self.door, happened, at(seconds))
        return effects

    def wait_until(self, seconds: float) -> list[Effect]:
        """Keep every deadline up to then, exactly."""
        effects: list[Effect] = []
        while (deadline := next_deadline(self.settings, self.door)) is not None and deadline <= BOOT_S + seconds:
            effects += self.at(deadline - BOOT_S, TimePassed())
        return effects

    @property
    def name(self) -> DoorStateName:
        return self.door.name


def grant(person: str = "alice", direction: str = "in", leads_to: str | None = "inside") -> Tapped:
    event = EventDraft(
        type=E.ACCESS_GRANTED,
        door="office",
        reader=f"office-{direction}",
        direction=direction,
        reason=Reason.ALLOWED,
        credential="c" * 32,
        person=person,
        policy=7,
        detail={"noted": "nothing"},
    )
    return Tapped(event, granted=True, leads_to=leads_to)


def not_taken(tap: Tapped, reason: Reason | None = None) -> Record:
    return Record(replace(tap.event, type=E.ACCESS_NOT_TAKEN, reason=reason, detail=None))


def record(kind: E, reason: Reason | None = None, **detail: str | float | bool | None) -> Record:
    return Record(EventDraft(type=kind, door="office", reason=reason, detail=detail or None))


def unlock(seconds: float) -> Unlock:
    return Unlock(BOOT_S + seconds)


DENIAL = Tapped(EventDraft(type=E.ACCESS_DENIED, door="office", reason=Reason.REVOKED), granted=False, leads_to=None)
NO_CONTACT = replace(SETTINGS, has_contact=False)


# Grants


def test_grant_is_recorded_before_it_unlocks() -> None:
    """Nobody is let in without a trace."""
    story, tap = Story(), grant()
    assert story.at(0, tap) == (Record(tap.event), unlock(5))
    assert (story.name, story.door.unlocked, story.door.unlocked_until_s) == ("unlocked", True, BOOT_S + 5)


def test_denial_is_only_recorded() -> None:
    """A denial leaves the door as it is."""
    story = Story()
    before = story.door
    assert story.at(0, DENIAL) == (Record(DENIAL.event),)
    assert story.door == before


def test_second_grant_extends_the_first_and_is_not_relocked_by_it() -> None:
    """D5: two people four seconds apart; the end of the first one's time must not lock out the second."""
    story = Story(NO_CONTACT, contact_open=None)
    story.at(0, grant("alice"))
    assert unlock(9) in story.at(4, grant("bob"))
    assert story.at(5, TimePassed()) == ()
    assert story.at(8.999, TimePassed()) == ()
    assert story.at(9, TimePassed()) == (Relock(),)


def test_rex_never_shortens_a_grant() -> None:
    """The longer time wins, whoever came last."""
    story = Story()
    story.at(0, grant())
    assert story.at(1, RexChanged(pressed=True))[0] == unlock(5)


def test_grant_that_is_not_taken_says_whose_it_was() -> None:
    """The door relocks on time, then says who did not come."""
    story, tap = Story(), grant()
    story.at(0, tap)
    assert story.at(5, TimePassed()) == (Relock(), not_taken(tap))
    assert story.name == "locked"
    assert next_deadline(story.settings, story.door) is None


def test_each_grant_that_is_not_taken_is_told() -> None:
    """Two people who both stay out are two events, when the door that was open to both locks."""
    story, first, second = Story(), grant("alice"), grant("bob")
    story.at(0, first)
    story.at(4, second)
    assert story.wait_until(60) == [Relock(), not_taken(first), not_taken(second)]


def test_opening_takes_all_waiting_grants_and_relocks_at_once() -> None:
    """Everybody who was admitted is inside; the strike locks behind them."""
    story = Story()
    story.at(0, grant("alice"))
    story.at(1, grant("bob"))
    assert story.at(2, ContactChanged(open=True)) == (
        Relock(),
        record(E.DOOR_OPENED),
        MovePerson("alice", "inside"),
        MovePerson("bob", "inside"),
    )
    assert story.wait_until(20) == []


def test_without_relock_on_open_the_strike_time_runs_out_while_open() -> None:
    """The time is the time, door open or not."""
    story = Story(replace(SETTINGS, relock_on_open=False))
    story.at(0, grant())
    assert Relock() not in story.at(1, ContactChanged(open=True))
    assert story.at(2, ContactChanged(open=False)) == (record(E.DOOR_CLOSED),)
    assert story.name == "unlocked"
    assert story.wait_until(60) == [Relock()]


def test_without_contact_the_person_moves_with_the_grant() -> None:
    """Nothing will tell whether the door was opened, so nothing claims that it was not."""
    story, tap = Story(NO_CONTACT, contact_open=None), grant()
    assert story.at(0, tap) == (Record(tap.event), unlock(5), MovePerson("alice", "inside"))
    assert story.wait_until(60) == [Relock()]


def test_grant_through_an_open_door_is_taken_at_once() -> None:
    """Who taps while the door stands open walks in without opening it."""
    story = Story()
    story.at(0, grant("alice"))
    story.at(1, ContactChanged(open=True))
    tap = grant("bob")
    assert story.at(2, tap) == (Record(tap.event), unlock(7), MovePerson("bob", "inside"))
    assert story.at(3, ContactChanged(open=False)) == (record(E.DOOR_CLOSED),)
    assert story.name == "unlocked"
    assert story.wait_until(60) == [Relock()]


def test_nobody_moves_when_the_person_or_the_area_is_not_known() -> None:
    """A move needs both."""
    story = Story(NO_CONTACT, contact_open=None)
    assert len(story.at(0, grant(leads_to=None))) == 2


def test_grants_that_wait_are_bounded_and_none_is_forgotten() -> None:
    """Past the bound the oldest counts as not taken at once; the rest when time is up."""
    story = Story()
    taps = [grant(f"p{number}") for number in range(MAX_WAITING + 2)]
    effects = [effect for tap in taps for effect in story.at(0, tap)]
    assert [effect for effect in effects if effect in (not_taken(taps[0]), not_taken(taps[1]))] == [
        not_taken(taps[0]),
        not_taken(taps[1]),
    ]
    assert story.wait_until(9) == [Relock(), *(not_taken(tap) for tap in taps[2:])]


# REX


@pytest.mark.parametrize("mode", DoorMode)
def test_rex_unlocks_before_it_is_recorded_in_every_mode(mode: DoorMode) -> None:
    """Life safety first: not even a dying disk stands before the way out."""
    story = Story(mode=mode)
    until_s = None if mode is DoorMode.UNLOCKED else BOOT_S + 4
    assert story.at(1, RexChanged(pressed=True)) == (Unlock(until_s), record(E.REX_PRESSED))
    assert story.door.unlocked


def test_rex_runs_from_its_release() -> None:
    """Three seconds after the button is let go."""
    story = Story()
    story.at(0, RexChanged(pressed=True))
    assert story.at(1, RexChanged(pressed=False)) == (unlock(4),)
    assert story.wait_until(60) == [Relock()]


def test_held_rex_keeps_the_lock_unlocked_without_a_gap() -> None:
    """Each renewal comes before the last bound ends, so that no second guard locks in between."""
    story = Story()
    story.at(0, RexChanged(pressed=True))
    until_s = BOOT_S + 3
    for effect in story.wait_until(20):
        assert isinstance(effect, Unlock)
        assert effect.until_s is not None
        assert until_s < effect.until_s <= until_s + 3
        until_s = effect.until_s
    assert until_s > BOOT_S + 20


def test_stuck_rex_is_an_alarm_and_still_unlocks() -> None:
    """A wedged button leaves a door unlocked: somebody must know, and nothing may lock people in."""
    story = Story()
    story.at(0, RexChanged(pressed=True))
    records = [effect for effect in story.wait_until(REX_STUCK_S * 3) if isinstance(effect, Record)]
    assert records == [record(E.INPUT_TAMPERED, input="rex", pressed_s=REX_STUCK_S)]
    assert story.door.unlocked
    assert story.at(360.5, RexChanged(pressed=False)) == (unlock(363.5), record(E.INPUT_RESTORED, input="rex"))
    assert story.wait_until(500) == [Relock()]


def test_opening_within_rex_time_is_not_forced_even_if_rex_does_not_unlock() -> None:
    """Where the button cuts the power itself, the agent must still know that somebody is leaving."""
    story = Story(replace(SETTINGS, rex_unlocks=False))
    assert story.at(0, RexChanged(pressed=True)) == (record(E.REX_PRESSED),)
    assert story.at(1, RexChanged(pressed=False)) == ()
    assert story.at(3.9, ContactChanged(open=True)) == (record(E.DOOR_OPENED),)


def test_opening_after_rex_time_is_forced() -> None:
    """The shunt has an end."""
    story = Story(replace(SETTINGS, rex_unlocks=False))
    story.at(0, RexChanged(pressed=True))
    story.at(1, RexChanged(pressed=False))
    assert story.at(4, ContactChanged(open=True)) == (record(E.DOOR_FORCED),)


def test_opening_from_outside_does_not_cut_rex_short() -> None:
    """Alice opens from outside and the door falls shut again; the way out stays free for whoever pressed REX."""
    story = Story()
    story.at(0, grant("alice"))
    story.at(0.5, RexChanged(pressed=True))
    story.at(0.6, RexChanged(pressed=False))
    assert story.at(1, ContactChanged(open=True))[0] == unlock(3.6)
    story.at(2, ContactChanged(open=False))
    assert story.at(3, ContactChanged(open=True)) == (record(E.DOOR_OPENED),)


# The leaf


def test_opening_without_cause_is_forced_and_ends_when_shut() -> None:
    """Forced is told once and never turns into held."""
    story = Story()
    assert story.at(1, ContactChanged(open=True)) == (record(E.DOOR_FORCED),)
    assert story.name == "forced"
    assert story.wait_until(3600) == []
    assert story.at(3601, ContactChanged(open=False)) == (record(E.DOOR_CLOSED),)
    assert story.name == "locked"


def test_held_and_forced_are_distinct_and_held_comes_only_after_its_time() -> None:
    """D8: an inverted comparison and a shared alarm code once made these two one."""
    story = Story()
    story.at(0, grant())
    story.at(1, ContactChanged(open=True))
    assert story.at(25.999, TimePassed()) == ()
    assert story.at(26, TimePassed()) == (record(E.DOOR_HELD_WARNED),)
    assert story.at(30.999, TimePassed()) == ()
    assert story.at(31, TimePassed()) == (record(E.DOOR_HELD),)
    assert story.name == "held"
    assert story.wait_until(3600) == []
    assert story.at(3600, ContactChanged(open=False)) == (record(E.DOOR_CLOSED),)
    assert story.name == "locked"


def test_no_pre_alarm_when_its_time_is_zero() -> None:
    """Held comes without a warning."""
    story = Story(replace(SETTINGS, pre_alarm_s=0.0), contact_open=True)
    assert story.wait_until(60) == [record(E.DOOR_HELD)]


def test_door_that_is_open_at_start_is_told_as_open_and_not_as_forced() -> None:
    """D9: the contact is read, not assumed; nobody knows who opened it, and the held-open timer runs."""
    story = Story(contact_open=True)
    assert story.at_start == (Relock(), record(E.DOOR_OPENED, at_start=True))
    assert (story.name, story.door.contact_open) == ("open", True)
    assert story.wait_until(60) == [record(E.DOOR_HELD_WARNED), record(E.DOOR_HELD)]


def test_repeated_or_missed_edges_heal_themselves() -> None:
    """D9: the contact's level counts, not the number of its edges."""
    story = Story()
    story.at(0, ContactChanged(open=True))
    assert story.at(1, ContactChanged(open=True)) == ()
    assert story.at(2, ContactChanged(open=False)) == (record(E.DOOR_CLOSED),)
    assert story.at(3, ContactChanged(open=False)) == ()


def test_reopening_after_the_strike_relocked_is_forced() -> None:
    """The grant was used up by the first opening."""
    story = Story()
    story.at(0, grant())
    story.at(1, ContactChanged(open=True))
    story.at(2, ContactChanged(open=False))
    assert story.at(3, ContactChanged(open=True)) == (record(E.DOOR_FORCED),)


def test_opening_that_debouncing_reports_after_the_relock_is_not_forced() -> None:
    """The door opened at 4.99 s and was reported at 5.02 s: no false alarm."""
    story = Story()
    story.at(0, grant())
    story.at(5, TimePassed())
    assert story.at(4.99, ContactChanged(open=True)) == (record(E.DOOR_OPENED),)


def test_door_without_contact_knows_neither_open_nor_forced() -> None:
    """What can't be seen is not claimed."""
    story = Story(NO_CONTACT, contact_open=True)
    assert story.door.contact_open is None
    assert story.at(1, ContactChanged(open=True)) == ()
    assert story.name == "locked"


# The mode


def test_unlocked_mode_unlocks_without_an_end_and_normal_mode_locks() -> None:
    """Both ends are recorded with the mode as reason."""
    story = Story()
    assert story.at(0, ModeChanged(DoorMode.UNLOCKED)) == (
        Unlock(None),
        record(E.DOOR_UNLOCKED, Reason.MODE, mode="unlocked"),
    )
    assert story.name == "free"
    assert story.at(9, ModeChanged(DoorMode.NORMAL)) == (Relock(), record(E.DOOR_LOCKED, Reason.MODE, mode="normal"))
    assert story.name == "locked"


def test_unlocked_mode_knows_neither_held_nor_forced() -> None:
    """A door that is free to open may stand open."""
    story = Story(mode=DoorMode.UNLOCKED)
    assert story.at(1, ContactChanged(open=True)) == (record(E.DOOR_OPENED),)
    assert story.wait_until(3600) == []


def test_held_timer_starts_when_the_door_stops_being_free() -> None:
    """Who propped it open by day is warned when the night begins, not a second later."""
    story = Story(mode=DoorMode.UNLOCKED, contact_open=True)
    story.at(1000, ModeChanged(DoorMode.NORMAL))
    assert story.name == "open"
    assert story.wait_until(1024.9) == []
    assert story.wait_until(1030) == [record(E.DOOR_HELD_WARNED), record(E.DOOR_HELD)]


@pytest.mark.parametrize("mode", SECURED)
def test_lockdown_withdraws_a_pending_entry(mode: DoorMode) -> None:
    """The strike locks at once, and who was admitted but not inside is told as not taken."""
    story, tap = Story(), grant()
    story.at(0, tap)
    reason = Reason.LOCKDOWN if mode is DoorMode.LOCKDOWN else Reason.DOOR_DISABLED
    assert story.at(1, ModeChanged(mode)) == (
        Relock(),
        record(E.DOOR_LOCKED, Reason.MODE, mode=mode.value),
        not_taken(tap, reason),
    )
    assert story.name == "locked"


@pytest.mark.parametrize("mode", SECURED)
def test_lockdown_leaves_those_on_their_way_out(mode: DoorMode) -> None:
    """A granted exit and REX keep the lock unlocked for as long as they would have."""
    story = Story()
    story.at(0, grant("alice", "out", "outside"))
    story.at(1, grant("bob", "in"))
    assert story.at(2, ModeChanged(mode))[0] == unlock(5)
    assert story.at(3, ContactChanged(open=True)) == (
        Relock(),
        record(E.DOOR_OPENED),
        MovePerson("alice", "outside"),
    )


def test_lockdown_ends_an_exit_that_only_an_entry_kept_waiting() -> None:
    """The exit's own five seconds were over; with the entry goes the last reason to be unlocked."""
    story, leaving, entering = Story(), grant("alice", "out", "outside"), grant("bob", "in")
    story.at(0, leaving)
    story.at(4, entering)
    assert story.at(6, ModeChanged(DoorMode.LOCKDOWN)) == (
        Relock(),
        record(E.DOOR_LOCKED, Reason.MODE, mode="lockdown"),
        not_taken(leaving),
        not_taken(entering, Reason.LOCKDOWN),
    )


@pytest.mark.parametrize("mode", SECURED)
def test_lockdown_lets_a_granted_exit_out(mode: DoorMode) -> None:
    """Lockdown is an entry control."""
    story, tap = Story(mode=mode), grant(direction="out")
    assert story.at(0, tap) == (Record(tap.event), unlock(5))


@pytest.mark.parametrize("mode", SECURED)
def test_entry_grant_that_crossed_with_a_lockdown_does_not_unlock(mode: DoorMode) -> None:
    """The decision was made a moment before; the lock has the last word, and the journal says so."""
    story, tap = Story(mode=mode), grant()
    reason = Reason.LOCKDOWN if mode is DoorMode.LOCKDOWN else Reason.DOOR_DISABLED
    assert story.at(0, tap) == (Record(tap.event), not_taken(tap, reason))
    assert not story.door.unlocked


def test_normal_mode_leaves_a_grant_its_time() -> None:
    """Admitted while the door was free, and the door stops being free: the grant still counts."""
    story = Story(mode=DoorMode.UNLOCKED)
    story.at(0, grant())
    assert story.at(1, ModeChanged(DoorMode.NORMAL)) == (
        unlock(5),
        record(E.DOOR_LOCKED, Reason.MODE, mode="normal", still_unlocked=True),
    )


# Fire


def test_held_timer_starts_when_a_fire_is_over() -> None:
    """Doors propped open for the evacuation get their whole time after the reset."""
    story = Story(contact_open=True)
    story.at(20, FireChanged(active=True))
    story.at(21, FireChanged(active=False))
    story.at(1000, FireResetRequested("guard"))
    assert story.name == "open"
    assert story.wait_until(1024.9) == []
    assert story.wait_until(1030) == [record(E.DOOR_HELD_WARNED), record(E.DOOR_HELD)]


@pytest.mark.parametrize("mode", DoorMode)
def test_fire_unlocks_without_an_end_before_it_is_recorded_in_every_mode(mode: DoorMode) -> None:
    """Fire beats every mode, and no second guard may take it back."""
    story = Story(mode=mode)
    assert story.at(0, FireChanged(active=True)) == (Unlock(None, emergency=True), record(E.FIRE_ACTIVATED))
    assert (story.name, story.door.unlocked) == ("fire", True)


def test_fire_stays_latched_until_it_is_reset_by_hand() -> None:
    """The input clears, the door stays unlocked; only a reset, and only then, locks it."""
    story = Story()
    story.at(0, FireChanged(active=True))
    refusal = story.at(1, FireResetRequested("guard"))
    why = "the fire input is active"
    assert refusal == (record(E.COMMAND_REFUSED, Reason.FIRE, command="fire-reset", who="guard", why=why),)
    assert story.at(2, FireChanged(active=False)) == (record(E.FIRE_CLEARED),)
    assert story.wait_until(3600) == []
    assert story.door.unlocked
    assert story.at(3600, FireResetRequested("guard")) == (
        record(E.FIRE_RESET, who="guard", mode="normal"),
        Relock(),
    )
    assert story.name == "locked"


def test_reset_without_fire_is_refused_and_the_name_is_capped() -> None:
    """There is nothing to end, and a peer's text can't grow an event past its size."""
    (refusal,) = Story().at(0, FireResetRequested("x" * 5000))
    who = "x" * MAX_WHO
    assert refusal == record(E.COMMAND_REFUSED, command="fire-reset", who=who, why="no fire is latched")


def test_reset_leads_to_what_the_mode_demands() -> None:
    """A mode that came during the fire is obeyed after it."""
    story = Story()
    story.at(0, FireChanged(active=True))
    assert story.at(1, ModeChanged(DoorMode.UNLOCKED)) == ()
    story.at(2, FireChanged(active=False))
    assert story.at(3, FireResetRequested("guard"))[-1] == Unlock(None, emergency=False)
    assert story.name == "free"


def test_lockdown_during_fire_never_locks() -> None:
    """On conflict fire wins."""
    story = Story()
    story.at(0, FireChanged(active=True))
    assert story.at(1, ModeChanged(DoorMode.LOCKDOWN)) == ()
    assert story.door.unlocked


def test_fire_knows_openings_but_no_alarms_of_the_leaf() -> None:
    """Who left is of interest; that they left the door open is not."""
    story = Story()
    story.at(0, FireChanged(active=True))
    assert story.at(1, ContactChanged(open=True)) == (record(E.DOOR_OPENED),)
    assert story.wait_until(3600) == []


def test_fire_input_that_comes_back_is_recorded_again() -> None:
    """The latch held all the while; the reset is refused again."""
    story = Story()
    story.at(0, FireChanged(active=True))
    story.at(1, FireChanged(active=False))
    assert story.at(2, FireChanged(active=True))[1:] == (record(E.FIRE_ACTIVATED),)
    assert story.at(3, FireResetRequested("guard"))[0] != record(E.FIRE_RESET)


def test_fire_latch_survives_a_restart() -> None:
    """Power came back with the latch set and the input clear: still unlocked, still to be reset."""
    story = Story(mode=DoorMode.LOCKDOWN, fire_latched=True)
    assert story.at_start == (Unlock(None, emergency=True), record(E.DOOR_UNLOCKED, Reason.FIRE, at_start=True))
    assert Relock() in story.at(1, FireResetRequested("guard"))


# Start, tamper, time


@pytest.mark.parametrize(
    ("story", "effects", "name"),
    [
        (Story(), (Relock(),), "locked"),
        (Story(mode=DoorMode.LOCKDOWN), (Relock(),), "locked"),
        (
            Story(mode=DoorMode.UNLOCKED),
            (Unlock(None), record(E.DOOR_UNLOCKED, Reason.MODE, mode="unlocked", at_start=True)),
            "free",
        ),
        (
            Story(mode=DoorMode.LOCKDOWN, fire_active=True),
            (Unlock(None, emergency=True), record(E.FIRE_ACTIVATED, at_start=True)),
            "fire",
        ),
        (Story(rex_pressed=True), (unlock(3), record(E.REX_PRESSED, at_start=True)), "unlocked"),
        (Story(tampered=True), (Relock(), record(E.INPUT_TAMPERED, input="tamper", at_start=True)), "locked"),
    ],
)
def test_start_brings_lock_and_journal_into_line(story: Story, effects: tuple[Effect, ...], name: str) -> None:
    """A door starts as it is found: the lock first, then what is not as usual."""
    assert story.at_start == effects
    assert story.name == name


def test_tamper_is_recorded_and_leaves_the_lock_alone() -> None:
    """An opened cabinet is an alarm, not a reason to lock or unlock."""
    story = Story()
    assert story.at(0, TamperChanged(active=True)) == (record(E.INPUT_TAMPERED, input="tamper"),)
    assert story.at(1, TamperChanged(active=True)) == ()
    assert story.at(2, TamperChanged(active=False)) == (record(E.INPUT_RESTORED, input="tamper"),)


def test_late_clock_does_what_was_missed_in_its_order() -> None:
    """The loop hung for an hour: relock, then not taken; later the warning before the alarm."""
    story, tap = Story(), grant()
    story.at(0, tap)
    assert story.at(3600, ContactChanged(open=True)) == (Relock(), not_taken(tap), record(E.DOOR_FORCED))
    story = Story(contact_open=True)
    assert story.at(3600, TimePassed()) == (record(E.DOOR_HELD_WARNED), record(E.DOOR_HELD))


def test_rex_after_a_hang_is_answered_before_what_was_missed() -> None:
    """No relock and no record stands before the unlock."""
    story, tap = Story(), grant()
    story.at(0, tap)
    assert story.at(9, RexChanged(pressed=True)) == (unlock(12), record(E.REX_PRESSED), not_taken(tap))


def test_rex_that_does_not_unlock_does_not_revive_a_grant_after_a_hang() -> None:
    """Such a press is only noted; the grant whose time is over is ended, not said again."""
    story, tap = Story(replace(SETTINGS, rex_unlocks=False)), grant()
    story.at(0, tap)
    assert story.at(9, RexChanged(pressed=True)) == (Relock(), not_taken(tap), record(E.REX_PRESSED))


EVERYTHING: list[DoorInput] = [
    RexChanged(pressed=True),
    ContactChanged(open=True),
    TamperChanged(active=True),
    FireChanged(active=True),
    ModeChanged(DoorMode.LOCKDOWN),
    TimePassed(),
]


@pytest.mark.parametrize("happened", EVERYTHING, ids=repr)
def test_same_news_twice_is_news_once(happened: DoorInput) -> None:
    """An input that repeats itself changes nothing."""
    story = Story()
    story.at(0, happened)
    before: DoorState = story.door
    assert story.at(0, happened) == ()
    assert story.door == before


@pytest.mark.parametrize(
    "wrong", [{"strike_s": 0.0}, {"rex_unlock_s": 0.0}, {"pre_alarm_s": 30.0}, {"pre_alarm_s": -1.0}]
)
def test_settings_that_no_door_could_keep_are_refused(wrong: dict[str, float]) -> None:
    """A zero time would renew for ever; a warning can't come after its alarm."""
    with pytest.raises(ValueError, match="must be at least"):
        replace(SETTINGS, **wrong)  # type: ignore[arg-type]  # field by field it is right


# The table


def test_table_names_every_state_and_trigger_once() -> None:
    """Nothing is left to chance: a pair is either a row or ignored for a reason."""
    handled = [(state, row.trigger) for row in ROWS for state in row.states]
    ignored = [(state, entry.trigger) for entry in IGNORED for state in entry.states]
    assert sorted(handled + ignored) == sorted((state, trigger) for state in DoorStateName for trigger in Trigger)
    assert len(TABLE) == len(handled)
    assert all(entry.why for entry in IGNORED)


def test_every_act_is_used_and_has_a_meaning() -> None:
    """The table and its carrying out name the same acts."""
    assert {act for row in ROWS for act in row.acts} == set(Act) == set(ACTS)


def test_every_choice_has_an_end() -> None:
    """Whatever holds after the acts, there is a next state."""
    assert all(row.to[-1][0] is When.ELSE for row in ROWS if row.to)


def test_nothing_stands_before_the_unlock_for_life_safety() -> None:
    """In every row of fire and REX no record comes before the lock is driven."""
    for row in ROWS:
        if row.trigger in (Trigger.FIRE_ON, Trigger.REX_PRESSED):
            assert not any(act.name.startswith("RECORD") for act in row.acts[: row.acts.index(Act.UNLOCK)])
        if row.trigger is Trigger.GRANTED:
            assert row.acts.index(Act.RECORD_TAP) < row.acts.index(Act.UNLOCK)
