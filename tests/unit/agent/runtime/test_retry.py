"""The waits between attempts, as data."""

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import FailureKind, Permanent, StorageError, Transient
from agent.runtime.retry import attempts, waits


def state(attempt: int) -> tenacity.RetryCallState:
    made = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    made.attempt_number = attempt
    return made


@given(
    kind=st.sampled_from(FailureKind),
    attempt=st.integers(1, 1 << 40),
    first_s=st.floats(0.001, 10.0),
    max_s=st.floats(1.0, 3600.0),
)
def test_no_wait_is_above_the_cap(kind: FailureKind, attempt: int, first_s: float, max_s: float) -> None:
    """Each kind has a wait, from 0 to the cap, after any number of failures."""
    assert 0.0 <= waits(first_s, max_s)[kind](state(attempt)) <= max_s


def test_waits_grow_with_full_jitter() -> None:
    """The n-th wait is drawn from 0 to first * 2 ** (n - 1)."""
    table = waits(first_s=0.1, max_s=60.0)
    for attempt, ceiling_s in ((1, 0.1), (4, 0.8), (30, 60.0)):
        drawn = [table[FailureKind.TRANSPORT](state(attempt)) for _ in range(300)]
        assert max(drawn) <= ceiling_s
        assert max(drawn) > ceiling_s * 0.9
        assert min(drawn) < ceiling_s * 0.1


def test_poison_waits_the_longest_at_once() -> None:
    """Trying the same bytes soon can't help."""
    assert waits(0.1, 60.0)[FailureKind.POISON](state(1)) == 60.0


def test_attempts_end_with_the_first_success() -> None:
    """Failures of the cloud and of the disk are tried again, each told, with no limit."""
    failures = [Transient("x", FailureKind.THROTTLED), Permanent("y"), StorageError("z")] * 50
    told: list[int] = []
    slept: list[float] = []

    def attempt() -> str:
        if failures:
            raise failures.pop()
        return "done"

    tries = attempts(waits(0.1, 60.0), sleep=slept.append, failed=lambda state: told.append(state.attempt_number))
    assert tries(attempt) == "done"
    assert told == list(range(1, 151))
    assert len(slept) == 150


def test_attempts_let_our_own_faults_through() -> None:
    """A bug is not retried for ever."""
    tries = attempts(waits(0.1, 60.0), sleep=lambda _: None, failed=lambda _: None)
    with pytest.raises(ZeroDivisionError):
        tries(lambda: 1 // 0)
