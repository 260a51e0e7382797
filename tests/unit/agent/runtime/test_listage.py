"""How old the allow-list is, across restarts and clocks that are set."""

import math

import pytest

from agent.core.model import Now
from agent.core.timekeeping import SLACK_S
from agent.runtime.listage import ListAge
from tests.rigs.fakes import MemoryState

WALL_S = 1_790_000_000.0


def test_the_age_counts_by_the_monotonic_clock() -> None:
    """Whatever the wall clock does meanwhile."""
    age = ListAge(MemoryState())
    age.confirm(Now(10.0, WALL_S, True))
    assert age.age_s(Now(40.0, 30.0, False)) == 30.0
    assert age.age_s(Now(40.0, WALL_S + 2e6, True)) == 30.0


def test_after_a_restart_it_counts_by_the_known_time_alone() -> None:
    """Without one the age is not known, which is the oldest."""
    state = MemoryState()
    ListAge(state).confirm(Now(10.0, WALL_S, True))
    restarted = ListAge(state)
    assert restarted.age_s(Now(1.0, 30.0, False)) == math.inf
    assert restarted.age_s(Now(1.0, WALL_S + 500, True)) == 500.0
    assert restarted.age_s(Now(1.0, WALL_S - 1, True)) == 0.0


def test_a_clock_that_was_set_back_makes_no_old_list_fresh() -> None:
    """A list that was confirmed after now: one of the two times is wrong, so its age is not known."""
    state = MemoryState()
    ListAge(state).confirm(Now(10.0, WALL_S, True))
    assert ListAge(state).age_s(Now(1.0, WALL_S - SLACK_S - 1, True)) == math.inf


@pytest.mark.parametrize("text", ["177235.000.5", "nan", "inf", "1e999", "", "17723\ufffd2000.5"])
def test_a_time_that_rotted_on_the_disk_is_none(text: str) -> None:
    """A door starts all the same, with a list of unknown age, until somebody confirms it."""
    state = MemoryState({"list": {"confirmed_s": text}})
    age = ListAge(state)
    assert age.age_s(Now(1.0, WALL_S, True)) == math.inf
    age.confirm(Now(2.0, WALL_S, True))
    assert ListAge(state).age_s(Now(1.0, WALL_S + 5, True)) == 5.0
