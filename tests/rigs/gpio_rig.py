"""A Raspberry Pi's pins for a program under test: the real libraries on a simulated chip, no root and no Pi needed.

    with gpio_rig("rpi-lgpio") as rig:
        program = subprocess.Popen([sys.executable, ...], env=rig.env)
        rig.drive(27, high=False)
        rig.level(17), rig.is_output(17), rig.transitions(17)

The environment alone puts a program on the chip: no prefix to the command, no namespace, nothing in the machine's /dev.
Pins are BCM numbers. Two rigs never meet: each has files of its own.
"""

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardware.settings import Pull
from tests.rigs.gpio_libs import ROOT, Library, library


@dataclass(frozen=True, slots=True)
class PinState:
    """What a pin has become."""

    at_s: float
    """time.monotonic() in the program."""
    high: bool
    output: bool


class GpioRig(ABC):
    """The chip and the world at its pins."""

    def __init__(self, name: Library, folder: Path) -> None:
        self.name: Final = name
        self.folder: Final = folder

    @property
    def env(self) -> Mapping[str, str]:
        """The environment that puts a program on this chip, with the repository and the library to import."""
        paths = [str(library(self.name)), str(ROOT), os.environ.get("PYTHONPATH", "")]
        return os.environ | {"PYTHONPATH": ":".join(filter(None, paths))} | self._own_env()

    @abstractmethod
    def _own_env(self) -> dict[str, str]: ...

    @abstractmethod
    def drive(self, pin: int, high: bool | None) -> None:
        """What the world does to a pin while the chip does not drive it; None: nothing, the chip's resistor decides."""

    @abstractmethod
    def level(self, pin: int) -> bool:
        """The level now; a floating pin is low."""

    @abstractmethod
    def is_output(self, pin: int) -> bool:
        """Whether the chip drives the pin."""

    @abstractmethod
    def pull(self, pin: int) -> Pull:
        """The chip's resistor at this pin."""

    @abstractmethod
    def transitions(self, pin: int) -> list[PinState]:
        """All changes of the pin while it was, or became, or ceased to be an output; complete up to now."""

    @abstractmethod
    def close(self) -> None:
        """Release what the rig holds."""


@contextmanager
def gpio_rig(name: Library, *, keeps_outputs: bool = False) -> Iterator[GpioRig]:
    """A rig for one of the two libraries.

    `keeps_outputs` (rpi-lgpio): a freed line stays as it was driven, as Raspberry Pi OS kernels do; else it becomes an
    input, as mainline kernels do. With RPi.GPIO no kernel has a say: the registers stay.
    """
    from tests.rigs.gpiochip import GpiochipRig
    from tests.rigs.gpiomem import GpiomemRig

    folder = Path(tempfile.mkdtemp(prefix="cardea-gpio-"))
    try:
        rig: GpioRig = GpiomemRig(folder) if name == "rpi-gpio" else GpiochipRig(folder, keeps_outputs=keeps_outputs)
        try:
            yield rig
        finally:
            rig.close()
    finally:
        shutil.rmtree(folder)
