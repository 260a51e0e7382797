"""A lock on a relay at one pin of the Raspberry Pi.

What the pin does when nobody drives it, since doors are lost there:

- `close` drives the pin to "no power" and then makes it an input with the chip's resistor towards "no power". It does
  not call the library's `cleanup`, which leaves an input *without* resistor (both libraries): a floating pin is decided
  by whatever the relay board picks up. The resistor survives the end of the process with both libraries and on every
  kernel, which a driven pin does not: rpi-lgpio's line ends with the process. With rpi-lgpio the line stays reserved
  for this process until it ends.
- A process that dies without `close` leaves the pin driven as it was with RPi.GPIO (a held strike stays held), and an
  input without resistor with rpi-lgpio (on kernels that keep outputs: driven as it was). That is what the service's
  stop hook and the installer's own resistor at the relay are for.
"""

from hardware.gpio import rpi
from hardware.gpio.relay_lock import RelayLock
from hardware.settings import Level, LockSettings, Pull


class GpioLock(RelayLock):
    """A `Lock` whose relay hangs on `settings.pin`. Raises ValueError without a pin."""

    def __init__(self, settings: LockSettings) -> None:
        if settings.pin is None:
            raise ValueError(f"lock {settings.name!r} has no pin")
        super().__init__(settings, _PinRelay(settings.pin, active_high=settings.active is Level.HIGH))


class _PinRelay:
    def __init__(self, pin: int, *, active_high: bool) -> None:
        self._pin = pin
        self._active_high = active_high

    def take(self, energised: bool) -> None:
        rpi.connect().setup_output(self._pin, self._level(energised))

    def drive(self, energised: bool) -> None:
        rpi.connect().output(self._pin, self._level(energised))

    def release(self) -> None:
        pins = rpi.connect()
        try:
            pins.output(self._pin, self._level(energised=False))
        finally:
            pins.setup_input(self._pin, Pull.DOWN if self._active_high else Pull.UP)

    def _level(self, energised: bool) -> bool:
        return energised == self._active_high
