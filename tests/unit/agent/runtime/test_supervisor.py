"""The supervisor: restarts what dies, stops in order, names what hangs."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

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


def test_a_worker_without_a_heartbeat_is_silent_until_it_beats_again() -> None:
    """Silence is measured by each worker's own patience."""
    go_on = threading.Event()

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        beat()
        go_on.wait(10)
        while not stop.wait(0.01):
            beat()

    supervisor = Supervisor(lambda name, what: None)
    supervisor.start(Worker("quick", work, patience_s=0.1))
    supervisor.start(Worker("patient", work))
    wait_for(lambda: supervisor.silent() == ["quick"], "the silence to be noticed")
    assert supervisor.troubles() == ["worker_stalled:quick"]
    go_on.set()
    wait_for(lambda: not supervisor.silent(), "the heartbeat")
    assert supervisor.stop(time.monotonic() + 5) == []


def test_a_worker_that_hangs_in_its_second_run_is_silent_too() -> None:
    """One that died and waits to be run again is not silent: a new process would do no better."""
    runs: list[None] = []
    release = threading.Event()

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        runs.append(None)
        if len(runs) == 1:
            raise OSError("unplugged")
        release.wait(10)

    supervisor = Supervisor(lambda name, what: None)
    supervisor.start(Worker("reader", work, patience_s=0.1))
    wait_for(supervisor.troubles, "the death")
    assert supervisor.silent() == []
    wait_for(lambda: supervisor.silent() == ["reader"], "the silence of the second run")
    release.set()
    supervisor.stop(time.monotonic() + 5)


def test_the_kernel_knows_a_worker_by_its_name() -> None:
    """Whoever looks at a hanging agent sees which worker burns or waits."""
    ids: list[int] = []

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        ids.append(threading.get_native_id())
        stop.wait()

    supervisor = Supervisor(lambda name, what: None)
    supervisor.start(Worker("reader-front-in", work))
    wait_for(lambda: ids, "the worker to run")
    assert Path(f"/proc/self/task/{ids[0]}/comm").read_text() == "reader-front-in\n"
    supervisor.stop(time.monotonic() + 5)
