"""`python -m hardware.gpio.probe 17 27`: the GPIO library, the chip and who holds these pins, as one JSON document.

A program of its own, so that a library that hangs or crashes takes only itself down. It sets no pin up.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from hardware.errors import HardwareError
from hardware.gpio import rpi
from hardware.gpio.lines import header_chip, line_states

_DISTRIBUTIONS: Final = ("RPi.GPIO", "rpi-lgpio")
_REGISTERS: Final = "/dev/gpiomem"


def probe(pins: Sequence[int]) -> dict[str, Any]:
    """All that can be told without taking a pin."""
    library: dict[str, Any] | None = None
    error = None
    try:
        library = asdict(rpi.connect().library)
    except HardwareError as problem:
        error = str(problem)
    chip = header_chip()
    states = [] if chip is None else line_states(chip, list(pins))
    return {
        "installed": [name for name in _DISTRIBUTIONS if _is_installed(name)],
        "library": library,
        "error": error,
        "registers": os.access(_REGISTERS, os.R_OK | os.W_OK) if os.path.exists(_REGISTERS) else None,  # noqa: PTH110
        "chip": None if chip is None else str(chip),
        "lines": [asdict(state) for state in states],
    }


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    print(json.dumps(probe([int(pin) for pin in sys.argv[1:]])))
