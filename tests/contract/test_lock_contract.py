"""What every lock promises, on the emulated one and on both real GPIO libraries."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from hardware.errors import ClosedError, OpenError
from hardware.gpio.emulated import EmulatedLock
from hardware.protocols import Lock
from hardware.settings import Fail, Level, LockSettings
from tests.rigs.gpio_libs import Library
from tests.rigs.gpio_rig import GpioRig, gpio_rig
from tests.rigs.remote_drivers import DriverHost, RemoteLock, driver_host

EVERY_KIND = pytest.mark.parametrize(
    ("fail", "active"), [(fail, active) for fail in Fail for active in Level], ids=lambda value: str(value.value)
)
PATIENCE_S = 10.0
"""Bound of every wait; only a failing test takes as long."""


class LockBench(Protocol):
    """A maker of locks, with an eye on the relay."""

    def make(self, fail: Fail = Fail.SECURE, active: Level = Level.HIGH) -> Lock: ...

    def history(self, lock: Lock) -> list[tuple[float, bool]]:
        """When the relay gained and lost power; it had none at first."""


class EmulatedBench:
    def make(self, fail: Fail = Fail.SECURE, active: Level = Level.HIGH) -> Lock:
        return EmulatedLock(LockSettings("door", "emulated", fail, None, active))

    def history(self, lock: Lock) -> list[tuple[float, bool]]:
        assert isinstance(lock, EmulatedLock)
        return [(each.at_s, each.energised) for each in lock.transitions]


class PinBench:
    """Every lock gets a pin of its own, with the resistor at the relay that the installation guide asks for."""

    def __init__(self, rig: GpioRig, host: DriverHost) -> None:
        self.rig = rig
        self.host = host
        self._locks: list[tuple[Lock, LockSettings]] = []

    def make(self, fail: Fail = Fail.SECURE, active: Level = Level.HIGH) -> Lock:
        pin = len(self._locks)
        settings = LockSettings(f"door-{pin}", "gpio", fail, pin, active)
        self.rig.drive(pin, active is Level.LOW)
        lock = RemoteLock(self.host, settings)
        self._locks.append((lock, settings))
        return lock

    def settings(self, lock: Lock) -> LockSettings:
        return next(settings for each, settings in self._locks if each is lock)

    def pin(self, lock: Lock) -> int:
        pin = self.settings(lock).pin
        assert pin is not None
        return pin

    def history(self, lock: Lock) -> list[tuple[float, bool]]:
        changes: list[tuple[float, bool]] = []
        energised = False
        for state in self.rig.transitions(self.pin(lock)):
            if energised != (state.high == (self.settings(lock).active is Level.HIGH)):
                energised = not energised
                changes.append((state.at_s, energised))
        return changes


SYSTEM = [pytest.param("rpi-gpio", marks=pytest.mark.system), pytest.param("rpi-lgpio", marks=pytest.mark.system)]


@pytest.fixture(scope="module", params=["emulated", *SYSTEM])
def bench(request: pytest.FixtureRequest) -> Iterator[LockBench]:
    if request.param == "emulated":
        yield EmulatedBench()
        return
    yield from _pins(request.param)


@pytest.fixture(scope="module", params=SYSTEM)
def pins(request: pytest.FixtureRequest) -> Iterator[PinBench]:
    yield from _pins(request.param)


def _pins(library: Library) -> Iterator[PinBench]:
    with gpio_rig(library) as rig, driver_host(rig) as host:
        print("GPIO library:", *host.ask("library"))
        yield PinBench(rig, host)


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.002)


def powers(bench: LockBench, lock: Lock) -> list[bool]:
    return [energised for _, energised in bench.history(lock)]


@EVERY_KIND
def test_lock_opens_locked_and_closes_without_power_and_without_pulse(
    bench: LockBench, fail: Fail, active: Level
) -> None:
    """From open it is locked, after close the relay has no power, and nothing happens in between."""
    lock = bench.make(fail, active)
    lock.open()
    assert not lock.unlocked
    assert powers(bench, lock) == ([] if fail is Fail.SECURE else [True])
    lock.close()
    assert powers(bench, lock) == ([] if fail is Fail.SECURE else [True, False])
    assert lock.unlocked is (fail is Fail.SAFE)


@EVERY_KIND
def test_lock_switches_the_relay_once_for_each_change(bench: LockBench, fail: Fail, active: Level) -> None:
    """Unlock and lock each move the relay once, in the direction that the kind of lock asks for."""
    lock = bench.make(fail, active)
    lock.open()
    lock.unlock(30.0)
    lock.unlock(30.0)
    unlocked = lock.unlocked
    lock.lock()
    lock.lock()
    assert (unlocked, lock.unlocked) == (True, False)
    lock.close()
    assert powers(bench, lock) == ([True, False] if fail is Fail.SECURE else [True, False, True, False])


def test_lock_locks_by_itself_when_its_bound_is_over(bench: LockBench) -> None:
    """The bound is honoured: not earlier, and at most half a second later on a busy machine."""
    lock = bench.make()
    lock.open()
    lock.unlock(0.1)
    wait_until(lambda: not lock.unlocked)
    (on_s, on), (off_s, off) = bench.history(lock)
    assert (on, off) == (True, False)
    assert 0.095 <= off_s - on_s < 0.6
    lock.close()


def test_lock_takes_a_later_bound_instead_of_an_earlier_one(bench: LockBench) -> None:
    """An unlock while unlocked moves the bound, without a pulse."""
    lock = bench.make()
    lock.open()
    lock.unlock(0.1)
    lock.unlock(0.3)
    wait_until(lambda: not lock.unlocked)
    (on_s, _), (off_s, off) = bench.history(lock)
    assert not off
    assert off_s - on_s >= 0.295
    lock.close()


def test_lock_takes_an_earlier_bound_instead_of_a_later_one(bench: LockBench) -> None:
    """The last call decides, also when it is the shorter one or replaces 'until told'."""
    lock = bench.make()
    lock.open()
    lock.unlock(None)
    lock.unlock(30.0)
    lock.unlock(0.05)
    wait_until(lambda: not lock.unlocked)
    assert powers(bench, lock) == [True, False]
    lock.close()


def test_lock_without_bound_outlasts_the_bound_before_it(bench: LockBench) -> None:
    """Unlocked until told means that an earlier bound no longer counts."""
    lock, clock = bench.make(), bench.make()
    lock.open()
    clock.open()
    lock.unlock(0.05)
    lock.unlock(None)
    clock.unlock(0.15)
    wait_until(lambda: not clock.unlocked)
    assert lock.unlocked
    lock.lock()
    assert powers(bench, lock) == [True, False]
    lock.close()
    clock.close()


def test_lock_told_to_lock_forgets_the_bound(bench: LockBench) -> None:
    """The bound of an unlock that was taken back does not end the next one."""
    lock, clock = bench.make(), bench.make()
    lock.open()
    clock.open()
    lock.unlock(0.05)
    lock.lock()
    lock.unlock(30.0)
    clock.unlock(0.15)
    wait_until(lambda: not clock.unlocked)
    assert lock.unlocked
    lock.close()
    clock.close()


def test_lock_closed_while_unlocked_takes_the_power_away(bench: LockBench) -> None:
    """Close does not wait for the bound."""
    lock = bench.make()
    lock.open()
    lock.unlock(30.0)
    lock.close()
    lock.close()
    assert powers(bench, lock) == [True, False]


@pytest.mark.parametrize("for_s", [0.0, -1.0, float("inf"), float("nan")])
def test_lock_refuses_a_bound_that_is_none(bench: LockBench, for_s: float) -> None:
    """A bound that would never come, or is over, is a mistake of the caller; the lock stays locked."""
    lock = bench.make()
    lock.open()
    with pytest.raises(ValueError, match="above 0"):
        lock.unlock(for_s)
    assert not lock.unlocked
    assert powers(bench, lock) == []
    lock.close()


def test_lock_raises_when_it_is_not_open(bench: LockBench) -> None:
    """Before open and after close nothing can be asked of it, and a second open is refused."""
    lock = bench.make()
    with pytest.raises(ClosedError):
        lock.unlock(1.0)
    with pytest.raises(ClosedError):
        lock.lock()
    lock.close()
    lock.open()
    with pytest.raises(OpenError, match="already open"):
        lock.open()
    lock.close()
    with pytest.raises(ClosedError):
        lock.unlock(1.0)
    with pytest.raises(ClosedError):
        lock.lock()


def test_lock_can_be_opened_again_after_close(bench: LockBench) -> None:
    """Close, wait, open again is how a lost lock is recovered; its guard works as before."""
    lock = bench.make()
    lock.open()
    lock.close()
    lock.open()
    lock.unlock(0.05)
    wait_until(lambda: not lock.unlocked)
    assert powers(bench, lock) == [True, False]
    lock.close()


@EVERY_KIND
def test_released_pin_is_held_without_power_by_the_chip_alone(pins: PinBench, fail: Fail, active: Level) -> None:
    """After close the chip's own resistor keeps the relay off, should the installer have forgotten theirs."""
    lock = pins.make(fail, active)
    lock.open()
    lock.close()
    pins.rig.drive(pins.pin(lock), None)
    assert not pins.rig.is_output(pins.pin(lock))
    assert pins.rig.level(pins.pin(lock)) is (active is Level.LOW)


@pytest.mark.system
@pytest.mark.parametrize("library", ["rpi-gpio", "rpi-lgpio"])
def test_lock_locks_by_itself_while_the_caller_hangs(library: Library) -> None:
    """The bound holds when the thread that unlocked never comes back."""
    with gpio_rig(library) as rig, driver_host(rig) as host:
        bench = PinBench(rig, host)
        lock = bench.make()
        lock.open()
        lock.unlock(0.2)
        host.ask("hang")
        wait_until(lambda: len(bench.history(lock)) == 2)
        assert powers(bench, lock) == [True, False]
