"""The drivers on pins on a machine that has none."""

import pytest

from hardware import registry
from hardware.errors import MissingLibrary
from hardware.gpio.inputs import GpioInputBank
from hardware.gpio.lock import GpioLock
from hardware.settings import Fail, InputSettings, LockSettings, Normally

LOCK = LockSettings("door", "gpio", Fail.SECURE, 17)
REX = InputSettings("rex", "gpio", Normally.OPEN, 0.03, 27)


def test_registry_makes_the_drivers_without_their_library() -> None:
    """Nothing is imported or opened before `open`."""
    assert isinstance(registry.make_lock(LOCK), GpioLock)
    assert isinstance(registry.make_inputs([REX]), GpioInputBank)


def test_missing_library_is_named_with_the_package_to_install() -> None:
    """The tests' environment has neither library, as a laptop has not."""
    for driver in (registry.make_lock(LOCK), registry.make_inputs([REX])):
        with pytest.raises(MissingLibrary, match=r"cardea-access\[gpio\].*cardea-access\[gpio-pi5\]"):
            driver.open()
        driver.close()


def test_driver_without_a_pin_is_refused() -> None:
    """A lock or an input on a pin has a pin."""
    with pytest.raises(ValueError, match="has no pin"):
        GpioLock(LockSettings("door", "gpio", Fail.SECURE))
    with pytest.raises(ValueError, match="has no pin"):
        GpioInputBank([InputSettings("rex", "gpio", Normally.OPEN, 0.03)])
