"""The rules of every bank of inputs: read, never assumed; debounced; a missed edge heals.

`GpioInputBank` and `EmulatedInputBank` are this class with different sources of levels. It must never report a level
that was not read twice, its debounce time apart.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from hardware.errors import ClosedError, DeviceLost, OpenError
from hardware.gpio.circuit import is_active
from hardware.gpio.debounce import Debouncer
from hardware.protocols import InputChange
from hardware.settings import InputSettings

POLL_S: Final = 0.01
"""Between readings where no edges are told: a press is seen at most 10 ms late, and reported within 50 ms.

Four inputs at this pace took 1.3 % of a server's virtual core (0.15 % with edges told), so that it is affordable on a
Pi's core, too, and a pace of 1 ms is not.
"""
SETTLING_S: Final = 0.001
"""Between readings of an unsettled input where no edges are told. Every 10 ms would see only the tops of a long burst
of bounces; a gap of 1 ms in it is seen at this pace. A change takes its debounce time, so that it costs little."""
REREAD_S: Final = 1.0
"""Between readings of all pins where edges are told: heals a missed edge, at no measurable cost."""
STOP_CHECK_S: Final = 0.1
"""The protocol's bound for asking `stopped`."""
SETTLE_HOLDS: Final = 3.0
"""An input that does not settle within this many of the longest debounce time at `open` is taken as last read."""

_log = logging.getLogger(__name__)


class Levels(Protocol):
    """Where a bank's raw levels come from."""

    def take(self, on_edge: Callable[[str], None]) -> bool:
        """Take all inputs. True: `on_edge` is called with the name at every edge, from any thread; False: never.

        Raises OpenError, MissingLibrary; nothing is held then.
        """

    def read(self, setting: InputSettings) -> bool:
        """The level now, True is high; raises DeviceLost."""

    def release(self) -> None:
        """Let go of all inputs; never raises."""


class DebouncedInputs:
    """An `InputBank` on `Levels`. Raises ValueError for two inputs of one name."""

    def __init__(self, settings: Sequence[InputSettings], levels: Levels) -> None:
        self._settings = {setting.name: setting for setting in settings}
        if len(self._settings) != len(settings):
            raise ValueError("two inputs have the same name")
        self._levels = levels
        self._edges = _Edges()
        self._debouncers: dict[str, Debouncer] | None = None
        self._has_edges = False

    @property
    def has_edges(self) -> bool:
        """Whether edges are told, so that pins need not be polled; False before `open`."""
        return self._has_edges

    def open(self) -> Mapping[str, bool]:
        """Take the inputs and return each one's state as read and settled; blocks for the longest debounce time.

        An input that flutters on is taken as last read, and logged: one bad wire must not keep the others from
        being watched. Raises OpenError (also when open already), MissingLibrary.
        """
        if self._debouncers is not None:
            raise OpenError("inputs are already open")
        self._has_edges = self._levels.take(self._edges.add)
        try:
            return self._settle()
        except DeviceLost as error:
            self.close()
            raise OpenError(f"inputs can't be read: {error}") from error
        except BaseException:
            # Whatever a library lets through: half an open bank would refuse every later try.
            self.close()
            raise

    def run(self, on_change: Callable[[InputChange], None], stopped: Callable[[], bool]) -> None:
        """Report debounced changes since `open` until `stopped()`. Raises DeviceLost, ClosedError."""
        debouncers = self._debouncers
        if debouncers is None:
            raise ClosedError("inputs are not open")
        reread_at_s = 0.0
        while not stopped():
            now_s = time.monotonic()
            pause_s = self._pause_s(debouncers, now_s)
            idle = pause_s > POLL_S
            if idle:
                self._edges.wait(pause_s)
            else:
                time.sleep(pause_s)
            edges = self._edges.take()
            now_s = time.monotonic()
            for name, instants in edges.items():
                for at_s in instants:
                    debouncers[name].edge(at_s)
            if edges or not idle or now_s >= reread_at_s:
                self._read_all(debouncers, on_change)
                reread_at_s = now_s + REREAD_S

    def close(self) -> None:
        """Let go of the inputs; idempotent."""
        self._debouncers = None
        self._levels.release()
        self._edges.take()

    def _settle(self) -> Mapping[str, bool]:
        start_s = time.monotonic()
        self._debouncers = debouncers = {
            name: Debouncer(self._levels.read(setting), start_s, setting.debounce_s)
            for name, setting in self._settings.items()
        }
        patience_s = SETTLE_HOLDS * max((setting.debounce_s for setting in self._settings.values()), default=0.0)
        unsettled = set(debouncers)
        while unsettled and time.monotonic() - start_s < patience_s + POLL_S:
            time.sleep(min(SETTLING_S, max(0.0, min(debouncers[name].due_s for name in unsettled) - time.monotonic())))
            self._read_all(debouncers, lambda _change: None)
            unsettled = {name for name in unsettled if debouncers[name].due_s > time.monotonic()}
        if unsettled:
            _log.warning("input.unsettled", extra={"inputs": sorted(unsettled)})
        return {name: is_active(self._settings[name], each.stable) for name, each in debouncers.items()}

    def _read_all(self, debouncers: Mapping[str, Debouncer], on_change: Callable[[InputChange], None]) -> None:
        for name, setting in self._settings.items():
            high = self._levels.read(setting)
            first_s = debouncers[name].feed(high, time.monotonic())
            if first_s is not None:
                on_change(InputChange(name, is_active(setting, high), first_s))

    def _pause_s(self, debouncers: Mapping[str, Debouncer], now_s: float) -> float:
        due_s = min((each.due_s for each in debouncers.values() if each.due_s > now_s), default=None)
        if due_s is not None:
            # While anything is unsettled, edges do not wake us: a storm of them can't make us spin.
            return min(POLL_S if self._has_edges else SETTLING_S, due_s - now_s)
        return STOP_CHECK_S if self._has_edges else POLL_S


class _Edges:
    """First and last edge of each input since the last look: bounded by nature, however many edges there are."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seen: dict[str, tuple[float, float]] = {}

    def add(self, name: str) -> None:
        """Called by the source's thread; only takes note."""
        with self._changed:
            at_s = time.monotonic()
            self._seen[name] = (self._seen.get(name, (at_s,))[0], at_s)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Return at the first edge that was not taken yet, or after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._seen), timeout_s)

    def take(self) -> dict[str, tuple[float, float]]:
        """What was seen since the last call."""
        with self._changed:
            seen, self._seen = self._seen, {}
        return seen
