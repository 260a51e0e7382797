"""When a change of an input counts."""

from hypothesis import given
from hypothesis import strategies as st

from hardware.gpio.debounce import FLUTTER_LIMIT, Debouncer

HOLD_MS = 30
WAVES = st.lists(st.integers(min_value=1, max_value=90), max_size=40)
"""Lengths in milliseconds of alternating levels, the first one resting."""


def _played(wave: list[int], *, tell_edges: bool) -> list[tuple[int, int, bool]]:
    """(read at, first edge, level) of all settled changes of a wave that is read every millisecond."""
    debouncer = Debouncer(False, 0, HOLD_MS)
    found = []
    now, level = 0, False
    for length in [*wave, 3 * HOLD_MS]:
        for _ in range(length):
            first = debouncer.feed(level, now)
            if first is not None:
                found.append((now, int(first), level))
            now += 1
        level = not level
        if tell_edges:
            debouncer.edge(now)
    return found


def _expected(wave: list[int]) -> list[tuple[int, bool]]:
    """(when, level) for every level that lasts longer than the hold time and is news."""
    found = []
    now, level, stable = 0, False, False
    for length in [*wave, 3 * HOLD_MS]:
        if level != stable and length > HOLD_MS:
            stable = level
            found.append((now + HOLD_MS, level))
        now += length
        level = not level
    return found


@given(WAVES, st.booleans())
def test_debouncer_settles_exactly_what_lasts_for_its_hold_time(wave: list[int], tell_edges: bool) -> None:
    """Neither a shorter change nor a train of them counts; a longer one does, at once when its time is over."""
    assert [(at, level) for at, _, level in _played(wave, tell_edges=tell_edges)] == _expected(wave)


@given(WAVES)
def test_debouncer_reports_alternating_levels(wave: list[int]) -> None:
    """No level is reported twice in a row."""
    levels = [level for _, _, level in _played(wave, tell_edges=False)]
    assert levels == [place % 2 == 0 for place in range(len(levels))]


@given(WAVES)
def test_debouncer_dates_a_change_to_an_edge_before_it_by_a_bounded_time(wave: list[int]) -> None:
    """The first edge is one of the wave (or its start), no younger than the hold time, no older than a flutter."""
    edges = [sum(wave[:place]) for place in range(len(wave) + 1)]
    for at, first, _ in _played(wave, tell_edges=False):
        assert first in edges
        assert HOLD_MS <= at - first <= (FLUTTER_LIMIT + 1) * HOLD_MS


@given(st.lists(st.integers(min_value=0, max_value=5), min_size=1, max_size=200))
def test_debouncer_is_not_fooled_by_readings_that_miss_the_gaps(gaps_ms: list[int]) -> None:
    """Told of edges less than the hold time apart, it never settles, although every reading says active."""
    debouncer = Debouncer(False, 0, HOLD_MS)
    now = HOLD_MS
    for gap in gaps_ms:
        now += gap
        debouncer.edge(now)
        assert debouncer.feed(True, now) is None


def test_debouncer_dates_a_bouncing_press_to_its_first_edge() -> None:
    """The instant of a change is when the contact first touched."""
    assert _played([100, 2, 3], tell_edges=False) == [(135, 100, True)]


def test_debouncer_ignores_an_edge_that_is_told_late() -> None:
    """An edge from before the last reading that showed a change does not move the hold time."""
    debouncer = Debouncer(False, 0.0, 0.03)
    assert debouncer.feed(True, 1.0) is None
    debouncer.edge(0.5)
    assert debouncer.due_s == 1.03
    assert debouncer.feed(True, 1.03) == 1.0
    assert debouncer.stable
