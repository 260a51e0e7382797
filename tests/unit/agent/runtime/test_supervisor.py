"""The supervisor: restarts what dies, stops in order, names what hangs."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.runtime.supervisor import FIRST_RESTART_S, STEADY_S, Supervisor, Worker
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


def test_a_vital_worker_that_can_not_be_kept_running_is_silent_and_another_is_not() -> None:
    """A door without its controller needs a new process; one without a reader, a disk or a cloud does not."""
    supervisor = Supervisor(lambda name, what: None)

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        beat()
        raise OSError("again")

    supervisor.start(Worker("reader", work, patience_s=0.1))
    supervisor.start(Worker("controller", work, patience_s=0.1, vital=True))
    wait_for(lambda: supervisor.silent() == ["controller"], "the silence of what dies again and again")
    assert supervisor.stop(time.monotonic() + 5) == []


def test_a_vital_worker_is_run_again_without_growing_waits() -> None:
    """The exit button waits with it: each time as long as the first time."""
    died_s: list[float] = []
    supervisor = Supervisor(lambda name, what: died_s.append(time.monotonic()))

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        raise OSError("again")

    supervisor.start(Worker("controller", work, vital=True))
    wait_for(lambda: len(died_s) == 4, "four deaths")
    assert supervisor.stop(time.monotonic() + 5) == []
    assert died_s[3] - died_s[0] < FIRST_RESTART_S * (2 + 4)


def test_a_vital_worker_that_died_once_is_vouched_for() -> None:
    """One death is an event; the run that follows it is what counts."""
    runs: list[None] = []

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        runs.append(None)
        if len(runs) == 1:
            raise OSError("once")
        while not stop.wait(0.01):
            beat()

    supervisor = Supervisor(lambda name, what: None)
    worker = Worker("controller", work, vital=True)
    supervisor.start(worker)
    wait_for(lambda: worker.down_since_s is not None, "the death")
    wait_for(lambda: worker.down_since_s is None, "a steady run", STEADY_S + 10)
    assert supervisor.silent() == []
    assert supervisor.stop(time.monotonic() + 5) == []


def test_a_worker_whose_death_can_not_be_reported_is_run_again() -> None:
    """No memory for the report must not cost the worker too; how many were lost is in the next report."""
    runs: list[None] = []
    seen: list[int] = []

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        runs.append(None)
        raise MemoryError

    def report(name: str, what: str) -> None:
        seen.append(worker.unreported)
        if len(runs) < 3:
            raise MemoryError

    worker = Worker("controller", work)
    supervisor = Supervisor(report)
    supervisor.start(worker)
    wait_for(lambda: len(seen) == 3, "a report that succeeds")
    assert seen == [0, 1, 2]
    assert supervisor.troubles() == ["worker_failed:controller"]
    assert supervisor.silent() == []
    assert supervisor.stop(time.monotonic() + 5) == []


def test_a_worker_whose_thread_is_gone_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ended it: nobody runs it again in this process."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def work(stop: threading.Event, beat: Callable[[], None]) -> None:
        raise SystemExit

    supervisor = Supervisor(lambda name, what: None)
    supervisor.start(Worker("reader", work))
    wait_for(lambda: supervisor.silent() == ["reader"], "the silence")
    assert supervisor.stop(time.monotonic() + 5) == []
