"""Effects in their order, locks that fault, unlocks that are renewed, and inputs that reach the doors they concern."""

import pytest

from agent.core.door import DoorSettings, ModeChanged, Tapped
from agent.core.events import EventDraft
from agent.core.model import DecisionSettings
from agent.runtime.doors import ASSERT_EVERY_S, GUARD_MARGIN_S, HOLD_S, DoorUnit
from agent.runtime.doorset import Doors
from agent.runtime.presence import Presence
from agent.runtime.recorder import Recorder
from cloud.contract.events import EventType
from cloud.contract.items import DoorMode
from tests.rigs.fakes import FakeClock, FakeLock, MemoryState, SealingJournal


class House:
    """Doors over fakes; `mode` is what the site says of all of them."""

    def __init__(self, *names: str, mode: DoorMode = DoorMode.NORMAL, follows: str | None = None) -> None:
        self.clock = FakeClock()
        self.journal = SealingJournal()
        self.state = MemoryState()
        self.mode = mode
        self.locks = {name: FakeLock() for name in names}
        self.units = {
            name: DoorUnit(
                settings=DoorSettings(name, 5.0, True, 5.0, 30.0, 5.0, True, False),
                deciding=DecisionSettings(),
                lock=lock,
                fail="secure",
                fire_from=frozenset({name, follows or name}),
            )
            for name, lock in self.locks.items()
        }
        recorder = Recorder(self.journal, self.clock)
        self.doors = Doors(self.units, {}, recorder, Presence(self.state), self.clock, lambda _: self.mode)
        self.doors.start()

    def grant(self, name: str) -> None:
        """Alice is let in."""
        draft = EventDraft(type=EventType.ACCESS_GRANTED, door=name, direction="in", person="alice", reason="allowed")
        self.doors.step(self.units[name], Tapped(draft, granted=True, leads_to="hq"))


def test_a_grant_is_on_disk_before_the_lock_is_told() -> None:
    """Record, then unlock, with the driver's guard a little later than the core's own deadline."""
    house = House("front")
    told: list[int] = []
    unlock = house.locks["front"].unlock

    def watched(for_s: float | None) -> None:
        told.append(len(house.journal.drafts))
        unlock(for_s)

    house.locks["front"].unlock = watched  # type: ignore[method-assign]
    house.grant("front")
    assert told == [1]
    assert house.locks["front"].told == [("lock", None), ("unlock", 5.0 + GUARD_MARGIN_S)]
    house.clock.advance(5.0)
    assert house.doors.time_passes()
    assert not house.locks["front"].unlocked


def test_a_grant_opens_although_the_disk_refuses() -> None:
    """A dying SD card locks nobody out; the event waits."""
    house = House("front")
    house.journal.refuses = True
    house.grant("front")
    assert house.locks["front"].unlocked
    assert house.journal.waiting[0].type is EventType.ACCESS_GRANTED


def test_an_unlock_without_an_end_is_given_in_pieces_and_renewed() -> None:
    """A controller that hangs in unlocked mode ends it by not renewing."""
    house = House("front", mode=DoorMode.UNLOCKED)
    assert house.locks["front"].told[-1] == ("unlock", HOLD_S)
    told = len(house.locks["front"].told)
    house.clock.advance(ASSERT_EVERY_S)
    house.doors.time_passes()
    assert house.locks["front"].told[told:] == [("unlock", HOLD_S)]


def test_a_fire_unlock_is_bounded_by_nothing() -> None:
    """Nobody takes it back but a person: the driver is told so, at once and on every renewal."""
    house = House("front")
    house.doors.input("front.fire", active=True)
    house.clock.advance(ASSERT_EVERY_S)
    house.doors.time_passes()
    assert house.locks["front"].told[-2:] == [("unlock", None)] * 2
    assert house.state.tables["fire"] == {"front": "latched"}


def test_fire_reaches_the_doors_that_follow_and_ends_with_the_last_input() -> None:
    """A door that follows two inputs is clear when both are."""
    house = House("front", "back", follows="front")
    house.doors.input("front.fire", active=True)
    house.doors.input("back.fire", active=True)
    house.doors.input("front.fire", active=False)
    house.doors.reset_fire(None, "guard")
    assert not house.locks["front"].unlocked
    assert house.locks["back"].unlocked
    house.doors.input("back.fire", active=False)
    house.doors.reset_fire("back", "guard")
    assert not house.locks["back"].unlocked


