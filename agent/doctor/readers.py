"""Is every configured reader there, and none that nobody configured? No reader is opened.

Asked of `cardea readers`, run as a program of its own: pcscd and USB may hang.
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from agent.doctor.asking import NoAnswer, ask_ourselves
from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Account, Scene, read_text
from hardware.settings import ReaderSettings

READER: Final = Line(
    Area.READERS,
    "reader",
    "Each configured reader is attached: for pcsc exactly one name matches, for nfc the device is there and may be "
    "used. Of a running daemon: the reader is ready.",
    "Check plug, cable and power, and the reader's lines in the configuration: `cardea readers` prints them.",
)
SERVICE: Final = Line(
    Area.READERS,
    "service",
    "The libraries and services of the configured kinds answer: pcscd for pcsc, libusb for nfc.",
    "apt install pcscd && systemctl enable --now pcscd.socket; for nfc: pip install 'cardea-access[nfc]'.",
)
KERNEL: Final = Line(
    Area.READERS,
    "kernel driver",
    "No NFC driver of the kernel's holds the USB device of an nfc reader, and no login console its serial port.",
    "echo blacklist NAME > /etc/modprobe.d/cardea-nfc.conf && rmmod NAME; for a console: raspi-config, Serial Port.",
)
STRANGER: Final = Line(
    Area.READERS,
    "not configured",
    "No reader is attached that no door uses: forgotten in the configuration, or plugged in by somebody.",
    "Give it to a door, or unplug it.",
)
LINES: Final = (READER, SERVICE, KERNEL, STRANGER)

ASK_S: Final = 15.0
"""Loading both libraries takes 4 s on the slowest Pi when it is idle; beside the other checks it is not."""
_KERNEL_DRIVERS: Final = ("pn533_usb", "pn533", "port100")
_READ_AND_WRITE: Final = 6
_USB_PLACE: Final = re.compile(r"^usb:(\d{1,3}):(\d{1,3})$")
_CARDEA: Final = "from agent.cli import main; main(prog_name='cardea')"


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area."""
    settings = scene.config.reader_settings()
    if not settings:
        yield READER.passes("none is configured")
        return
    kinds = {reader.driver for reader in settings}
    attached: Sequence[Mapping[str, Any]] = ()
    if kinds - {"emulated"}:
        try:
            attached = json.loads(ask_ourselves(("-c", _CARDEA, "readers", "--json"), ASK_S))["readers"]
        except (NoAnswer, ValueError, KeyError) as error:
            yield SERVICE.fails(
                f"readers can't be listed: {error}",
                "systemctl restart pcscd; unplug and replug USB readers. One of the two hangs.",
            )
        else:
            yield from judge_services(attached, kinds)
    told = {} if scene.told.status is None else _states(scene.told.status)
    for reader in settings:
        yield _reader(reader, attached, scene)
        if reader.name in told:
            yield judge_told(reader.name, told[reader.name])
    yield from judge_strangers(attached, settings)
    yield from judge_kernel(
        [reader.path or "" for reader in settings if reader.driver == "nfc"],
        read_text(scene.root / "proc/modules") or "",
        read_text(scene.root / "proc/cmdline") or "",
    )


def judge_services(attached: Sequence[Mapping[str, Any]], kinds: set[str]) -> Iterator[Finding]:
    """Notes without a reader say why a whole kind can't be listed."""
    broken = {entry["driver"]: entry["note"] for entry in attached if entry["name"] is None}
    for kind in sorted(kinds - {"emulated"}):
        yield SERVICE.fails(f"{kind}: {broken[kind]}") if kind in broken else SERVICE.passes(f"{kind} answers")


def judge_pcsc(name: str, pattern: str, names: Sequence[str]) -> Finding:
    """A pattern must match one reader: of several the agent takes none."""
    matching = [other for other in names if fnmatchcase(other, pattern)]
    if len(matching) == 1:
        return READER.passes(f"{name}: {matching[0]}")
    if matching:
        return READER.fails(
            f"{name}: several readers match {pattern!r}: {', '.join(matching)}",
            "Make `match` exact: `cardea readers` prints the line for each.",
        )
    return READER.fails(f"{name}: none matches {pattern!r}; attached: {', '.join(names) or 'none'}")


def judge_usb(name: str, path: str, attached: Sequence[Mapping[str, Any]]) -> Finding:
    """A USB path is usb, usb:vendor or usb:vendor:product here."""
    entries = [entry for entry in attached if entry["driver"] == "nfc" and entry["name"]]
    wanted = path.lower()
    found = [entry for entry in entries if wanted in ("usb", f"{_toml_path(entry)}", entry["name"].lower())]
    if not found and len(wanted.split(":")) == 2:
        found = [entry for entry in entries if entry["name"].lower().startswith(f"{wanted}:")]
    if not found:
        there = ", ".join(entry["name"] for entry in entries) or "none"
        return READER.fails(f"{name}: no device at {path}; attached: {there}")
    note = found[0]["note"] or ""
    if "no permission" in note:
        return READER.fails(f"{name}: {note}", "Add a udev rule that gives the device to group cardea, and replug it.")
    return READER.passes(f"{name}: {path}")


