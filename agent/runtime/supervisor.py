"""Runs the workers: one named thread each, started and stopped in order, restarted with backoff when one dies."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

FIRST_RESTART_S: Final = 0.5
MAX_RESTART_S: Final = 15.0
STEADY_S: Final = 5.0
"""A vital worker that ran this long is up again; less than its patience, so that a single death never withholds."""
CALM_S: Final = 60.0
"""A worker that ran this long has recovered: its next restart is quick again."""
STALLED_S: Final = 10.0
"""A worker without a heartbeat for this long is silent: reported, and no longer vouched for to the service manager,
which then starts the agent anew. Every worker beats at least once a second; a device call that takes longer than this
is to be made where the worker can go on beating, because a restart mends no device, and lets go of every maglock."""


def _nothing() -> None:
    """The interrupt of a worker that looks at `stop` often enough."""


@dataclass(slots=True)
class Worker:
    """One thread's duty. `run(stop, beat)` returns when `stop` is set; it may raise, and is then run again."""

    name: str
    run: Callable[[threading.Event, Callable[[], None]], None]
    interrupt: Callable[[], None] = _nothing
    """Makes a blocked `run` look at `stop` now."""
    patience_s: float = STALLED_S
    """How long it may go without a heartbeat; more than STALLED_S where one step of its work takes longer."""
    vital: bool = False
    """Whether no door works without it and nothing outside can be why it is down, be it a device, the disk or the
    cloud. Only then is a new process, for which maglocks let go, the remedy for one that can't be kept running; and it
    is run again without growing waits, because exit buttons wait with it."""
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    beat_s: float = 0.0
    runs: bool = False
    """False between a death and the next run."""
    failure: str | None = None
    """Why the worker is down; None while it runs."""
    down_since_s: float | None = None
    """The first of its deaths since it last ran for STEADY_S."""
    unreported: int = 0
    """Deaths that could not be reported since the last that could."""


class Supervisor:
    """Owns the workers' threads. `on_failure(name, what)` is told of each death."""

    def __init__(self, on_failure: Callable[[str, str], None]) -> None:
        self._workers: list[Worker] = []
        self._on_failure = on_failure

    def start(self, worker: Worker) -> None:
        """Start a worker; they are stopped in the reverse order."""
        worker.thread = threading.Thread(target=self._keep_running, args=(worker,), name=worker.name, daemon=True)
        worker.thread.start()
        self._workers.append(worker)
        _name_for_kernel(worker.thread)

    def stop(self, until_s: float) -> list[str]:
        """Stop all, newest first, until the monotonic instant; the names of those that did not end."""
        stuck = []
        while self._workers:
            worker = self._workers.pop()
            worker.stop.set()
            worker.interrupt()
            if worker.thread is not None:
                worker.thread.join(max(0.05, until_s - time.monotonic()))
                if worker.thread.is_alive():
                    stuck.append(worker.name)
        return stuck

    def troubles(self) -> list[str]:
        """Workers that are down or silent, as degraded reasons."""
        failed = [f"worker_failed:{worker.name}" for worker in list(self._workers) if worker.failure is not None]
        return failed + [f"worker_stalled:{name}" for name in self.silent()]

    def silent(self) -> list[str]:
        """Workers for which only a new process helps: they should have given a heartbeat and have not, their thread
        is gone, or they are vital and have not been kept running for as long as their patience.

        Any other that died and waits to be run again is not among them.
        """
        now_s = time.monotonic()
        return [worker.name for worker in list(self._workers) if _is_silent(worker, now_s)]

    def _keep_running(self, worker: Worker) -> None:
        while not worker.stop.is_set():
            try:
                self._run_again_and_again(worker)
            except Exception:  # noqa: BLE001 - such as no memory to report a death with: nobody else runs it again
                worker.runs = False
                worker.unreported += 1
                time.sleep(FIRST_RESTART_S)

    def _run_again_and_again(self, worker: Worker) -> None:
        wait_s = FIRST_RESTART_S
        started_s = 0.0

        def beat() -> None:
            worker.beat_s = now_s = time.monotonic()
            worker.failure = None
            if now_s - started_s > STEADY_S:
                worker.down_since_s = None

        while not worker.stop.is_set():
            worker.beat_s = started_s = time.monotonic()
            worker.runs = True
            try:
                worker.run(worker.stop, beat)
            except Exception as error:
                # First what the watchdog goes by, in a way that needs no memory.
                _died(worker, type(error).__name__)
                worker.failure = what = f"{type(error).__name__}: {error}"
                log.exception("worker.failed", worker=worker.name, restart_in_s=wait_s, unreported=worker.unreported)
                self._on_failure(worker.name, what)
            else:
                # A worker that returns unasked is as dead as one that raises.
                if worker.stop.is_set():
                    return
                _died(worker, "returned")
                log.error("worker.returned", worker=worker.name, restart_in_s=wait_s, unreported=worker.unreported)
                self._on_failure(worker.name, "returned")
            worker.unreported = 0
            if time.monotonic() - started_s > CALM_S:
                wait_s = FIRST_RESTART_S
            worker.stop.wait(wait_s)
            wait_s = FIRST_RESTART_S if worker.vital else min(MAX_RESTART_S, wait_s * 2)


def _died(worker: Worker, what: str) -> None:
    worker.failure, worker.runs = what, False
    if worker.down_since_s is None:
        worker.down_since_s = time.monotonic()


def _is_silent(worker: Worker, now_s: float) -> bool:
    if worker.stop.is_set():
        return False
    hangs = worker.runs and now_s - worker.beat_s > worker.patience_s
    gone = worker.thread is not None and not worker.thread.is_alive()
    down_since_s = worker.down_since_s if worker.vital else None
    return hangs or gone or (down_since_s is not None and now_s - down_since_s > worker.patience_s)


def _name_for_kernel(thread: threading.Thread) -> None:
    """Let `top -H` and `ps -T` tell which worker it is: Python before 3.14 keeps names to itself."""
    # A thread that has ended already, or a kernel without such a file, is no reason to stop.
    with contextlib.suppress(OSError):
        Path(f"/proc/self/task/{thread.native_id}/comm").write_text(thread.name[:15])
