"""What can go wrong with hardware.

HardwareError
|- MissingLibrary    the driver's library is not installed; the message names the package
|- OpenError         the device is not there or can't be used; try again later
|- DeviceLost        an open device went away; close, wait, open again
|- CardError         this card, this time; the reader goes on
|- ClosedError       used after close(): a bug of the caller
"""


class HardwareError(Exception):
    """Root of all errors of drivers."""


class MissingLibrary(HardwareError):  # noqa: N818 - named for what happened, like its siblings
    """The driver's library is not installed; the message names the package to install."""


class OpenError(HardwareError):
    """The device is not there, is in use, or can't be used by this user."""


class DeviceLost(HardwareError):  # noqa: N818
    """An open device went away or stopped to answer."""


class CardError(HardwareError):
    """The card answered nonsense, or left in the middle of an exchange."""


class ClosedError(HardwareError, RuntimeError):
    """The driver was used after close()."""
