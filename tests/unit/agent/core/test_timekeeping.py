"""What is believed of the time: witnesses that are late, wrong, or lying."""

from dataclasses import replace
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.timekeeping import (
    CONFIRM_S,
    MAX_ROUND_TRIP_S,
    MAX_SIGNED_TRIP_S,
    RELEASED_S,
    SETTLED_S,
    SLACK_S,
    Answer,
    Seen,
    Timekeeping,
    Validity,
    Witness,
    advance,
    answer_problem,
    certificate_problem,
    for_credentials_s,
    hear,
    to_sign_s,
)

NOW_S = 1_790_000_000.0
"""The true time when the boot clock shows 0."""
DAY_S = 86_400.0
VALID = Validity(NOW_S - 30 * DAY_S, NOW_S + 300 * DAY_S)


def said(at_s: float, boot_s: float, *, took_s: float = 0.1, validity: Validity = VALID) -> Answer:
    """An answer that names this time."""
    return Answer(formatdate(at_s, usegmt=True), boot_s - took_s, boot_s, validity)


def taught(state: Timekeeping, answer: Answer) -> Timekeeping:
    """What is known after an answer."""
    return advance(hear(state, answer), answer.received_s, None)


def told_s(state: Timekeeping, boot_s: float) -> float | None:
    return None if state.told is None else state.told.at(boot_s)


def after(state: Timekeeping, boot_s: float, system_s: float | None = None) -> float | None:
    """What is told then."""
    return told_s(advance(state, boot_s, system_s), boot_s)


def settled(witness: Witness) -> Timekeeping:
    """A time that was told long enough to count as seen."""
    state = Timekeeping()
    if witness is Witness.CLOUD:
        state = taught(state, said(NOW_S, 0.0))
        return advance(state, SETTLED_S, None)
    return advance(advance(state, 0.0, NOW_S), SETTLED_S, NOW_S + SETTLED_S)


def test_nobody_told_is_not_known() -> None:
    """No witness, no time."""
    assert after(Timekeeping(), 10.0) is None


def test_the_system_is_believed_while_there_is_reason_to_and_goes_on_with_the_boot_clock() -> None:
    """Once the kernel is no longer synchronised, nobody who sets the system's clock moves the told time."""
    state = advance(Timekeeping(), 0.0, NOW_S)
    assert told_s(state, 5.0) == NOW_S + 5.0
    assert after(state, 3600.0) == NOW_S + 3600.0


def test_an_answer_tells_the_time_within_its_doubt() -> None:
    """The Date names a second, written somewhere between request and answer."""
    state = taught(Timekeeping(), said(NOW_S, 100.0, took_s=2.0))
    assert state.told is not None
    assert state.told.witness is Witness.CLOUD
    assert state.told.doubt_s == 1.5
    assert abs(state.told.at(100.0) - (NOW_S + 1.0)) <= state.told.doubt_s


@given(
    true_s=st.floats(RELEASED_S + DAY_S, RELEASED_S + 9e8),
    took_s=st.floats(0.0, MAX_ROUND_TRIP_S - 0.01),
    part=st.floats(0.0, 1.0),
)
def test_the_truth_is_always_within_the_doubt(true_s: float, took_s: float, part: float) -> None:
    """Whenever in the round trip the server wrote its Date."""
    always = Validity(0.0, 1e11)
    written_s = true_s - took_s * (1 - part)
    state = taught(Timekeeping(), said(float(int(written_s)), 50.0, took_s=took_s, validity=always))
    assert state.told is not None
    assert abs(state.told.at(50.0) - true_s) <= state.told.doubt_s + 1e-3


@pytest.mark.parametrize(
    "answer",
    [
        said(NOW_S, 200.0, took_s=MAX_SIGNED_TRIP_S + 0.1),
        said(NOW_S, 100.0, took_s=-1.0),
        said(RELEASED_S - DAY_S, 100.0, validity=Validity(0.0, 1e11)),
        Answer("yesterday", 99.9, 100.0, VALID),
        Answer("Thu, 99 Foo 2026 99:99:99 GMT", 99.9, 100.0, VALID),
        Answer("", 99.9, 100.0, VALID),
        Answer(None, 99.9, 100.0, VALID),
        said(VALID.not_after_s + DAY_S, 100.0),
        said(VALID.not_before_s - DAY_S, 100.0),
    ],
)
def test_an_answer_that_tells_no_time_changes_nothing(answer: Answer) -> None:
    """Too slow, no date, before the release, or outside the validity of its own certificates."""
    assert hear(Timekeeping(), answer) == Timekeeping()


def test_a_slow_answer_is_good_for_signatures_alone() -> None:
    """It may be wrong by more than a decision should be, and by less than AWS minds."""
    state = taught(Timekeeping(), said(NOW_S, 100.0, took_s=MAX_ROUND_TRIP_S + 1.0))
    assert state.told is None
    assert to_sign_s(state, 100.0, 5.0) == pytest.approx(NOW_S, abs=MAX_ROUND_TRIP_S)


