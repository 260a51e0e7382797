"""Which API and site are meant: options, then the environment, then the profile file. Must never hold a secret."""

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agent.errors import ConfigError, Problem

_FILE: Final = Path("cardea") / "office.toml"


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the staff's commands go. None: not told."""

    api: str | None = None
    """Base URL; `/v1/...` follows it."""
    site: str | None = None
    pool_id: str | None = None
    client_id: str | None = None
    region: str | None = None
    """Of the pool."""
    endpoint_url: str | None = None
    """Of the identity provider, where it is not Amazon's own: a local AWS."""


def profile_path(environment: Mapping[str, str] = os.environ) -> Path:
    """`$CARDEA_PROFILE`, else `office.toml` in the user's configuration."""
    named = environment.get("CARDEA_PROFILE")
    if named:
        return Path(named)
    home = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".config"
    return Path(home) / _FILE


def load_profile(
    path: Path, *, api: str | None = None, site: str | None = None, environment: Mapping[str, str] = os.environ
) -> Profile:
    """The profile with what options and environment say instead; a missing file is an empty one. Raises ConfigError."""
    profile = _read(path)
    named = {
        "api": api or environment.get("CARDEA_API"),
        "site": site or environment.get("CARDEA_SITE"),
    }
    profile = replace(profile, **{name: value for name, value in named.items() if value})
    problems = [
        Problem(name, "is neither https nor on this machine: what is sent there is not for everybody to read")
        for name, url in (("api", profile.api), ("endpoint_url", profile.endpoint_url))
        if url is not None and not _is_private(url)
    ]
    if problems:
        raise ConfigError(str(path), problems)
    return profile


def _read(path: Path) -> Profile:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Profile()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(path), [Problem("file", f"can't be read: {error}")]) from error
    known = [field.name for field in fields(Profile)]
    problems = [
        Problem(name, "is not known", _hint(name, known)) if name not in known else Problem(name, "is not a text")
        for name, value in document.items()
        if name not in known or not isinstance(value, str) or not value
    ]
    if problems:
        raise ConfigError(str(path), problems)
    return Profile(**document)


def _hint(name: str, known: list[str]) -> str | None:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else None


def _is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.scheme not in ("http", "https"):
        return False
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
