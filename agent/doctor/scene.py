"""What the checks are given: configuration, machine, the account that the agent runs under, the daemon's word."""

import grp
import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.config import Config

SERVICE_ACCOUNT: Final = "cardea"


@dataclass(frozen=True, slots=True)
class Account:
    """A user with its groups."""

    name: str
    uid: int
    gids: frozenset[int]

    def may(self, status: os.stat_result, wanted: int) -> bool:
        """Whether the mode bits grant this account `wanted`, a sum of 4 (read), 2 (write), 1 (enter, execute)."""
        if self.uid == 0:
            return True
        mode = stat.S_IMODE(status.st_mode)
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid in self.gids else 0
        return (mode >> shift) & wanted == wanted


@dataclass(frozen=True, slots=True)
class Told:
    """What came of asking the daemon for its status."""

    socket: Path
    status: Mapping[str, Any] | None
    """Its status document; None when it gave none."""
    error: str | None = None
    """Why not."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The service's unit, as systemd has it."""

    properties: Mapping[str, str] | None
    """None where there is no systemd, or it gave no answer."""
    error: str | None = None
    """Why it gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that a check may look at."""

    file: Path
    """The configuration's file."""
    config: Config
    told: Told
    account: Account
    """Who runs the daemon: the service's account where there is one, else who asks."""
    unit: Unit = Unit(None)
    root: Path = Path("/")
    """Where the machine's own files are: /proc, /sys, /etc."""

    @property
    def state_dir(self) -> Path:
        """The agent's folder."""
        return self.config.device.state_dir

    @property
    def pins(self) -> Mapping[int, str]:
        """Configured pins, and what hangs on each."""
        locks = [self.config.lock_settings(door) for door in self.config.door]
        parts = [(part.pin, part.name) for part in locks]
        parts += [(part.pin, part.name) for part in self.config.input_settings()]
        return {pin: name for pin, name in parts if pin is not None}


def service_account(unit: Unit) -> Account:
    """The account that the unit runs under, with the groups that it adds; where there is none, that of this process."""
    properties = unit.properties or {}
    try:
        entry = pwd.getpwnam(properties.get("User") or SERVICE_ACCOUNT)
    except KeyError:
        return Account("this user", os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))
    added = [gid for name in properties.get("SupplementaryGroups", "").split() if (gid := group_id(name)) is not None]
    return Account(entry.pw_name, entry.pw_uid, frozenset([*os.getgrouplist(entry.pw_name, entry.pw_gid), *added]))


def group_id(name: str) -> int | None:
    """A group's number; None if there is no such group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def read_text(path: Path, limit: int = 64 * 1024) -> str | None:
    """The beginning of a file of the machine's; None if it is not there or can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace").replace("\0", " ").strip()
    except OSError:
        return None
