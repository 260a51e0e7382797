"""Runs a worker of the agent in a thread, with a heartbeat that is watched."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

JOIN_S = 5.0


@dataclass(slots=True)
class Running:
    """A worker that runs."""

    stop: threading.Event = field(default_factory=threading.Event)
    beats: list[float] = field(default_factory=list)
    """Monotonic instants of the heartbeats."""
    failure: BaseException | None = None

    def longest_silence_s(self) -> float:
        """The longest time between two heartbeats so far."""
        return max((later - sooner for sooner, later in zip(self.beats, self.beats[1:], strict=False)), default=0.0)


@contextmanager
def running(run: Callable[[threading.Event, Callable[[], None]], None]) -> Iterator[Running]:
    """Run it until the end of the block; it must have ended by then within JOIN_S, and without an error."""
    worker = Running()

    def body() -> None:
        try:
            run(worker.stop, lambda: worker.beats.append(time.monotonic()))
        except BaseException as error:  # noqa: BLE001 - a thread's boundary: raised again below
            worker.failure = error

    thread = threading.Thread(target=body, name="worker")
    thread.start()
    try:
        yield worker
    finally:
        worker.stop.set()
        thread.join(JOIN_S)
        assert not thread.is_alive(), "the worker did not stop"
    if worker.failure is not None:
        raise worker.failure


def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Wait until the condition holds; fails after `within_s`."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it did not come to hold in time"
        time.sleep(0.005)
