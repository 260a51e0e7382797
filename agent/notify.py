"""Tells the service manager how the agent is: systemd's protocol, datagrams to $NOTIFY_SOCKET. Outside of systemd it
does nothing. Must never block or raise: a manager that does not listen is no reason to lose a door.
"""

import os
import socket
from collections.abc import Mapping
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_ENCODING: Final = "utf-8"


class Notifier:
    """See sd_notify(3). One thread."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of a name that is in no file system.
        self._address: Final = "\0" + address[1:] if address.startswith("@") else address
        self._failing = False

    def tell(self, **fields: str) -> None:
        """Send these fields, such as READY="1", in one message."""
        if not self._address:
            return
        text = "\n".join(f"{name}={_one_line(value)}" for name, value in fields.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.setblocking(False)
                link.sendto(text.encode(_ENCODING, "replace"), self._address)
        except OSError as error:
            # Told once: the next message comes within seconds, and what is missed for long ends in a restart.
            if not self._failing:
                log.warning("notify.failed", error=str(error))
            self._failing = True
        else:
            self._failing = False


def _one_line(text: str) -> str:
    return " ".join(text.split())
