"""Where things are by default: the configuration and the control socket."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DEFAULT_CONFIG: Final = Path("/etc/cardea/cardea.toml")
SOCKET_NAME: Final = "control.sock"
SYSTEM: Final = Path("/run/cardea")


def runtime_folder(socket: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the daemon leaves what must not outlive a boot: systemd's runtime directory, else beside its socket."""
    if environment.get("RUNTIME_DIRECTORY"):
        return Path(environment["RUNTIME_DIRECTORY"].split(":")[0])
    return (socket or default_socket(environment)).parent


def default_socket(environment: Mapping[str, str] = os.environ, user: int | None = None) -> Path:
    """systemd's runtime directory, the system's for root or if a daemon is there, else one of this user's."""
    user = os.geteuid() if user is None else user
    if environment.get("RUNTIME_DIRECTORY"):
        return Path(environment["RUNTIME_DIRECTORY"].split(":")[0]) / SOCKET_NAME
    # os.path, not Path: a directory that we may not look into counts as none.
    if user == 0 or os.path.exists(SYSTEM / SOCKET_NAME):  # noqa: PTH110
        return SYSTEM / SOCKET_NAME
    if environment.get("XDG_RUNTIME_DIR"):
        return Path(environment["XDG_RUNTIME_DIR"]) / "cardea" / SOCKET_NAME
    # A user without a session has no runtime directory; a shared one such as /tmp would let others stand in for us.
    return Path(environment.get("HOME", "~")).expanduser() / ".local" / "state" / "cardea" / SOCKET_NAME
