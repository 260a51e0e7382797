"""Driver name -> class, loaded when asked for, so that a door with one kind of reader needs no other's library."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from hardware.protocols import InputBank, Lock, Reader
from hardware.settings import InputSettings, LockSettings, ReaderSettings

READERS: Final = {
    "pcsc": "hardware.readers.pcsc:PcscReader",
    "nfc": "hardware.readers.nfc:NfcReader",
    "emulated": "hardware.readers.emulated:EmulatedReader",
}
LOCKS: Final = {
    "gpio": "hardware.gpio.lock:GpioLock",
    "emulated": "hardware.gpio.emulated:EmulatedLock",
}
INPUTS: Final = {
    "gpio": "hardware.gpio.inputs:GpioInputBank",
    "emulated": "hardware.gpio.emulated:EmulatedInputBank",
}


def make_reader(settings: ReaderSettings) -> Reader:
    """The reader that the settings name; nothing is opened yet. Raises MissingLibrary, KeyError on another driver."""
    reader: Reader = _load(READERS[settings.driver])(settings)
    return reader


def make_lock(settings: LockSettings) -> Lock:
    """The lock that the settings name; nothing is opened yet."""
    lock: Lock = _load(LOCKS[settings.driver])(settings)
    return lock


def make_inputs(settings: Sequence[InputSettings]) -> InputBank:
    """One bank for inputs of one driver; nothing is opened yet."""
    (driver,) = {setting.driver for setting in settings}
    bank: InputBank = _load(INPUTS[driver])(settings)
    return bank


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
