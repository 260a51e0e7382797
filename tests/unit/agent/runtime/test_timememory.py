"""The newest time seen outlives a reboot."""

from agent.core.timekeeping import Seen
from agent.runtime.timememory import SAVE_EVERY_S, TimeMemory
from tests.rigs.fakes import MemoryState

NOW_S = 1_790_000_000.0


class SeeingClock:
    def __init__(self) -> None:
        self.now = Seen()
        self.told: list[Seen] = []

    def seen(self) -> Seen:
        return self.now

    def remember(self, seen: Seen) -> None:
        self.told.append(seen)


def test_what_was_seen_is_told_to_the_clock_after_a_reboot() -> None:
    """Each witness's own; saved no more often than every hour."""
    state, clock = MemoryState(), SeeingClock()
    memory = TimeMemory(state, clock)
    assert clock.told == [Seen()]
    clock.now = Seen(system_s=NOW_S, cloud_s=NOW_S - 5)
    memory.keep()
    clock.now = Seen(system_s=NOW_S + SAVE_EVERY_S - 1, cloud_s=NOW_S + SAVE_EVERY_S)
    memory.keep()
    rebooted = SeeingClock()
    TimeMemory(state, rebooted)
    assert rebooted.told == [Seen(system_s=NOW_S, cloud_s=NOW_S + SAVE_EVERY_S)]


def test_what_was_put_right_is_saved_at_once() -> None:
    """A floor that was too high must not come back with the next boot."""
    state, clock = MemoryState(), SeeingClock()
    memory = TimeMemory(state, clock)
    clock.now = Seen(system_s=NOW_S + 1e6)
    memory.keep()
    clock.now = Seen(system_s=NOW_S)
    memory.keep()
    rebooted = SeeingClock()
    TimeMemory(state, rebooted)
    assert rebooted.told == [Seen(system_s=NOW_S)]


def test_a_disk_that_refuses_and_entries_that_are_no_times_stop_nothing() -> None:
    """The door works on with what it has."""
    for text in ("soon", "nan", "inf", ""):
        state, clock = MemoryState(), SeeingClock()
        state.save("time", "system_s", text)
        TimeMemory(state, clock)
        assert clock.told == [Seen()]
    state, clock = MemoryState(), SeeingClock()
    memory = TimeMemory(state, clock)
    state.broken = True
    clock.now = Seen(system_s=NOW_S)
    memory.keep()


def test_a_disk_that_refuses_at_the_start_holds_up_no_door() -> None:
    """Nothing is remembered then."""
    state, clock = MemoryState(), SeeingClock()
    state.broken = True
    TimeMemory(state, clock)
    assert clock.told == [Seen()]
