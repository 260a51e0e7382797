"""The pins of this Raspberry Pi through `RPi.GPIO`: the classic library, or rpi-lgpio under the same module name.

The only module that imports a GPIO library, and only when `connect` is called. It translates and knows no rule about
doors. It must never call `cleanup()` without a pin (that releases everybody's) nor use the library's `bouncetime`.

Pins are BCM numbers. Calls may come from any thread: both libraries run under the interpreter's lock.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType
from typing import Final

from hardware.errors import DeviceLost, MissingLibrary, OpenError
from hardware.settings import Pull

INSTALL_HINT: Final = (
    "install 'cardea-access[gpio]' (Raspberry Pi 1 to 4) or 'cardea-access[gpio-pi5]' (Raspberry Pi 5)"
)


@dataclass(frozen=True, slots=True)
class GpioLibrary:
    """Which library answers to `import RPi.GPIO`."""

    name: str
    """`RPi.GPIO` or `rpi-lgpio`."""
    version: str
    """Of the installed distribution; rpi-lgpio's own `VERSION` names the RPi.GPIO that it resembles."""
    path: str
    """Where it was imported from."""


class Pins:
    """The chip's pins. Levels are electrical: True is high. One per process, from `connect`."""

    def __init__(self, gpio: ModuleType, library: GpioLibrary) -> None:
        self._gpio = gpio
        self._failures = _failures(gpio)
        self.library: Final = library

    def setup_output(self, pin: int, high: bool) -> None:
        """Make the pin an output that is at this level from its first instant: no pulse. Raises OpenError."""
        try:
            self._gpio.setup(pin, self._gpio.OUT, initial=int(high))
        except self._failures as error:
            raise _refused(pin, error) from error

    def output(self, pin: int, high: bool) -> None:
        """Drive an output. Raises DeviceLost."""
        try:
            self._gpio.output(pin, int(high))
        except self._failures as error:
            raise DeviceLost(f"pin {pin} can't be driven: {_one_line(error)}") from error

    def setup_input(self, pin: int, pull: Pull) -> None:
        """Make the pin an input with this resistor. Raises OpenError."""
        pulls = {Pull.UP: self._gpio.PUD_UP, Pull.DOWN: self._gpio.PUD_DOWN, Pull.OFF: self._gpio.PUD_OFF}
        try:
            self._gpio.setup(pin, self._gpio.IN, pull_up_down=pulls[pull])
        except self._failures as error:
            raise _refused(pin, error) from error

    def read(self, pin: int) -> bool:
        """The level of a pin that was set up. Raises DeviceLost."""
        try:
            return bool(self._gpio.input(pin))
        except self._failures as error:
            raise DeviceLost(f"pin {pin} can't be read: {_one_line(error)}") from error

    def watch(self, pin: int, on_edge: Callable[[], None]) -> bool:
        """Call `on_edge` from a thread of the library at every edge; False where library and kernel can't.

        RPi.GPIO needs /sys/class/gpio with numbers from 0, which kernels since 6.6 (and Debian's) do not have. An
        input may have to be set up again after False.
        """
        try:
            self._gpio.add_event_detect(pin, self._gpio.BOTH, callback=lambda _pin: on_edge())
        except self._failures:
            return False
        return True

    def unwatch(self, pin: int) -> None:
        """Stop `watch`; harmless when it was refused. Raises DeviceLost."""
        try:
            self._gpio.remove_event_detect(pin)
        except self._failures as error:
            raise DeviceLost(f"pin {pin} can't be unwatched: {_one_line(error)}") from error

    def release(self, pin: int) -> None:
        """Give one pin back: an input without resistor. Raises DeviceLost."""
        try:
            self._gpio.cleanup(pin)
        except self._failures as error:
            raise DeviceLost(f"pin {pin} can't be released: {_one_line(error)}") from error


@cache
def connect() -> Pins:
    """The process's pins; the library is imported at the first call. Raises MissingLibrary, OpenError."""
    with _scratch_directory():
        try:
            import RPi.GPIO as GPIO
        except ImportError as error:
            raise MissingLibrary(f"no GPIO library: {INSTALL_HINT}") from error
        except (RuntimeError, OSError) as error:
            raise OpenError(
                f"GPIO library refuses this machine: {_one_line(error)} If it is one: {INSTALL_HINT}"
            ) from error
    pins = Pins(GPIO, _library(GPIO))
    try:
        GPIO.setwarnings(False)
        GPIO.setmode(GPIO.BCM)
    except _failures(GPIO) as error:
        raise OpenError(
            f"{pins.library.name} can't open the GPIO chip: {_one_line(error)}; is this user in group gpio?"
        ) from error
    return pins


@contextmanager
def _scratch_directory() -> Iterator[None]:
    """Give lgpio a writable place for the FIFO that it makes and opens while it is imported.

    Without LG_WD it uses the working directory, which a hardened service can't write; with LG_WD it changes the
    process's working directory, which is undone here. Once open, the FIFO needs no name any more.
    """
    if "LG_WD" in os.environ:
        scratch = None
    else:
        try:
            scratch = tempfile.mkdtemp(prefix="cardea-lgpio-")
        except OSError as error:
            raise OpenError(f"no temporary directory for the GPIO library: {error}") from error
        os.environ["LG_WD"] = scratch
    before = os.open(".", os.O_PATH | os.O_DIRECTORY)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)
        if scratch is not None:
            del os.environ["LG_WD"]
            shutil.rmtree(scratch, ignore_errors=True)


def _failures(gpio: ModuleType) -> tuple[type[Exception], ...]:
    # rpi-lgpio lets lgpio's own errors through; they derive from nothing but Exception.
    lgpio = getattr(gpio, "lgpio", None)
    return (RuntimeError, OSError, ValueError) if lgpio is None else (RuntimeError, OSError, ValueError, lgpio.error)


def _library(gpio: ModuleType) -> GpioLibrary:
    name = "rpi-lgpio" if hasattr(gpio, "lgpio") else "RPi.GPIO"
    path = Path(str(gpio.__file__))
    home = path.parents[2]  # .../RPi/GPIO/__init__.py: a machine may have both libraries, each in a folder of its own
    found = [dist.version for dist in distributions(path=[str(home)]) if dist.metadata["Name"].lower() == name.lower()]
    return GpioLibrary(name=name, version=found[0] if found else str(gpio.VERSION), path=str(path))


def _refused(pin: int, error: Exception) -> OpenError:
    text = _one_line(error)
    hint = "; another process holds it" if "busy" in text.lower() else ""
    if "peripheral base" in text or "/dev/mem" in text:
        hint = f"; is this user in group gpio? On a Raspberry Pi 5: {INSTALL_HINT}"
    return OpenError(f"pin {pin} can't be set up: {text}{hint}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
