"""Wait on a condition with a bound, instead of sleeping for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, timeout_s: float = 10.0) -> T:
    """The first true value of `condition`; AssertionError naming `what` after `timeout_s`."""
    until_s = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until_s:
            raise AssertionError(f"waited {timeout_s:g} s in vain for: {what}")
        time.sleep(0.005)
