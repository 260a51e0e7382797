"""How the consumer of the stream calls: once more on a conflict, and side by side where the order does not matter."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cloud.errors import Conflict

_AT_ONCE: Final = 8
"""Calls that wait for their answers side by side, below the ten connections that a client keeps."""
_TRIES: Final = 10
"""Of a step that others are quicker at. One controller is consumed by one, one person uses one door at a time."""

Result = TypeVar("Result")
Thing = TypeVar("Thing")


def again_on_conflict(step: Callable[[], Result]) -> Result:
    """Do a step; once more, a little later, while others are quicker. Raises Conflict in the end."""
    return Retrying(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(_TRIES),
        wait=wait_random_exponential(multiplier=0.01, max=0.5),
        reraise=True,
    )(step)


def side_by_side(step: Callable[[Thing], None], things: Sequence[Thing]) -> None:
    """Do a step for each; the first error is raised once all have ended."""
    if len(things) < 2:
        for thing in things:
            step(thing)
        return
    with ThreadPoolExecutor(min(_AT_ONCE, len(things)), thread_name_prefix="call") as pool:
        for _ in pool.map(step, things):
            pass
