"""Whether the agent is alive, as the service manager is told: ready once a tap would work, alive while every worker is.

The watchdog's remedy is a new process, for which every maglock lets go. So it is not asked for what a new process does
not mend: a reader that is not there, a disk that stalls, a cloud that does not answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import structlog

from agent.notify import Notifier

log = structlog.get_logger(__name__)

VOUCH_S: Final = 2.0
"""Between two looks: a few times within the unit's WatchdogSec=, so that one late turn is no death."""
STARTING_S: Final = 0.1
"""The same until the door is ready."""
READY_WAIT_S: Final = 15.0
"""A reader that is not there within this long must not keep the door from counting as started: the exit button, the
other readers and the control socket work."""


class Watched(Protocol):
    """The agent, as far as it is looked at here."""

    def silent(self) -> Sequence[str]:
        """Parts that hang, and that a new process would mend."""

    def status(self) -> Mapping[str, Any]:
        """The status document."""


class Health:
    """Looks at the agent and tells the manager. One thread, which must be the one that lives as long as the process."""

    def __init__(self, agent: Watched, notifier: Notifier, now_s: float) -> None:
        self._agent = agent
        self._notifier = notifier
        self._since_s = now_s
        self._ready = False
        self._silent: frozenset[str] = frozenset()
        self._unknown = False
        """Whether the status could not be told at the last look."""

    def look(self, now_s: float) -> float:
        """Tell how it stands at this monotonic instant; seconds until the next look."""
        silent = frozenset(self._agent.silent())
        status = self._status()
        for name in sorted(silent - self._silent):
            log.error("watchdog.withheld", worker=name, remedy="the service manager starts the agent anew")
        for name in sorted(self._silent - silent):
            log.info("watchdog.resumed", worker=name)
        self._silent = silent
        fields = {"STATUS": "status unknown" if status is None else _words(status)}
        if not silent:
            fields["WATCHDOG"] = "1"
        if not self._ready and ((status is not None and status["ready"]) or now_s - self._since_s >= READY_WAIT_S):
            self._ready = True
            fields["READY"] = "1"
        self._notifier.tell(**fields)
        return VOUCH_S if self._ready else STARTING_S

    def _status(self) -> Mapping[str, Any] | None:
        try:
            status = self._agent.status()
        except Exception:
            # This is the thread that the process ends with: what only people read must not end a door.
            if not self._unknown:
                log.exception("status.failed")
            self._unknown = True
            return None
        self._unknown = False
        return status


def _words(status: Mapping[str, Any]) -> str:
    """What `systemctl status` shows: nothing that the status document does not."""
    doors = ", ".join(f"{door['id']} {door['lock']}" for door in status["doors"])
    degraded = ", ".join(status["degraded"])
    return f"{doors}; degraded: {degraded}"[:500] if degraded else doors[:500]
