"""The rules of every lock when its relay fails."""

import ctypes
import logging
import threading
import time
from collections.abc import Callable

import pytest

from hardware.errors import DeviceLost, OpenError
from hardware.gpio.relay_lock import RelayLock
from hardware.settings import Fail, LockSettings

SETTINGS = LockSettings("door", "test", Fail.SECURE)


class FakeRelay:
    """A relay that can be made to fail."""

    def __init__(self) -> None:
        self.energised = False
        self.failures = 0
        self.tries = 0
        self.error: Exception = DeviceLost("pin 17 can't be driven")

    def take(self, energised: bool) -> None:
        self.drive(energised)

    def drive(self, energised: bool) -> None:
        self.tries += 1
        if self.failures:
            self.failures -= 1
            raise self.error
        self.energised = energised

    def release(self) -> None:
        self.drive(energised=False)


def _wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.002)


def _guards() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "lock-guard-door"]


def test_lock_raises_when_the_relay_can_not_be_driven_and_keeps_telling_the_truth() -> None:
    """A failed unlock is the caller's to know, and does not count as unlocked."""
    relay = FakeRelay()
    lock = RelayLock(SETTINGS, relay)
    lock.open()
    relay.failures = 1
    with pytest.raises(DeviceLost):
        lock.unlock(30.0)
    assert not lock.unlocked
    lock.close()


def test_failed_unlock_is_taken_back_when_its_bound_is_over() -> None:
    """The relay may have moved although the call failed, so it is locked all the same."""
    relay = FakeRelay()
    lock = RelayLock(SETTINGS, relay)
    lock.open()
    relay.failures = 1
    with pytest.raises(DeviceLost):
        lock.unlock(0.05)
    relay.energised = True
    _wait_until(lambda: not relay.energised)
    lock.close()


def test_guard_tries_on_until_the_relay_obeys(caplog: pytest.LogCaptureFixture) -> None:
    """A relay that fails when the bound is over is tried again, and reported once."""
    relay = FakeRelay()
    lock = RelayLock(SETTINGS, relay)
    lock.open()
    lock.unlock(0.05)
    relay.failures = 2
    _wait_until(lambda: not relay.energised)
    assert not lock.unlocked
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "lock.guard_failed"
    ]
    lock.close()


def test_lock_that_failed_is_tried_on_by_the_guard() -> None:
    """A caller that gives up after DeviceLost leaves no door open."""
    relay = FakeRelay()
    lock = RelayLock(SETTINGS, relay)
    lock.open()
    lock.unlock(30.0)
    relay.failures = 1
    with pytest.raises(DeviceLost):
        lock.lock()
    _wait_until(lambda: not relay.energised)
    lock.close()


@pytest.mark.parametrize("error", [DeviceLost("pin 17 can't be driven"), MemoryError()])
def test_close_reports_a_relay_that_does_not_let_go_but_never_raises(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """One dead relay must not keep the others from being closed."""
    relay = FakeRelay()
    relay.error = error
    lock = RelayLock(SETTINGS, relay)
    lock.open()
    lock.unlock(30.0)
    relay.failures = 1
    lock.close()
    assert [record.getMessage() for record in caplog.records] == ["lock.release_failed"]
    assert lock.unlocked


def test_close_ends_the_guard() -> None:
    """No thread is left, however often the lock was opened."""
    lock = RelayLock(SETTINGS, FakeRelay())
    for _ in range(3):
        lock.open()
        assert len(_guards()) == 1
        lock.close()
        assert not _guards()


def test_lock_that_can_not_be_taken_is_not_open() -> None:
    """A failed open leaves nothing behind and can be repeated."""

    class Busy(FakeRelay):
        def take(self, energised: bool) -> None:
            if self.failures:
                raise OpenError("pin 17 is busy")
            super().take(energised)

    relay = Busy()
    relay.failures = 1
    lock = RelayLock(SETTINGS, relay)
    with pytest.raises(OpenError, match="busy"):
        lock.open()
    assert not _guards()
    relay.failures = 0
    lock.open()
    lock.close()


def test_unlocks_from_many_threads_end_locked() -> None:
    """Whatever the order of calls from several threads, the last bound locks."""
    relay = FakeRelay()
    lock = RelayLock(SETTINGS, relay)
    lock.open()
    callers = [threading.Thread(target=lock.unlock, args=(0.01 * (number % 5 + 1),)) for number in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(5)
    _wait_until(lambda: not relay.energised)
    assert not lock.unlocked
    lock.close()


def test_guard_outlives_an_exception_in_its_own_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Such as no memory for one more wait: it is the last that locks this door when everything else hangs."""
    relay = FakeRelay()
    lock = RelayLock(SETTINGS, relay)
    lock.open()
    (guard,) = (thread for thread in threading.enumerate() if thread.name == "lock-guard-door")
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(guard.ident or 0), ctypes.py_object(MemoryError))
    with caplog.at_level(logging.ERROR):
        lock.unlock(0.05)
        _wait_until(lambda: not lock.unlocked)
    assert [record.message for record in caplog.records] == ["lock.guard_failed"]
    lock.close()
    assert _guards() == []


def test_guard_outlives_a_log_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the log raises, the relay is tried again and the strike ends locked; closing tries the others too."""

    def full(_: logging.LogRecord) -> None:
        raise MemoryError

    relay = FakeRelay()
    lock = RelayLock(SETTINGS, relay)
    lock.open()
    log = logging.getLogger("hardware.gpio.relay_lock")
    monkeypatch.setattr(log, "filters", [full])
    lock.unlock(0.05)
    relay.failures = 2
    _wait_until(lambda: not relay.energised and not lock.unlocked)
    relay.failures = 1
    lock.close()
    assert _guards() == []
