"""Is the configuration good, and is it nobody's to change but the owner's?"""

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from agent.config import Config
from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Account, Scene
from agent.errors import ConfigError

FILE: Final = Line(
    Area.CONFIGURATION,
    "file",
    "The file is TOML, has no unknown key and no value out of range. Fails with a line per problem; exit code 2.",
    "Mend these places of the file; config/reference.toml holds every key with its range.",
)
OWNER: Final = Line(
    Area.CONFIGURATION,
    "owner",
    "Only its owner may write the file: who can, can let anybody in. Fails when everybody can, warns when a group "
    "can or when it belongs to neither root nor the agent.",
    "chown root:cardea FILE && chmod 640 FILE",
)
DRIVERS: Final = Line(
    Area.CONFIGURATION,
    "drivers",
    "Warns when an emulated part stands among real ones: it moves no relay and reads no card.",
    "Give the part its real driver, or leave it out.",
)
LINES: Final = (FILE, OWNER, DRIVERS)


def problems(error: ConfigError) -> list[Finding]:
    """A bad configuration as lines."""
    return [
        FILE.fails(f"{problem.where}: {problem.what}" + (f" ({problem.hint})" if problem.hint else ""))
        for problem in error.problems
    ]


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area; the file was read by then."""
    config = scene.config
    readers = sum(len(door.reader) for door in config.door)
    yield FILE.passes(f"{scene.file}: device {config.device.id}, {len(config.door)} door(s), {readers} reader(s)")
    yield judge_owner(str(scene.file), scene.file.stat(), scene.account)
    yield from judge_drivers(_drivers(config))


def judge_owner(file: str, status: os.stat_result, account: Account) -> Finding:
    """Who may write the file."""
    mode = stat.S_IMODE(status.st_mode)
    remedy = OWNER.remedy.replace("FILE", file)
    if mode & stat.S_IWOTH:
        return OWNER.fails(f"everybody may change it (mode {mode:o})", remedy)
    if mode & stat.S_IWGRP:
        return OWNER.warns(f"its group may change it (mode {mode:o})", remedy)
    if status.st_uid not in (0, account.uid):
        return OWNER.warns(f"it belongs to user {status.st_uid}, neither root nor {account.name}", remedy)
    return OWNER.passes(f"only its owner may change it (mode {mode:o})")


def judge_drivers(parts: Sequence[tuple[str, str]]) -> list[Finding]:
    """Parts with their drivers: all emulated is a demonstration, some is a mistake or an unfinished door."""
    emulated = [name for name, driver in parts if driver == "emulated"]
    if not emulated:
        return [DRIVERS.passes("all parts are real")]
    if len(emulated) == len(parts):
        return [DRIVERS.passes("all parts are emulated: this controller opens no real door")]
    return [DRIVERS.warns(f"emulated among real parts: {', '.join(emulated)}")]


def _drivers(config: Config) -> list[tuple[str, str]]:
    locks = [(f"lock {door.id}", door.lock.driver) for door in config.door]
    readers = [(f"reader {part.name}", part.driver) for part in config.reader_settings()]
    return [*locks, *readers, *((f"input {part.name}", part.driver) for part in config.input_settings())]
