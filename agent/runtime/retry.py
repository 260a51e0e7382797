"""How long to wait after which failure, as data; the attempts themselves are tenacity's."""

from collections.abc import Callable, Mapping
from typing import Final

import tenacity
from tenacity.wait import wait_base

from agent.errors import FailureKind, StorageError, UplinkError

Waits = Mapping[FailureKind, wait_base]

_CREDENTIALS_FACTOR: Final = 10.0
"""Against credentials or a clock that are wrong, trying soon does nothing but spend the data plan."""


def waits(first_s: float, max_s: float) -> Waits:
    """Capped exponential with full jitter: the n-th wait is drawn from 0 to min(max_s, first_s * 2 ** (n - 1)).

    Poison waits `max_s` each time: nothing but a person changes what is refused for good. What has been mended waits
    not at all; who mends does so with a bound.
    """
    growing = tenacity.wait_random_exponential(multiplier=first_s, max=max_s)
    slow = tenacity.wait_random_exponential(multiplier=first_s * _CREDENTIALS_FACTOR, max=max_s)
    return {
        FailureKind.THROTTLED: growing,
        FailureKind.TRANSPORT: growing,
        FailureKind.SERVICE: growing,
        FailureKind.CREDENTIALS_OR_CLOCK: slow,
        FailureKind.MENDED: tenacity.wait_none(),
        FailureKind.POISON: tenacity.wait_fixed(max_s),
    }


def failed_with(state: tenacity.RetryCallState) -> BaseException | None:
    """What the attempt raised; None if it did not."""
    return state.outcome.exception() if state.outcome is not None else None


def attempts(
    table: Waits, *, sleep: Callable[[float], None], failed: Callable[[tenacity.RetryCallState], None]
) -> tenacity.Retrying:
    """Tries without end what raises UplinkError or StorageError; the first success ends it and forgets the waits.

    There is no limit of attempts or age: what must be delivered stays due. A stop comes as what `sleep` raises.
    """

    def wait(state: tenacity.RetryCallState) -> float:
        error = failed_with(state)
        # A disk that does not give or take waits as a service does.
        kind = error.kind if isinstance(error, UplinkError) else FailureKind.SERVICE
        return table[kind](state)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((UplinkError, StorageError)),
        wait=wait,
        sleep=sleep,
        before_sleep=failed,
    )
