"""What the emulated lock and inputs offer beyond their protocols."""

import queue
import threading

import pytest

from hardware import registry
from hardware.gpio.emulated import MAX_TRANSITIONS, EmulatedInputBank, EmulatedLock
from hardware.protocols import InputBank, InputChange, Lock
from hardware.settings import Fail, InputSettings, LockSettings, Normally

REX = InputSettings("rex", "emulated", Normally.OPEN, 0.02)
CONTACT = InputSettings("contact", "emulated", Normally.CLOSED, 0.02)


def test_registry_makes_the_emulated_drivers() -> None:
    """Drivers are found by the name `emulated` and keep their protocols."""
    lock = registry.make_lock(LockSettings("door", "emulated", Fail.SECURE))
    bank = registry.make_inputs([REX, CONTACT])
    assert isinstance(lock, EmulatedLock)
    assert isinstance(lock, Lock)
    assert isinstance(bank, EmulatedInputBank)
    assert isinstance(bank, InputBank)


def test_lock_keeps_a_bounded_number_of_transitions() -> None:
    """The oldest are dropped; instants never go back."""
    lock = EmulatedLock(LockSettings("door", "emulated", Fail.SECURE))
    lock.open()
    for _ in range(MAX_TRANSITIONS):
        lock.unlock(30.0)
        lock.lock()
    instants = [each.at_s for each in lock.transitions]
    assert len(instants) == MAX_TRANSITIONS
    assert instants == sorted(instants)
    assert lock.transitions[-1].unlocked is False
    lock.close()


def test_inputs_start_in_their_normal_positions_and_take_states_before_open() -> None:
    """A wire has a state whether somebody looks at it or not."""
    bank = EmulatedInputBank([REX, CONTACT])
    bank.set("contact", active=True)
    assert bank.open() == {"rex": False, "contact": True}
    bank.close()


def test_pulse_comes_back_by_itself_and_counts_by_its_length() -> None:
    """A pulse longer than the debounce time is reported there and back; a shorter one is not at all."""
    bank = EmulatedInputBank([REX, CONTACT])
    bank.open()
    changes: queue.Queue[InputChange] = queue.Queue()
    stopped = threading.Event()
    runner = threading.Thread(target=bank.run, args=(changes.put, stopped.is_set))
    runner.start()
    bank.pulse("contact", 0.0002)
    bank.pulse("rex", 0.1)
    pressed, let_go = changes.get(timeout=10), changes.get(timeout=10)
    assert (pressed.name, pressed.active, let_go.name, let_go.active) == ("rex", True, "rex", False)
    stopped.set()
    runner.join(5)
    bank.close()
    assert {(each.name, each.active) for each in bank.transitions} == {
        ("contact", True),
        ("contact", False),
        ("rex", True),
        ("rex", False),
    }


def test_unknown_input_is_refused() -> None:
    """A misspelt name is not ignored."""
    bank = EmulatedInputBank([REX])
    with pytest.raises(KeyError):
        bank.set("rox", active=True)
    with pytest.raises(KeyError):
        bank.pulse("rox", 1.0)
