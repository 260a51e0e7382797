"""The sync thread: looks at the site's head again and again. Polling makes it certain, `nudge` makes it fast."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import structlog
import tenacity

from agent.errors import FailureKind, StorageError, UplinkError
from agent.ports import AllowListStore, ListSource
from agent.runtime.calls import Stopped, call, pause
from agent.runtime.follow import Follower, Told
from agent.runtime.link import Link, LinkReport
from agent.runtime.retry import Waits, attempts, failed_with

log = structlog.get_logger(__name__)

T = TypeVar("T")

REFUSED: Final = "allowlist_refused"
"""Degraded reason: the site offers a list that this door does not take."""
JITTER: Final = 0.2
"""A poll comes up to this part earlier, so that the doors of a site do not poll in step; never later, since the
interval is what a revocation is promised to take at most."""


class Sync:
    """`run` is the thread's body; `nudge` and `report` are for any thread.

    Args:
        source: Where lists come from.
        open_store: Opens where they go, in the thread that alone uses it; raises StorageError.
        waits: By kind of failure, see retry.
        poll_s: Between two looks at the head, at most.
        told: What is posted.
        uniform: Draws a number between two; for the jitter.
    """

    def __init__(
        self,
        source: ListSource,
        open_store: Callable[[], AllowListStore],
        *,
        waits: Waits,
        poll_s: float,
        told: Told,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._source = source
        self._open_store = open_store
        self._told = told
        self._waits = waits
        self._poll_s = poll_s
        self._uniform = uniform
        self._nudged = threading.Event()
        self.report = LinkReport()

    def nudge(self) -> None:
        """There may be a newer list: look now, also in the middle of a wait. Only sets a flag."""
        self._nudged.set()

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Keep the list the newest until `stop`; applying a whole snapshot is the longest time without a beat."""
        sleep = partial(pause, stop=stop, beat=beat, until=self._nudged.wait)
        attempt = attempts(self._waits, sleep=sleep, failed=self._failed)
        self.report = replace(self.report, state=Link.OFFLINE)
        try:
            with closing(attempt(self._open_store)) as store:
                follower = Follower(self._source, store, self._told, hold_s=self._poll_s)
                while not stop.is_set():
                    if attempt(self._look, follower, stop, beat):
                        sleep(self._poll_s * self._uniform(1 - JITTER, 1))
        except Stopped:
            pass
        finally:
            self.report = replace(self.report, state=Link.OFF)

    def _look(self, follower: Follower, stop: threading.Event, beat: Callable[[], None]) -> bool:
        """Look at the head and follow it; False: broken off after progress, so look again at once."""
        self._nudged.clear()
        applied = follower.applied

        def ask(function: Callable[[], T], /) -> T:
            return call(function, name="sync-call", stop=stop, beat=beat)

        try:
            follower.follow(ask)
        except (UplinkError, StorageError):
            if follower.applied == applied:
                raise
            return False
        self.report = LinkReport(
            state=Link.ONLINE,
            last_ok_s=time.monotonic(),
            trouble=REFUSED if follower.refusing else None,
        )
        return True

    def _failed(self, state: tenacity.RetryCallState) -> None:
        error = failed_with(state)
        kind = error.kind if isinstance(error, UplinkError) else None
        link = self.report.state if kind in (None, FailureKind.THROTTLED, FailureKind.MENDED) else Link.OFFLINE
        # The first failure in a row is told; an outage must not fill the log.
        (log.warning if state.attempt_number == 1 else log.debug)(
            "sync.attempt_failed", kind=kind, error=str(error), wait_s=round(state.upcoming_sleep, 1)
        )
        self.report = replace(self.report, state=link, attempts=state.attempt_number, error=str(error))
