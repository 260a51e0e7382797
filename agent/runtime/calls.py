"""Blocking calls that a worker can be stopped in: the call gets a thread of its own, the worker beats and looks."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Final, TypeVar

from agent.errors import AgentError

T = TypeVar("T")

SLICE_S: Final = 0.25
"""No wait of a worker is longer than this without a heartbeat and a look at `stop`."""
CALL_LIMIT_S: Final = 3600.0
"""Far above what the clients' own timeouts allow (a snapshot over the worst of links): past it the call is lost."""


class Stopped(Exception):  # noqa: N818 - no error
    """The worker was told to stop; leaves its `run` quietly."""


class CallStuck(AgentError):  # noqa: N818
    """A call did not come back. The worker dies of it, so that it is seen and started anew."""


def call(
    function: Callable[[], T],
    *,
    name: str,
    stop: threading.Event,
    beat: Callable[[], None],
    limit_s: float = CALL_LIMIT_S,
) -> T:
    """What `function` returns or raises; raises Stopped, CallStuck.

    At a stop the call is left behind: its thread ends when the call does, or with the process. So `function` must be
    harmless when nobody waits for it any more.
    """
    future: Future[T] = Future()

    def body() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - a thread's boundary: raised again where the call was made
            future.set_exception(error)

    thread = threading.Thread(target=body, name=name, daemon=True)
    thread.start()
    started_s = time.monotonic()
    while True:
        beat()
        wait((future,), SLICE_S)
        alive = thread.is_alive()  # before the look at what it left
        if future.done():
            return future.result()
        if not alive:
            raise CallStuck(f"{name}: its thread ended without an answer")
        if stop.is_set():
            raise Stopped
        if time.monotonic() - started_s > limit_s:
            raise CallStuck(f"{name}: no answer after {limit_s:.0f} s")


def pause(
    seconds: float, stop: threading.Event, beat: Callable[[], None], *, until: Callable[[float], bool] | None = None
) -> None:
    """Wait, beating; ends early when `until` says so. Raises Stopped.

    `until` is asked again and again; it waits up to the seconds it is given for what it watches. Without it the wait
    is for `stop`, and a stop is noticed at once.
    """
    end_s = time.monotonic() + seconds
    while True:
        beat()
        left_s = end_s - time.monotonic()
        if stop.is_set():
            raise Stopped
        if left_s <= 0:
            return
        slice_s = min(left_s, SLICE_S)
        if until is None:
            stop.wait(slice_s)
        elif until(slice_s):
            return
