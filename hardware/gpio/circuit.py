"""From the level of a pin to the state of an input, and back. Pure.

A closed circuit pulls the pin against its resistor: low with `pull` up, high with `pull` down. With `pull` off the
resistor is outside the chip and taken to be a pull-up, as on every input board that we know of.
"""

from hardware.settings import InputSettings, Normally, Pull


def is_active(settings: InputSettings, high: bool) -> bool:
    """Whether an input with this level is away from its normal position."""
    closed = high == (settings.pull is Pull.DOWN)
    return closed != (settings.normally is Normally.CLOSED)


def level(settings: InputSettings, active: bool) -> bool:
    """The level (True: high) of an input in this state."""
    return is_active(settings, high=True) == active
