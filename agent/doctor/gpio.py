"""Can the agent use its pins? Asked of a program of its own (hardware.gpio.probe), which takes no pin."""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from agent.doctor.asking import NoAnswer, ask_ourselves
from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Account, Scene

LIBRARY: Final = Line(
    Area.GPIO,
    "library",
    "One GPIO library is installed and takes this machine for a Raspberry Pi. Fails for none and for both.",
    "Install 'cardea-access[gpio]' (Raspberry Pi 1 to 4) or 'cardea-access[gpio-pi5]' (Raspberry Pi 5), never both.",
)
ACCESS: Final = Line(
    Area.GPIO,
    "access",
    "The agent's account may use the pins' device, as owner, group and mode of that say: /dev/gpiomem for RPi.GPIO, "
    "/dev/gpiochip* for rpi-lgpio. Fails when there is none.",
    "usermod -aG gpio cardea; systemd/install.sh gives the devices to group gpio; restart the agent. See also the "
    "unit's DeviceAllow.",
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
_REGISTERS: Final = "/dev/gpiomem"
_CHIPS: Final = "/dev/gpiochip*"
_READ_AND_WRITE: Final = 6
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
    yield judge_access(found, scene.account, _devices(scene.root))
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


def judge_access(found: Mapping[str, Any], account: Account, devices: Mapping[str, os.stat_result]) -> Finding:
    """Whether the account may use what the library opens; `devices`: those of this machine, by their paths."""
    registers = (found["library"] or {}).get("name") == "RPi.GPIO"
    chips = _CHIPS if found["chip"] is None else found["chip"]
    pattern = _REGISTERS if registers else chips
    wanted = {path: status for path, status in devices.items() if fnmatchcase(path, pattern)}
    if not wanted:
        # RPi.GPIO as root goes by /dev/mem, and whether there is a chip is seen when it is opened.
        say = ACCESS.warns if account.uid == 0 else ACCESS.fails
        return say(f"there is no {pattern}", "Use a kernel for the Raspberry Pi; let a container have the device.")
    refused = [
        f"{path} ({stat.filemode(status.st_mode)}, owner {status.st_uid}, group {status.st_gid})"
        for path, status in wanted.items()
        if not account.may(status, _READ_AND_WRITE)
    ]
    if refused:
        return ACCESS.fails(f"{account.name} may not use {', '.join(refused)}")
    return ACCESS.passes(f"{account.name} may use {', '.join(wanted)}")


def _devices(root: Path) -> Mapping[str, os.stat_result]:
    """The devices by which libraries use pins."""
    found = {}
    for path in (*sorted((root / "dev").glob("gpiochip*")), root / "dev" / "gpiomem"):
        with suppress(OSError):
            found[f"/dev/{path.name}"] = path.stat()
    return found


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
