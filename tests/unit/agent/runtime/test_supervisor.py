"""The supervisor: restarts what dies, stops in order, names what hangs."""

import threading
import time
from collections.abc import Callable

from agent.runtime.supervisor import Supervisor, Worker
from tests.rigs.waiting import wait_for


def test_a_worker_that_dies_is_reported_and_run_again() -> None:
    """Death is an event, not an end."""
    runs: list[None] = []
    failures: list[tuple[str, str]] = []

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        runs.append(None)
        if len(runs) == 1:
            raise OSError("unplugged")
        beat()
        stop.wait()

    supervisor = Supervisor(lambda name, what: failures.append((name, what)))
    supervisor.start(Worker("reader", work))
    wait_for(lambda: len(runs) == 2, "a second run")
    assert failures == [("reader", "OSError: unplugged")]
    wait_for(lambda: not supervisor.troubles(), "recovery")
    assert supervisor.stop(time.monotonic() + 5) == []


def test_a_worker_that_returns_unasked_is_run_again() -> None:
    """A loop that ends silently would be a reader that sulks."""
    runs: list[str] = []
    supervisor = Supervisor(lambda name, what: runs.append(what))
    supervisor.start(Worker("reader", lambda stop, beat: None))
    wait_for(lambda: runs, "the report")
    assert runs[0] == "returned"
    assert supervisor.troubles() == ["worker_failed:reader"]
    supervisor.stop(time.monotonic() + 5)


def test_workers_stop_newest_first() -> None:
    """What was started last may need what was started before."""
    ended: list[str] = []
    supervisor = Supervisor(lambda name, what: None)
    for name in ("controller", "reader", "uplink"):

        def work(stop: threading.Event, beat: Callable[[], None], name: str = name) -> None:
            stop.wait()
            ended.append(name)

        supervisor.start(Worker(name, work))
    supervisor.stop(time.monotonic() + 5)
    assert ended == ["uplink", "reader", "controller"]


def test_a_worker_that_hangs_is_named() -> None:
    """Stopping is bounded; who did not stop is said."""
    release = threading.Event()
    supervisor = Supervisor(lambda name, what: None)
    supervisor.start(Worker("hung", lambda stop, beat: void(release.wait(10))))
    assert supervisor.stop(time.monotonic() + 0.1) == ["hung"]
    release.set()


def void(_: object) -> None:
    """Make a call a statement."""
