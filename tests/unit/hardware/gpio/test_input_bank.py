"""The rules of every bank of inputs when its wires misbehave."""

import itertools
import logging
from collections.abc import Callable

import pytest

from hardware.errors import DeviceLost, OpenError
from hardware.gpio.input_bank import DebouncedInputs
from hardware.settings import InputSettings, Normally

REX = InputSettings("rex", "test", Normally.OPEN, 0.02)
CONTACT = InputSettings("contact", "test", Normally.CLOSED, 0.02)


class FakeLevels:
    """Levels by a function of the input's name."""

    def __init__(self, level: Callable[[str], bool]) -> None:
        self.level = level
        self.releases = 0

    def take(self, on_edge: Callable[[str], None]) -> bool:
        return False

    def read(self, setting: InputSettings) -> bool:
        return self.level(setting.name)

    def release(self) -> None:
        self.releases += 1


def test_fluttering_input_does_not_keep_the_others_from_being_watched(caplog: pytest.LogCaptureFixture) -> None:
    """A wire that never settles is named in the log; open ends in bounded time with all states."""
    flutter = itertools.cycle([True, False])
    bank = DebouncedInputs([REX, CONTACT], FakeLevels(lambda name: next(flutter) if name == "rex" else False))
    assert bank.open()["contact"] is False
    (record,) = caplog.records
    assert (record.levelno, record.getMessage(), vars(record)["inputs"]) == (
        logging.WARNING,
        "input.unsettled",
        ["rex"],
    )
    bank.close()


def test_state_at_open_is_the_settled_one_and_not_the_first_reading() -> None:
    """Bounces while the bank opens do not become its state."""
    # Never twice the same: on a busy machine two readings may lie further apart than the debounce time.
    readings = itertools.chain([False, True, False, True, False], itertools.repeat(True))
    bank = DebouncedInputs([REX], FakeLevels(lambda _name: next(readings)))
    assert bank.open() == {"rex": False}
    bank.close()


def test_inputs_that_can_not_be_read_do_not_open() -> None:
    """A pin that fails at open is an OpenError, and everything is let go of."""

    def lost(_name: str) -> bool:
        raise DeviceLost("pin 4 can't be read")

    levels = FakeLevels(lost)
    with pytest.raises(OpenError, match="pin 4"):
        DebouncedInputs([REX], levels).open()
    assert levels.releases == 1


def test_inputs_that_can_not_be_read_any_more_raise_from_run() -> None:
    """A pin that fails later is DeviceLost."""
    levels = FakeLevels(lambda _name: True)
    bank = DebouncedInputs([REX], levels)
    bank.open()

    def lost(_name: str) -> bool:
        raise DeviceLost("pin 4 can't be read")

    levels.level = lost
    with pytest.raises(DeviceLost):
        bank.run(lambda _change: None, lambda: False)
    bank.close()


def test_two_inputs_of_one_name_are_refused() -> None:
    """A name is what changes are told apart by."""
    with pytest.raises(ValueError, match="same name"):
        DebouncedInputs([REX, REX], FakeLevels(lambda _name: True))


def test_any_fault_while_opening_lets_go_so_that_the_next_try_can_work() -> None:
    """A bank that kept half of itself would refuse every later open: no exit button until somebody restarts it."""
    faults = iter([RuntimeError("a library's own")])

    def level(_name: str) -> bool:
        for fault in faults:
            raise fault
        return False

    levels = FakeLevels(level)
    bank = DebouncedInputs([CONTACT], levels)
    with pytest.raises(RuntimeError):
        bank.open()
    assert levels.releases == 1
    assert bank.open() == {"contact": False}
    bank.close()
