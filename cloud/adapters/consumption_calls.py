"""How the consumer of the stream calls: once more on a conflict, and side by side where the order does not matter."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, Self, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from cloud.errors import Conflict

_AT_ONCE: Final = 8
"""Calls that wait for their answers side by side, below the ten connections that a client keeps."""
_TRIES: Final = 6
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


class Calls:
    """Does steps side by side. Its threads end with it; the first one of them is only made when it is needed."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="call")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def each(self, step: Callable[[Thing], None], things: Sequence[Thing]) -> None:
        """Do a step for each; once all have ended, the first error is raised."""
        if len(things) < 2:
            for thing in things:
                step(thing)
            return
        done = [self._pool.submit(step, thing) for thing in things]
        wait(done)
        for each in done:
            each.result()
