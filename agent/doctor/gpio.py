"""Can the agent use its pins? Asked of a program of its own (hardware.gpio.probe), which takes no pin."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agent.doctor.asking import NoAnswer, ask_ourselves
from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Account, Scene, group_id

LIBRARY: Final = Line(
    Area.GPIO,
    "library",
    "One GPIO library is installed and takes this machine for a Raspberry Pi. Fails for none and for both.",
    "Install 'cardea-access[gpio]' (Raspberry Pi 1 to 4) or 'cardea-access[gpio-pi5]' (Raspberry Pi 5), never both.",
)
ACCESS: Final = Line(
    Area.GPIO,
    "access",
    "The agent's account may use the chip (/dev/gpiomem, /dev/gpiochip*): root, or group gpio.",
    "usermod -aG gpio cardea, and restart the agent; see also the unit's DeviceAllow.",
)
PINS: Final = Line(
    Area.GPIO,
    "pins",
    "No other program and no kernel driver holds a configured pin; the running daemon may.",
    "End that program, or take the overlay out of /boot/firmware/config.txt, or use another pin.",
)
LINES: Final = (LIBRARY, ACCESS, PINS)

PROBE_S: Final = 25.0
"""Loading a library takes 2 s on the slowest Pi when it is idle; beside the other checks it is not."""
_GROUP: Final = "gpio"
_HOLDERS: Final = ("lg", "")
"""What lgpio calls itself when it takes a pin."""


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area."""
    if not scene.pins:
        yield LIBRARY.passes("not needed: no part of the configuration is on a pin")
        return
    command = ("-m", "hardware.gpio.probe", *(str(pin) for pin in sorted(scene.pins)))
    try:
        found = json.loads(ask_ourselves(command, PROBE_S))
    except (NoAnswer, ValueError) as error:
        yield LIBRARY.fails(f"it can't be tried: {error}")
        return
    yield judge_library(found)
    yield judge_access(found, scene.account, group_id(_GROUP))
    if found["chip"] is None:
        yield PINS.passes("who holds them can't be told: the kernel shows no chip of a Raspberry Pi to this user")
    else:
        yield from judge_pins(found, scene.pins, running=scene.told.status is not None)


def judge_library(found: Mapping[str, Any]) -> Finding:
    """Which library is there, and whether it can be imported."""
    if len(found["installed"]) > 1:
        names = " and ".join(found["installed"])
        return LIBRARY.fails(
            f"{names} are both installed: which one is used is chance",
            f"pip uninstall {' '.join(found['installed'])}, then install the one for this Raspberry Pi.",
        )
    if found["library"] is None:
        return LIBRARY.fails(str(found["error"]))
    return LIBRARY.passes(f"{found['library']['name']} {found['library']['version']}")


def judge_access(found: Mapping[str, Any], account: Account, gpio: int | None) -> Finding:
    """Whether the account may use the chip: `gpio` is the group's id, None where there is no such group."""
    if account.uid == 0 or (gpio is not None and gpio in account.gids):
        return ACCESS.passes(f"{account.name} may use the chip")
    if found["chip"] is not None or found["registers"]:
        return ACCESS.warns(f"{account.name} is not in group {_GROUP}, though this user may use the chip")
    return ACCESS.fails(f"{account.name} is not in group {_GROUP}")


def judge_pins(found: Mapping[str, Any], parts: Mapping[int, str], *, running: bool) -> Iterator[Finding]:
    """A held pin is the running daemon's where its library books pins with the kernel: RPi.GPIO does not."""
    ours = _HOLDERS if running and (found["library"] or {}).get("name") == "rpi-lgpio" else ()
    bad = [line for line in found["lines"] if line["used"] and line["holder"] not in ours]
    if not bad:
        yield PINS.passes("nobody else holds them" if running else "free")
    for line in bad:
        yield PINS.fails(
            f"pin {line['pin']} ({parts[line['pin']]}) is held by {line['holder'] or 'an unnamed program'}"
        )
