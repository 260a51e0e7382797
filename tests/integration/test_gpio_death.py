"""What a relay's pin does when the process that holds it dies by SIGKILL: why the service needs its stop hook.

The three cases below were first seen on emulated Raspberry Pi 3 boards with real kernels; the rigs repeat them.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hardware.settings import Fail, Level, LockSettings, Pull
from tests.rigs.gpio_libs import Library
from tests.rigs.gpio_rig import GpioRig, gpio_rig
from tests.rigs.remote_drivers import RemoteLock, driver_host

pytestmark = pytest.mark.system

PIN = 17


@contextmanager
def killed_while_unlocked(
    library: Library, *, keeps_outputs: bool = False, active: Level = Level.HIGH
) -> Iterator[GpioRig]:
    """A rig whose program was killed in the middle of a strike."""
    with gpio_rig(library, keeps_outputs=keeps_outputs) as rig:
        rig.drive(PIN, active is Level.LOW)
        with driver_host(rig) as host:
            print("GPIO library:", *host.ask("library"))
            lock = RemoteLock(host, LockSettings("door", "gpio", Fail.SECURE, PIN, active))
            lock.open()
            lock.unlock(60.0)
            assert rig.level(PIN) is (active is Level.HIGH)
            os.kill(host.process.pid, signal.SIGKILL)
            assert host.process.wait(5) == -signal.SIGKILL
            yield rig


def close_by_another_process(rig: GpioRig, active: Level = Level.HIGH) -> None:
    """What the stop hook does."""
    with driver_host(rig) as hook:
        lock = RemoteLock(hook, LockSettings("door", "gpio", Fail.SECURE, PIN, active))
        lock.open()
        lock.close()


def test_rpi_gpio_leaves_the_pin_driven_after_sigkill() -> None:
    """The registers stay as they were: the strike stays held until somebody acts."""
    with killed_while_unlocked("rpi-gpio") as rig:
        assert rig.is_output(PIN)
        assert rig.level(PIN)


def test_rpi_lgpio_releases_the_pin_after_sigkill_on_a_mainline_kernel() -> None:
    """The line becomes an input without resistor: the installer's resistor takes the power away."""
    with killed_while_unlocked("rpi-lgpio") as rig:
        assert not rig.is_output(PIN)
        assert rig.pull(PIN) is Pull.OFF
        assert not rig.level(PIN)


def test_rpi_lgpio_leaves_the_pin_driven_on_a_kernel_that_keeps_outputs() -> None:
    """On Raspberry Pi OS's kernels the strike stays held here, too."""
    with killed_while_unlocked("rpi-lgpio", keeps_outputs=True) as rig:
        assert rig.is_output(PIN)
        assert rig.level(PIN)


@pytest.mark.parametrize("active", Level)
@pytest.mark.parametrize(("library", "keeps_outputs"), [("rpi-gpio", False), ("rpi-lgpio", False), ("rpi-lgpio", True)])
def test_opening_and_closing_the_lock_anew_takes_the_power_away(
    library: Library, keeps_outputs: bool, active: Level
) -> None:
    """What the stop hook does works after every kind of death, and holds after the hook has ended, too."""
    with killed_while_unlocked(library, keeps_outputs=keeps_outputs, active=active) as rig:
        close_by_another_process(rig, active)
        rig.drive(PIN, None)
        assert not rig.is_output(PIN)
        assert rig.level(PIN) is (active is Level.LOW)