def judge_told(name: str, state: str) -> Finding:
    """A reader as the daemon sees it."""
    if state == "ready":
        return READER.passes(f"{name}: ready", by_daemon=True)
    return READER.fails(f"{name}: {state}", by_daemon=True)


def judge_strangers(attached: Sequence[Mapping[str, Any]], settings: Sequence[ReaderSettings]) -> Iterator[Finding]:
    """Attached readers that no configured one stands for. One device may be of both kinds: either use will do."""
    patterns = [reader.match or "" for reader in settings if reader.driver == "pcsc"]
    paths = [(reader.path or "").lower() for reader in settings if reader.driver == "nfc"]
    kinds = {reader.driver for reader in settings}
    for entry in attached:
        name = entry["name"]
        if name is None or entry["driver"] not in kinds:
            continue
        if entry["driver"] == "pcsc":
            used = any(fnmatchcase(name, pattern) for pattern in patterns)
        else:
            used = any(judge_usb("", path, [entry]).remedy is None for path in paths if path.startswith("usb"))
        if not used:
            lines = "; ".join(entry["config"])
            yield STRANGER.warns(f"{entry['driver']}: {name}", f"Give it to a door ({lines}), or unplug it.")


def judge_kernel(paths: Sequence[str], modules: str, command_line: str) -> Iterator[Finding]:
    """`modules`: /proc/modules; `command_line`: the kernel's."""
    if not paths:
        return
    bad = []
    loaded = {line.split()[0] for line in modules.splitlines() if line.split()}
    if any(path.startswith("usb") for path in paths):
        bad += [
            KERNEL.fails(f"{name} is loaded and takes the device", KERNEL.remedy.replace("NAME", name))
            for name in _KERNEL_DRIVERS
            if name in loaded
        ]
    consoles = {word.removeprefix("console=").partition(",")[0] for word in command_line.split()}
    for path in paths:
        port = _serial_port(path)
        if port is not None and port.removeprefix("/dev/") in consoles:
            bad.append(KERNEL.fails(f"{port} is a login console", "raspi-config, Interface Options, Serial Port."))
    yield from bad or [KERNEL.passes("none in the way")]


def _reader(reader: ReaderSettings, attached: Sequence[Mapping[str, Any]], scene: Scene) -> Finding:
    if reader.driver == "emulated":
        return READER.passes(f"{reader.name}: emulated")
    if reader.driver == "pcsc":
        names = [entry["name"] for entry in attached if entry["driver"] == "pcsc" and entry["name"]]
        return judge_pcsc(reader.name, reader.match or "", names)
    path = reader.path or ""
    if (place := _USB_PLACE.match(path)) is not None:
        return _usb_place(reader.name, scene.root / f"dev/bus/usb/{int(place[1]):03}/{int(place[2]):03}", scene)
    if path.startswith("usb"):
        return judge_usb(reader.name, path, attached)
    port = _serial_port(path)
    if port is not None:
        return _serial(reader.name, port, scene)
    return READER.passes(f"{reader.name}: {path} is not looked for")


def _usb_place(name: str, node: Path, scene: Scene) -> Finding:
    try:
        status = node.stat()
    except OSError as error:
        return READER.fails(
            f"{name}: {node}: {error.strerror}",
            "The number changes when it is plugged anew: prefer usb:vendor:product.",
        )
    if not scene.account.may(status, _READ_AND_WRITE):
        return READER.fails(f"{name}: {scene.account.name} may not use {node}", "Add a udev rule for group cardea.")
    return READER.passes(f"{name}: {node}")


def _serial(name: str, port: str, scene: Scene) -> Finding:
    try:
        status = (scene.root / port.removeprefix("/")).stat()
    except OSError as error:
        return READER.fails(
            f"{name}: {port}: {error.strerror}", "Switch the port on (raspi-config, Serial Port), or correct `path`."
        )
    return judge_serial(name, port, status, scene.account)


def judge_serial(name: str, port: str, status: os.stat_result, account: Account) -> Finding:
    """A serial port that is there."""
    if not stat.S_ISCHR(status.st_mode):
        return READER.fails(f"{name}: {port} is no serial port", "Correct `path`.")
    if not account.may(status, _READ_AND_WRITE):
        return READER.fails(f"{name}: {account.name} may not use {port}", f"usermod -aG dialout {account.name}")
    return READER.passes(f"{name}: {port}")


def _serial_port(path: str) -> str | None:
    """The device of nfcpy's tty:S0:pn532 or com:ttyS0:pn532; None for another kind, or where nfcpy is to search."""
    kind, _, rest = path.partition(":")
    name = rest.partition(":")[0]
    if kind not in ("tty", "com") or not name[-1:].isdigit():
        return None
    return f"/dev/tty{name}" if kind == "tty" else f"/dev/{name}"


def _states(status: Mapping[str, Any]) -> Mapping[str, str]:
    return {str(entry.get("name")): str(entry.get("state")) for entry in status.get("readers", [])}


def _toml_path(entry: Mapping[str, Any]) -> str:
    """The path in the configuration lines of an attached device."""
    lines = [line.partition("=") for line in entry["config"]]
    return next((str(json.loads(value)).lower() for key, _, value in lines if key.strip() == "path"), "")
