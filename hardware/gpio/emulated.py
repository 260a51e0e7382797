"""A lock and inputs without hardware: equals of the ones on pins, for demonstrations and tests.

They keep the same rules by being the same classes with another relay and another source of levels. What they did is
kept in `transitions`, the newest last, the oldest dropped beyond `MAX_TRANSITIONS`.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hardware.gpio.circuit import is_active, level
from hardware.gpio.input_bank import DebouncedInputs
from hardware.gpio.relay_lock import RelayLock
from hardware.settings import InputSettings, LockSettings

MAX_TRANSITIONS: Final = 256


@dataclass(frozen=True, slots=True)
class RelayTransition:
    """The relay gained or lost power."""

    at_s: float
    """time.monotonic()."""
    energised: bool
    unlocked: bool


@dataclass(frozen=True, slots=True)
class InputTransition:
    """The raw state of an input changed, bounces included."""

    at_s: float
    """time.monotonic()."""
    name: str
    active: bool


class EmulatedLock(RelayLock):
    """A `Lock` without a relay."""

    def __init__(self, settings: LockSettings) -> None:
        self._recorder = _RecordingRelay(settings)
        super().__init__(settings, self._recorder)

    @property
    def transitions(self) -> tuple[RelayTransition, ...]:
        """What the relay did, from no power before the first; the newest last."""
        return tuple(self._recorder.transitions)


class EmulatedInputBank(DebouncedInputs):
    """An `InputBank` whose raw states are set by `set` and `pulse`, from any thread, whether it is open or not."""

    def __init__(self, settings: Sequence[InputSettings]) -> None:
        self._world = _SetLevels(settings)
        super().__init__(settings, self._world)

    @property
    def transitions(self) -> tuple[InputTransition, ...]:
        """How the raw states changed, the newest last."""
        return tuple(self._world.transitions)

    def set(self, name: str, active: bool) -> None:
        """Put an input into this raw state; KeyError if there is none of this name."""
        self._world.set(name, active)

    def pulse(self, name: str, for_s: float) -> None:
        """Flip an input's raw state now and back after `for_s` seconds; does not wait. KeyError as with `set`."""
        self._world.pulse(name, for_s)


class _RecordingRelay:
    def __init__(self, settings: LockSettings) -> None:
        self._settings = settings
        self._energised = False
        self.transitions: Final[deque[RelayTransition]] = deque(maxlen=MAX_TRANSITIONS)

    def take(self, energised: bool) -> None:
        self.drive(energised)

    def drive(self, energised: bool) -> None:
        if energised != self._energised:
            unlocked = energised == self._settings.energised_when_unlocked
            self.transitions.append(RelayTransition(time.monotonic(), energised, unlocked))
        self._energised = energised

    def release(self) -> None:
        self.drive(energised=False)


class _SetLevels:
    """Levels of wires that nobody sees; they start in their normal positions."""

    def __init__(self, settings: Sequence[InputSettings]) -> None:
        self._settings = {setting.name: setting for setting in settings}
        self._high = {setting.name: level(setting, active=False) for setting in settings}
        self._guard = threading.Lock()
        self._on_edge: Callable[[str], None] | None = None
        self.transitions: Final[deque[InputTransition]] = deque(maxlen=MAX_TRANSITIONS)

    def take(self, on_edge: Callable[[str], None]) -> bool:
        self._on_edge = on_edge
        return True

    def read(self, setting: InputSettings) -> bool:
        return self._high[setting.name]

    def release(self) -> None:
        self._on_edge = None

    def set(self, name: str, active: bool) -> None:
        self._put(name, level(self._settings[name], active))

    def pulse(self, name: str, for_s: float) -> None:
        before = self._high[name]
        self._put(name, not before)
        back = threading.Timer(for_s, self._put, (name, before))
        back.name = f"input-pulse-{name}"
        back.daemon = True
        back.start()

    def _put(self, name: str, high: bool) -> None:
        with self._guard:
            if high == self._high[name]:
                return
            self._high[name] = high
            self.transitions.append(InputTransition(time.monotonic(), name, is_active(self._settings[name], high)))
            tell = self._on_edge
        if tell is not None:
            tell(name)
