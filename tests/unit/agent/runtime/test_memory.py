"""What a controller remembers: areas, fire states, and how old its list is."""

import math
from pathlib import Path

import pytest

from agent.runtime.listage import ListAge
from agent.runtime.presence import Presence
from agent.storage.state import SqliteStateStore
from tests.rigs.fakes import FakeClock, MemoryState


def test_areas_and_fire_states_survive_a_restart() -> None:
    """A restart neither lets a person in twice nor ends a fire state."""
    state = MemoryState()
    before = Presence(state)
    before.move("p1", "hq")
    before.latch_fire("front", latched=True)
    after = Presence(state)
    assert after.area("p1") == "hq"
    assert after.fire_latched("front")
    assert ("fire", "front") in state.durable


def test_a_byte_that_rots_in_a_fire_state_ends_none(tmp_path: Path) -> None:
    """That the entry is there is what counts: a maglock would lock again in a fire."""
    with SqliteStateStore(tmp_path, on_set_aside=pytest.fail) as state:
        Presence(state).latch_fire("front", latched=True)
    path = tmp_path / "state.db"
    data = path.read_bytes()
    assert data.count(b"latched") == 1
    path.write_bytes(data.replace(b"latched", b"l\xfftched"))
    with SqliteStateStore(tmp_path, on_set_aside=pytest.fail) as state:
        assert Presence(state).fire_latched("front")


def test_a_dead_disk_does_not_stop_a_decision() -> None:
    """What can't be saved is still known now."""
    state = MemoryState()
    presence = Presence(state)
    state.broken = True
    presence.move("p1", "hq")
    presence.latch_fire("front", latched=True)
    assert presence.area("p1") == "hq"
    assert presence.fire_latched("front")


class StarvingState(MemoryState):
    """A `StateStore` for which there is no memory, while `starves`."""

    starves = True

    def save(self, name: str, key: str, value: str | None, *, durable: bool = False) -> None:
        """Keep or remove one entry."""
        if self.starves:
            raise MemoryError
        super().save(name, key, value, durable=durable)


def test_a_fire_state_that_could_not_even_be_handed_on_is_not_taken_for_kept() -> None:
    """The controller latches it again when it is run again."""
    state = StarvingState()
    presence = Presence(state)
    with pytest.raises(MemoryError):
        presence.latch_fire("front", latched=True)
    state.starves = False
    presence.latch_fire("front", latched=True)
    assert Presence(state).fire_latched("front")


def test_list_age_counts_from_the_last_confirmation() -> None:
    """Age is about when the list was last seen to be the newest, not about when it changed."""
    clock = FakeClock()
    age = ListAge(MemoryState())
    assert math.isinf(age.age_s(clock.now()))
    age.confirm(clock.now())
    clock.advance(90)
    assert age.age_s(clock.now()) == 90


def test_list_age_goes_on_through_a_restart_if_the_time_is_known() -> None:
    """A list does not become young by a power cut; without the time nobody can say how old it is."""
    clock, state = FakeClock(), MemoryState()
    ListAge(state).confirm(clock.now())
    clock.advance(3600)
    clock.mono_s = 5.0
    assert ListAge(state).age_s(clock.now()) == 3600
    clock.known = False
    assert math.isinf(ListAge(state).age_s(clock.now()))
