"""What the demo knows of the local AWS: the line that it prints when ready, the door's variables and keys.

The door must reach this AWS and no other: variables and profiles of the person who runs the demo never get through.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agent.config import Config
from agent.errors import AgentError
from agent.storage.keys import load_or_make_device_key

MARK: Final = "made-by-the-demo"
"""File in a state directory that the demo may replace."""
KEYS: Final = ("card-hash.key", "list-verify.pub")


@dataclass(frozen=True, slots=True)
class LocalSite:
    """A running local AWS with the demo site in it."""

    endpoint: str
    host: str
    port: int
    home: Path
    environment: Mapping[str, str]
    """AWS_* variables of the door, with the narrow rights of one."""
    operator_environment: Mapping[str, str]
    """AWS_* variables of a person, with all rights: for reading the stream back."""
    list_version: tuple[int, int]
    """Epoch and version of the list that holds the demo site."""
    office: Mapping[str, str]
    """Where the staff's commands go: the fields of a profile (agent.office.profile)."""
    staff: Mapping[str, tuple[str, str]] = field(repr=False)
    """Name and password of one member of staff for each role."""


def read_ready_line(line: str) -> LocalSite:
    """The one JSON line of `cardea cloud local --json`; raises AgentError if it is not that."""
    try:
        document = json.loads(line)
        endpoint, home = document["endpoint"], Path(document["home"])
        address = urlsplit(endpoint)
        door, operator = (
            {str(name): str(value) for name, value in document[part].items()}
            for part in ("environment", "operator_environment")
        )
        office = {
            **{name: str(document[name]) for name in ("api", "site", "pool_id", "client_id", "region")},
            "endpoint_url": endpoint,
        }
        staff = {str(role): (str(who["name"]), str(who["password"])) for role, who in document["staff"].items()}
        version = int(document["epoch"]), int(document["version"])
        host, port = address.hostname, address.port
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise AgentError(f"the local AWS said something unexpected: {line[:200]!r}") from error
    if address.scheme != "http" or host is None or port is None:
        raise AgentError(f"the local AWS gave no usable endpoint: {endpoint[:200]!r}")
    return LocalSite(endpoint, host, port, home, door, operator, version, office, staff)


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment from which no account of this person can be reached, and no proxy stands before 127.0.0.1."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    loopback = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    return {**kept, **loopback, "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def door_environment(site: LocalSite, base: Mapping[str, str], relay_endpoint: str) -> dict[str, str]:
    """The agent's environment: the site's variables, with the relay in the place of the endpoint."""
    through = {name: value.replace(site.endpoint, relay_endpoint) for name, value in site.environment.items()}
    return {**without_aws(base), **through, "AWS_ENDPOINT_URL": relay_endpoint}


def fresh_state(config: Config) -> Path | None:
    """Give the door an empty state directory; where the old one went, if it was not the demo's.

    A door that remembers who came in yesterday refuses them at the turnstile today, which is right at a real door and
    puzzling in a demo. A directory that the demo made is kept as `.previous`; any other is set aside under a free name
    for good.
    """
    state = config.device.state_dir
    aside: Path | None = None
    try:
        if state.exists() and any(state.iterdir()):
            if (state / MARK).exists():
                previous = state.with_name(f"{state.name}.previous")
                if (previous / MARK).exists():
                    shutil.rmtree(previous)
                state.rename(previous if not previous.exists() else _free_name(state))
            else:
                aside = _free_name(state)
                state.rename(aside)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / MARK).write_text("The demo replaces this directory at its next start.\n")
    except OSError as error:
        raise AgentError(f"the door's state directory can't be prepared: {error}") from error
    return aside


def device_option(config: Config) -> str:
    """The controller as `cardea cloud local --device` takes it; makes its key. Raises AgentError."""
    key = load_or_make_device_key(config.device.state_dir / "device.key").public_key().public_bytes_raw().hex()
    return f"{config.device.id}={key}:{','.join(door.id for door in config.door)}"


def bring_keys(config: Config, site: LocalSite) -> None:
    """Put the site's keys where the configuration wants them; raises AgentError."""
    places = (config.path(config.device.card_hash_key), config.path(config.allowlist.verify_keys[0]))
    try:
        for name, place in zip(KEYS, places, strict=True):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(mode=0o600)
            place.write_bytes((site.home / "door" / name).read_bytes())
    except OSError as error:
        raise AgentError(f"the site's keys can't be brought to the door: {error}") from error


def _free_name(state: Path) -> Path:
    number = 1
    while (place := state.with_name(f"{state.name}.set-aside-{number}")).exists():
        number += 1
    return place
