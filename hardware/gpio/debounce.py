"""When a change of an input counts. Pure: levels and monotonic instants come in, settled changes go out.

A level counts when it was read, and is read again after it has been there for the whole hold time without an edge in
between. So a spike or a burst of bounces that ends where it began is nothing, however often it is looked at.
"""

from typing import Final

FLUTTER_LIMIT: Final = 10.0
"""In hold times. An input that flutters for longer than this has no first edge worth telling; it starts anew."""


class Debouncer:
    """One input. `level` is what was read last, `stable` what counts."""

    def __init__(self, level: bool, now_s: float, hold_s: float) -> None:
        self._hold_s = hold_s
        self._level = level
        self._stable = level
        self._since_s = now_s
        self._first_s = now_s

    @property
    def stable(self) -> bool:
        """The level that counts."""
        return self._stable

    @property
    def due_s(self) -> float:
        """The instant from which the present level will have been there for the whole hold time."""
        return self._since_s + self._hold_s

    def edge(self, at_s: float) -> None:
        """There was an edge at `at_s`; which level came of it is told by the next `feed`."""
        if at_s < self._since_s:
            return  # told late: a newer reading has already started the hold time
        if at_s >= self.due_s or at_s - self._first_s > FLUTTER_LIMIT * self._hold_s:
            self._first_s = at_s
        self._since_s = at_s

    def feed(self, level: bool, now_s: float) -> float | None:
        """Take a reading. Returns the first edge's instant when this reading settles a change, else None."""
        if level != self._level:
            self._level = level
            self.edge(now_s)
        if level == self._stable or now_s < self.due_s:
            return None
        self._stable = level
        return self._first_s