@given(st.text(max_size=60))
def test_no_date_breaks_the_reading(text: str) -> None:
    """Whatever the header holds."""
    hear(Timekeeping(), Answer(text, 1.0, 2.0, VALID))


def test_where_both_agree_the_system_tells_until_it_is_in_greater_doubt() -> None:
    """The kernel's time is finer than a Date; hours after it was last synchronised it no longer is."""
    state = advance(taught(Timekeeping(), said(NOW_S, 0.0)), 1.0, NOW_S + 1.2)
    assert state.told is not None
    assert state.told.witness is Witness.SYSTEM
    later = taught(state, said(NOW_S + 40_000, 40_000.0))
    assert later.told is not None
    assert later.told.witness is Witness.CLOUD


@pytest.mark.parametrize("lie_s", [-2 * DAY_S, 2 * DAY_S])
def test_a_system_that_contradicts_the_cloud_is_not_believed(lie_s: float) -> None:
    """NTP is not authenticated: a network that sets the door's clock must not open its schedules."""
    state = taught(Timekeeping(), said(NOW_S, 0.0))
    state = advance(state, 100.0, NOW_S + 100.0 + lie_s)
    assert state.disputed
    assert told_s(state, 100.0) == pytest.approx(NOW_S + 100.0, abs=1.0)


def test_the_cloud_contradicts_what_is_told_only_twice() -> None:
    """One odd answer moves nothing but the signatures; a second one, later, that agrees with it does."""
    state = advance(Timekeeping(), 0.0, NOW_S)
    wrong = NOW_S + 5 * DAY_S
    state = taught(state, said(wrong, 10.0))
    assert told_s(state, 10.0) == NOW_S + 10.0
    assert to_sign_s(state, 10.0, NOW_S) == pytest.approx(wrong, abs=1.0)
    state = taught(state, said(wrong + CONFIRM_S / 2, 10.0 + CONFIRM_S / 2))
    assert told_s(state, 20.0) == NOW_S + 20.0
    state = taught(state, said(wrong + CONFIRM_S, 10.0 + CONFIRM_S))
    assert told_s(state, 20.0) == pytest.approx(wrong + 10.0, abs=1.0)


def test_an_odd_answer_is_forgotten_by_one_that_agrees() -> None:
    """Odd, right, odd: the two odd ones were not in a row."""
    state = advance(Timekeeping(), 0.0, NOW_S)
    state = taught(state, said(NOW_S + DAY_S, 10.0))
    state = taught(state, said(NOW_S + 20.0, 20.0))
    state = taught(state, said(NOW_S + DAY_S + 30.0, 30.0))
    assert told_s(state, 30.0) == pytest.approx(NOW_S + 30.0, abs=1.0)


@pytest.mark.parametrize("witness", list(Witness))
def test_a_system_that_is_set_back_is_not_believed(witness: Witness) -> None:
    """Below what was seen before, the time is not known: an expired card stays expired or is decided by policy."""
    seen = settled(witness).seen
    rebooted = Timekeeping(seen=seen)
    assert after(rebooted, 1.0, NOW_S - DAY_S) is None
    assert after(rebooted, 1.0, NOW_S + DAY_S) == NOW_S + DAY_S


def test_a_system_that_is_set_back_a_little_stands_still_at_the_floor() -> None:
    """Within the slack the floor is told, and never less, until the system has caught up."""
    rebooted = Timekeeping(seen=Seen(system_s=NOW_S))
    assert after(rebooted, 1.0, NOW_S - 100.0) == NOW_S
    assert after(rebooted, 90.0, NOW_S - 11.0) == NOW_S
    assert after(rebooted, 120.0, NOW_S + 19.0) == NOW_S + 19.0
    assert after(rebooted, 1.0, NOW_S - SLACK_S - 1) is None


def test_the_list_in_use_is_a_floor_for_both() -> None:
    """It was signed then, so it is no earlier now."""
    listed = Timekeeping(listed_s=NOW_S)
    assert after(listed, 1.0, NOW_S - DAY_S) is None
    assert taught(listed, said(NOW_S - DAY_S, 1.0)).told is None
    assert after(listed, 1.0, NOW_S + 1.0) == NOW_S + 1.0


def test_the_release_is_a_floor() -> None:
    """A clock in 1970 that calls itself synchronised is not believed."""
    assert after(Timekeeping(), 1.0, 30.0) is None


def test_the_cloud_puts_right_what_only_the_system_had_seen() -> None:
    """A system that once was days ahead must not keep the door without a time for days."""
    ahead = Timekeeping(seen=Seen(system_s=NOW_S + 30 * DAY_S))
    assert after(ahead, 1.0, NOW_S) is None
    state = taught(ahead, said(NOW_S, 1.0))
    assert told_s(state, 1.0) == pytest.approx(NOW_S, abs=1.0)
    assert state.seen.system_s == pytest.approx(NOW_S, abs=1.0)
    assert advance(state, 2.0, NOW_S + 1.0).disputed is False


