"""Levels of pins and states of inputs."""

import pytest

from hardware.gpio.circuit import is_active, level
from hardware.settings import InputSettings, Normally, Pull


@pytest.mark.parametrize(
    ("pull", "normally", "high", "active"),
    [
        (Pull.UP, Normally.OPEN, True, False),
        (Pull.UP, Normally.OPEN, False, True),
        (Pull.UP, Normally.CLOSED, True, True),
        (Pull.UP, Normally.CLOSED, False, False),
        (Pull.DOWN, Normally.OPEN, True, True),
        (Pull.DOWN, Normally.OPEN, False, False),
        (Pull.DOWN, Normally.CLOSED, True, False),
        (Pull.DOWN, Normally.CLOSED, False, True),
        (Pull.OFF, Normally.OPEN, False, True),
        (Pull.OFF, Normally.CLOSED, False, False),
    ],
)
def test_level_means_a_state_by_resistor_and_normal_position(
    pull: Pull, normally: Normally, high: bool, active: bool
) -> None:
    """The table of the installation guide, both ways round."""
    settings = InputSettings("rex", "gpio", normally, 0.03, 4, pull)
    assert is_active(settings, high) is active
    assert level(settings, active) is high