def test_a_lock_that_faults_is_one_alarm_and_is_tried_again() -> None:
    """The fault is recorded once, shown, and heals without a restart."""
    house = House("front")
    house.locks["front"].broken = True
    house.grant("front")
    for _ in range(3):
        house.clock.advance(1.0)
        house.doors.time_passes()
    assert house.journal.types().count("lock.faulted") == 1
    assert house.doors.views()[0].lock_fault == "pin 17 is gone"
    house.locks["front"].broken = False
    house.clock.advance(1.0)
    house.doors.time_passes()
    assert house.doors.views()[0].lock_fault is None
    assert house.locks["front"].unlocked


def test_a_mode_reaches_every_door() -> None:
    """What the site says of its doors is asked again."""
    house = House("front", "back")
    house.mode = DoorMode.UNLOCKED
    house.doors.modes_changed()
    assert all(lock.unlocked for lock in house.locks.values())
    house.doors.step(house.units["front"], ModeChanged(DoorMode.LOCKDOWN))
    assert not house.locks["front"].unlocked


def fail_once(owner: object, method: str) -> None:
    """No memory for the next call of it."""
    real = getattr(owner, method)

    def fail(*_: object, **__: object) -> None:
        setattr(owner, method, real)
        raise MemoryError

    setattr(owner, method, fail)


def test_a_lock_that_could_not_be_told_is_told_again_soon() -> None:
    """Whatever the drive raised: an exit button is pressed for a second or two."""
    house = House("front")
    fail_once(house.locks["front"], "unlock")
    with pytest.raises(MemoryError):
        house.doors.input("front.rex", active=True)
    house.doors.input("front.rex", active=False)
    assert not house.locks["front"].unlocked
    house.clock.advance(1.0)
    house.doors.time_passes()
    assert house.locks["front"].unlocked


@pytest.mark.parametrize("fails", ["clock", "lock", "journal"])
@pytest.mark.parametrize("kind", ["fire", "rex"])
def test_what_failed_in_the_midst_is_made_good_at_the_next_start(kind: str, fails: str) -> None:
    """Before the step, in its drive, or in its record: the controller's thread is run again, and the exit button that
    is still pressed, or the fire, opens then, on every door that it concerns, and the fire is remembered."""
    house = House("front", "back", follows="front")
    owner = {"clock": house.clock, "lock": house.locks["front"], "journal": house.journal}[fails]
    fail_once(owner, {"clock": "now", "lock": "unlock", "journal": "append"}[fails])
    with pytest.raises(MemoryError):
        house.doors.input(f"front.{kind}", active=True)
    house.doors.start()
    house.clock.advance(1.0)
    house.doors.time_passes()
    opened = {"front", "back"} if kind == "fire" else {"front"}
    assert {name for name, lock in house.locks.items() if lock.unlocked} == opened
    assert set(house.state.tables.get("fire", {})) == (opened if kind == "fire" else set())


def test_inputs_that_are_known_are_no_news_at_the_next_start() -> None:
    """The thread is run again: no event and no alarm comes twice."""
    house = House("front")
    for kind in ("rex", "tamper", "fire", "contact"):
        house.doors.input(f"front.{kind}", active=True)
    before = house.journal.types()
    house.doors.start()
    assert house.journal.types() == before


def test_no_input_of_a_bank_is_lost_to_one_that_fails() -> None:
    """A bank that opened again tells all its states at once; the first of them meets a want of memory."""
    house = House("front", "back")
    fail_once(house.clock, "now")
    with pytest.raises(MemoryError):
        house.doors.inputs({"front.rex": True, "back.rex": True})
    house.doors.start()
    assert all(lock.unlocked for lock in house.locks.values())


@pytest.mark.parametrize("when", ["before", "while"])
def test_fire_is_latched_although_its_event_fails(when: str) -> None:
    """The lock was told; a power cut before the thread is run again must not end it. At the start too."""
    house = House("front")
    if when == "while":
        house.units["front"].state = None
        house.doors.inputs({"front.fire": True})
    fail_once(house.journal, "append")
    with pytest.raises(MemoryError):
        house.doors.input("front.fire", active=True) if when == "before" else house.doors.start()
    assert house.locks["front"].unlocked
    assert house.state.tables["fire"] == {"front": "latched"}
