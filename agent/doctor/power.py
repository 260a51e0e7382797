"""Does the Raspberry Pi get enough power, and stay cool? Other machines tell nothing of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.doctor.asking import NoAnswer, ask
from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Scene, read_text

SUPPLY: Final = Line(
    Area.POWER,
    "supply",
    "The supply voltage did not fall below what the Pi needs. Fails when it is too low now, warns when it was too low "
    "since boot.",
    "Use a supply of 5.1 V and 3 A or more with a short, thick cable; feed the locks from a supply of their own.",
)
HEAT: Final = Line(
    Area.POWER,
    "temperature",
    "The chip is below 75 degrees Celsius; fails from 85 on, where it slows itself down.",
    "Give the housing air or a heat sink, and shade it.",
)
LINES: Final = (SUPPLY, HEAT)

ASK_S: Final = 5.0
HEAT_WARNS_C: Final = 75.0
HEAT_FAILS_C: Final = 85.0
_LOW_NOW, _LOW_BEFORE = 1 << 0, 1 << 16


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area."""
    yield judge_supply(_flags(scene.root))
    text = read_text(scene.root / "sys/class/thermal/thermal_zone0/temp")
    yield judge_heat(int(text) / 1000 if text is not None and text.lstrip("-").isdigit() else None)


def judge_supply(flags: int | None) -> Finding:
    """The firmware's flags (get_throttled); None where nothing tells."""
    if flags is None:
        return SUPPLY.passes("nothing tells: this is no Raspberry Pi")
    if flags & _LOW_NOW:
        return SUPPLY.fails("the voltage is too low now")
    if flags & _LOW_BEFORE:
        return SUPPLY.warns("the voltage was too low since boot")
    return SUPPLY.passes("the voltage was never too low since boot")


def judge_heat(celsius: float | None) -> Finding:
    """None where nothing tells."""
    if celsius is None:
        return HEAT.passes("nothing tells")
    text = f"{celsius:.0f} degrees"
    if celsius >= HEAT_FAILS_C:
        return HEAT.fails(text)
    return HEAT.warns(text) if celsius >= HEAT_WARNS_C else HEAT.passes(text)


def _flags(root: Path) -> int | None:
    try:
        _, _, value = ask(["vcgencmd", "get_throttled"], ASK_S).strip().partition("=")
        return int(value, 16)
    except (NoAnswer, ValueError):
        pass
    for sensor in (root / "sys/class/hwmon").glob("*"):
        if read_text(sensor / "name") == "rpi_volt":
            # The kernel keeps only what is: whether the alarm stands now.
            return _LOW_NOW if read_text(sensor / "in0_lcrit_alarm") == "1" else 0
    return None
