"""Inputs at pins of the Raspberry Pi: exit buttons, door contacts, tamper and fire circuits.

Edges where library and kernel tell them (rpi-lgpio), else all pins are read every 10 ms (RPi.GPIO, whose edge detection
is gone with the old interface of the kernel). The bank decides as a whole: if one pin can't be watched, all are polled.
The library's `bouncetime` is not used: it reports a 0.2 ms glitch, only later.
"""

from collections.abc import Callable, Sequence
from typing import Final

from hardware.errors import DeviceLost, HardwareError
from hardware.gpio import rpi
from hardware.gpio.input_bank import DebouncedInputs
from hardware.settings import InputSettings


class GpioInputBank(DebouncedInputs):
    """An `InputBank` on pins. Raises ValueError for an input without a pin."""

    def __init__(self, settings: Sequence[InputSettings]) -> None:
        super().__init__(settings, _PinLevels(settings))


class _PinLevels:
    def __init__(self, settings: Sequence[InputSettings]) -> None:
        self._settings: Final = tuple(settings)
        self._pins: Final = {setting.name: _pin(setting) for setting in settings}
        self._taken: list[int] = []

    def take(self, on_edge: Callable[[str], None]) -> bool:
        pins = rpi.connect()
        try:
            for setting in self._settings:
                pins.setup_input(_pin(setting), setting.pull)
                self._taken.append(_pin(setting))
            if all(pins.watch(pin, _telling(name, on_edge)) for name, pin in self._pins.items()):
                return True
            for setting in self._settings:
                pins.unwatch(_pin(setting))
                pins.setup_input(_pin(setting), setting.pull)
        except HardwareError:
            self.release()
            raise
        return False

    def read(self, setting: InputSettings) -> bool:
        return rpi.connect().read(self._pins[setting.name])

    def release(self) -> None:
        while self._taken:
            try:
                rpi.connect().release(self._taken.pop())
            except DeviceLost:
                continue  # it is gone: nothing is held any more


def _telling(name: str, on_edge: Callable[[str], None]) -> Callable[[], None]:
    return lambda: on_edge(name)


def _pin(setting: InputSettings) -> int:
    if setting.pin is None:
        raise ValueError(f"input {setting.name!r} has no pin")
    return setting.pin
