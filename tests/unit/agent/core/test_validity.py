"""Validity bounds against a moment: one rule for cards, persons and memberships."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.model import ClockPolicy
from agent.core.validity import Moment, denial_words, denies
from cloud.contract.items import Card, Membership, Person
from cloud.contract.reasons import Reason

AT = 1_772_622_000
ISSUED = AT - 86_400
DENY, UNTIMED_ONLY, IGNORE = ClockPolicy.DENY, ClockPolicy.UNTIMED_ONLY, ClockPolicy.IGNORE_SCHEDULES
bounds = st.none() | st.integers(AT - 2, AT + 2) | st.integers()
moments = st.builds(Moment, st.none() | st.floats(AT - 3, AT + 3), st.sampled_from(ClockPolicy), st.just(ISSUED))


@pytest.mark.parametrize(
    ("at_s", "since", "until", "reason"),
    [
        (AT, None, None, None),
        (AT, AT, AT + 1, None),
        (AT - 0.001, AT, None, Reason.NOT_YET_VALID),
        (AT + 0.999, None, AT + 1, None),
        (AT, None, AT, Reason.EXPIRED),
        (AT, AT + 1, AT, Reason.NOT_YET_VALID),
    ],
)
def test_bounds_hold_their_start_and_not_their_end(
    at_s: float, since: int | None, until: int | None, reason: Reason | None
) -> None:
    """From <= now < until, to the fraction of a second."""
    assert denies(Membership("g", since, until), Moment(at_s, UNTIMED_ONLY, ISSUED)) is reason


@pytest.mark.parametrize(
    ("clock", "since", "until", "reason"),
    [
        (UNTIMED_ONLY, None, None, None),
        (UNTIMED_ONLY, 0, None, Reason.CLOCK_UNKNOWN),
        (UNTIMED_ONLY, None, 2**40, Reason.CLOCK_UNKNOWN),
        (DENY, 0, None, Reason.CLOCK_UNKNOWN),
        (IGNORE, 2**40, None, None),
        (IGNORE, None, ISSUED, Reason.EXPIRED),
        (IGNORE, None, ISSUED + 1, None),
    ],
)
def test_bounds_without_a_known_time_follow_the_doors_policy(
    clock: ClockPolicy, since: int | None, until: int | None, reason: Reason | None
) -> None:
    """With the list's own time as the least that it can be."""
    assert denies(Membership("g", since, until), Moment(None, clock, ISSUED)) is reason


@given(since=bounds, until=bounds, moment=moments)
def test_cards_persons_and_memberships_follow_one_rule(since: int | None, until: int | None, moment: Moment) -> None:
    """The same bounds give the same answer, and every denial has words."""
    card, person = Card("0" * 32, "p", valid_from=since, valid_until=until), Person("p", True, (), since, until)
    answers = {denies(it, moment) for it in (card, person, Membership("g", since, until))}
    assert len(answers) == 1
    (reason,) = answers
    if reason is not None:
        assert denial_words("the card", card, reason, moment).startswith("the card ")
