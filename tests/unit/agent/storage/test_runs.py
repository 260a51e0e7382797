"""Runs behave as a set of integers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.storage.runs import Runs

_STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 12)), max_size=30)


@given(_STEPS)
def test_runs_equal_a_set_after_any_steps(steps: list[tuple[bool, int, int]]) -> None:
    """Adding and removing runs, every question gets the answer that a plain set gives."""
    runs, model = Runs(), set[int]()
    for adds, first, length in steps:
        last = first + length
        if adds:
            begin, end = runs.add(first, last)
            model |= set(range(first, last + 1))
            assert set(range(begin, end + 1)) <= model
            assert not {begin - 1, end + 1} & model
        else:
            runs.remove(first, last)
            model -= set(range(first, last + 1))
        pairs = list(runs)
        assert {place for a, b in pairs for place in range(a, b + 1)} == model
        assert all(one[1] + 1 < two[0] for one, two in pairwise(pairs))
        assert len(runs) == len(model)
        assert runs.lowest() == min(model, default=None)


@given(_STEPS, st.integers(0, 60), st.integers(0, 60))
def test_questions_about_a_part_equal_a_set(steps: list[tuple[bool, int, int]], at: int, count: int) -> None:
    """Counting, clipping and taking from a place agree with a plain set."""
    runs, model = Runs(), set[int]()
    for adds, first, length in steps:
        (runs.add if adds else runs.remove)(first, first + length)
        model = model | set(range(first, first + length + 1)) if adds else model - set(range(first, first + length + 1))
    above = sorted(place for place in model if place >= at)
    assert runs.count_from(at) == len(above)
    assert (at in runs) == (at in model)
    run = runs.run_from(at)
    assert (run[0] if run else None) == (above[0] if above else None)
    clipped = [place for a, b in runs.clip(at, at + count) for place in range(a, b + 1)]
    assert clipped == [place for place in above if place <= at + count]
    taken = [place for a, b in runs.take_lowest(count, below=at) for place in range(a, b + 1)]
    assert taken == sorted(place for place in model if place < at)[:count]
