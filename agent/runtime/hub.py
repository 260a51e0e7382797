"""Tells waiting threads what the controller did: outcomes of taps, and that something changed."""

import threading
from collections.abc import Callable
from typing import Final

from agent.runtime.doors import TapOutcome

KEEP: Final = 64
"""Outcomes kept for those who wait. Full policy: the oldest goes; nobody waits that long."""


class Hub:
    """The controller tells; any thread waits."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._outcomes: list[tuple[int, TapOutcome]] = []
        self._told = 0
        self._version = 0

    def outcome(self, outcome: TapOutcome) -> None:
        """A tap was decided."""
        with self._condition:
            self._told += 1
            self._outcomes.append((self._told, outcome))
            del self._outcomes[:-KEEP]
            self._condition.notify_all()

    def changed(self) -> None:
        """Something that is shown changed."""
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def mark(self) -> int:
        """A place in the stream of outcomes: wait for those after it."""
        with self._condition:
            return self._told

    def wait_outcome(self, after: int, wanted: Callable[[TapOutcome], bool], timeout_s: float) -> TapOutcome | None:
        """The first outcome after `mark` that is wanted; None after `timeout_s`."""

        def found() -> TapOutcome | None:
            return next((outcome for told, outcome in self._outcomes if told > after and wanted(outcome)), None)

        with self._condition:
            return self._condition.wait_for(found, timeout_s)

    def wait_change(self, seen: int, timeout_s: float) -> int:
        """The version of what is shown, once it differs from `seen` or after `timeout_s`."""
        with self._condition:
            self._condition.wait_for(lambda: self._version != seen, timeout_s)
            return self._version
