"""Which readers hang on this machine, with the configuration lines that use them. Never probes a serial port: something
else may listen there, a door lock's relay board for one.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Final

from hardware.errors import MissingLibrary, OpenError

_PCSC_INDEX: Final = re.compile(r" [0-9A-F]{2} [0-9A-F]{2}$")
"""pcscd ends a name with the reader's number and slot, which depend on what was plugged first."""
_GLOB_SPECIAL: Final = re.compile(r"([*?[])")

UsbDevice = tuple[int, int, int, int]
"""Vendor, product, bus, address."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A reader that was found, or why none of its kind could be."""

    driver: str
    """The driver's name in the configuration."""
    name: str | None
    """What the device calls itself; None if this is only a note."""
    config: tuple[str, ...] = ()
    """The lines for `[[door.reader]]`."""
    note: str | None = None
    """What to do or to know before it works."""


def attached() -> list[Attached]:
    """All readers in sight of the installed libraries; never raises for a library or service that is missing."""
    return [*_noted("pcsc", _pcsc), *_noted("nfc", _nfc)]


def _noted(driver: str, find: Callable[[], list[Attached]]) -> list[Attached]:
    try:
        return find()
    except (MissingLibrary, OpenError) as error:
        return [Attached(driver, None, note=str(error))]


def _pcsc() -> list[Attached]:
    names: list[str] = import_module("hardware.readers.pcsc").reader_names()
    return [Attached("pcsc", name, ('driver = "pcsc"', f"match = {_toml(_glob(name, names))}")) for name in names]


def _glob(name: str, names: list[str]) -> str:
    """The pattern for one reader: without its changing index if it is the only one of its name."""
    pattern = _GLOB_SPECIAL.sub(r"[\1]", _PCSC_INDEX.sub("", name)) + "*"
    if sum(fnmatchcase(other, pattern) for other in names) == 1:
        return pattern
    return _GLOB_SPECIAL.sub(r"[\1]", name)


def _nfc() -> list[Attached]:
    library = import_module("hardware.readers.nfc")
    return _nfc_entries(library.usb_candidates(), library.may_open)


def _nfc_entries(devices: Sequence[UsbDevice], may_open: Callable[[int, int], bool]) -> list[Attached]:
    models = Counter(device[:2] for device in devices)
    found = []
    for vendor, product, bus, address in devices:
        model = path = f"usb:{vendor:04x}:{product:04x}"
        notes = []
        if models[vendor, product] > 1:
            path = f"usb:{bus:03}:{address:03}"
            notes.append("one of several of its kind: this path changes when it is plugged elsewhere")
        if not may_open(bus, address):
            notes.append(f"no permission for /dev/bus/usb/{bus:03}/{address:03}: it needs a udev rule")
        found.append(Attached("nfc", model, ('driver = "nfc"', f"path = {_toml(path)}"), "; ".join(notes) or None))
    return found


def _toml(text: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(text, ensure_ascii=False)