def test_the_cloud_itself_is_not_believed_below_what_it_had_told() -> None:
    """Whoever holds the key of a certificate that has expired must not turn the time back to when it was valid."""
    rebooted = Timekeeping(seen=Seen(cloud_s=NOW_S))
    assert taught(rebooted, said(NOW_S - DAY_S, 1.0)).told is None


def test_a_time_is_seen_only_once_it_has_settled() -> None:
    """One odd first answer must not stand as a floor for ever."""
    state = taught(Timekeeping(), said(NOW_S + 10 * DAY_S, 0.0))
    assert advance(state, SETTLED_S - 1, None).seen == Seen()
    assert advance(state, SETTLED_S, None).seen.cloud_s == pytest.approx(NOW_S + 10 * DAY_S + SETTLED_S, abs=1.0)


def test_a_jump_starts_the_settling_anew() -> None:
    """What is told after a jump has to last before it counts."""
    state = advance(Timekeeping(), 0.0, NOW_S)
    state = advance(state, SETTLED_S - 10, NOW_S + 2 * DAY_S)
    state = advance(state, SETTLED_S + 10, NOW_S + 2 * DAY_S + 20)
    assert state.seen == Seen()


@given(
    steps=st.lists(
        st.tuples(
            st.floats(0.1, 5000.0),
            st.one_of(st.none(), st.floats(NOW_S - 1e7, NOW_S + 1e7)),
        ),
        max_size=30,
    )
)
def test_the_told_time_is_never_below_the_floor(steps: list[tuple[float, float | None]]) -> None:
    """Whatever the system's clock does: what is told is not below what was seen, and what was seen only grows."""
    state, boot_s = Timekeeping(listed_s=NOW_S - 1e6), 0.0
    for passed_s, system_s in steps:
        boot_s += passed_s
        before = state.seen.system_s
        state = advance(state, boot_s, system_s)
        told = told_s(state, boot_s)
        assert told is None or told >= max(before, NOW_S - 1e6)
        assert state.seen.system_s >= before


def test_certificates_are_judged_by_the_told_time_or_its_floor() -> None:
    """In the words that the translation of errors knows."""
    known = advance(Timekeeping(), 0.0, NOW_S)
    old, young = Validity(0.0, NOW_S - DAY_S), Validity(NOW_S + DAY_S, NOW_S + 2 * DAY_S)
    assert certificate_problem(known, 0.0, VALID) is None
    assert certificate_problem(known, 0.0, old) == "certificate has expired"
    assert certificate_problem(known, 0.0, young) == "certificate is not yet valid"
    unknown = Timekeeping()
    assert certificate_problem(unknown, 0.0, young) is None
    assert certificate_problem(unknown, 0.0, Validity(0.0, RELEASED_S - 1)) == "certificate has expired"
    assert certificate_problem(Timekeeping(seen=Seen(cloud_s=NOW_S)), 0.0, old) == "certificate has expired"
    # A site whose publisher dated its list into the future must still be able to put that right.
    assert certificate_problem(Timekeeping(listed_s=NOW_S + 1e9), 0.0, VALID) is None


@pytest.mark.parametrize(
    "answer",
    [
        said(VALID.not_after_s + 10, 1.0),
        said(VALID.not_before_s - DAY_S, 1.0),
        said(VALID.not_after_s + 10, 60.0, took_s=50.0),
        Answer(None, 0.0, 1.0, VALID),
    ],
)
def test_an_answer_outside_its_certificates_is_refused_while_the_time_is_not_known(answer: Answer) -> None:
    """Their dates could not be judged when the connection was made; being slow or silent is no way round that."""
    assert answer_problem(Timekeeping(), answer) is not None
    assert answer_problem(advance(Timekeeping(), 0.0, NOW_S), answer) is None
    assert answer_problem(Timekeeping(), said(NOW_S, 1.0)) is None


def test_signatures_go_by_the_cloud_then_by_what_is_told_then_by_the_best_guess() -> None:
    """The best guess is the system's clock, but never below the floor."""
    assert to_sign_s(Timekeeping(), 1.0, NOW_S) == NOW_S
    assert to_sign_s(Timekeeping(listed_s=NOW_S), 1.0, 5.0) == NOW_S
    known = advance(Timekeeping(), 0.0, NOW_S)
    assert to_sign_s(known, 1.0, 5.0) == NOW_S + 1.0
    assert to_sign_s(taught(known, said(NOW_S + 9.0, 1.0)), 1.0, 5.0) == pytest.approx(NOW_S + 9.0, abs=1.0)


def test_credentials_never_look_expired_without_a_known_time() -> None:
    """A clock that is days ahead makes fresh ones look expired; the floor does not."""
    unknown = Timekeeping(listed_s=NOW_S)
    assert for_credentials_s(unknown, 1.0) == NOW_S
    assert for_credentials_s(replace(unknown, seen=Seen(system_s=NOW_S + 5)), 1.0) == NOW_S + 5
    assert for_credentials_s(advance(unknown, 0.0, NOW_S + 9), 1.0) == NOW_S + 10
