"""What can go wrong at the edge.

AgentError
|- ConfigError          the configuration can't be used; holds every problem found
|- StorageError         the disk did not take or give it
|  `- JournalUnavailable  an event could not be made durable in time
|- UplinkError          the cloud did not take or give it
|  |- Transient           try again: throttled, transport, credentials, a fault of theirs
|  `- Permanent           trying again with the same bytes can't help
`- ControlError         a request on the control socket can't be served
   `- Unreachable         no daemon answers there
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.printable import one_line


class AgentError(Exception):
    """Root of all errors of the edge."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration; one printable line, whatever stands in the file."""

    where: str
    """Dotted path, such as `door.0.lock.pin`."""
    what: str
    hint: str | None = None

    def __post_init__(self) -> None:
        for name in ("where", "what", "hint"):
            text = getattr(self, name)
            object.__setattr__(self, name, None if text is None else one_line(text))


class ConfigError(AgentError, ValueError):
    """The configuration can't be used; `problems` holds all of them."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(
            f"{source}: {len(self.problems)} problem(s): {self.problems[0].where}: {self.problems[0].what}"
        )


class StorageError(AgentError, OSError):
    """The disk did not take or give it."""


class JournalUnavailable(StorageError):  # noqa: N818 - named for what happened
    """An event could not be made durable in time."""


class FailureKind(StrEnum):
    """Why the cloud did not take or give it; how long to wait follows from it."""

    THROTTLED = "throttled"
    """It asked for less at a time."""
    TRANSPORT = "transport"
    """No answer, or one that is not the service's own: network, proxy, captive portal, TLS."""
    CREDENTIALS_OR_CLOCK = "credentials_or_clock"
    """It knows us not, or no longer, or takes our signature for one of another time."""
    MENDED = "mended"
    """The same, but just put right: the time was learned meanwhile, or the credentials are fetched anew."""
    SERVICE = "service"
    """Its own fault, or one that a person has to put right there (no such stream)."""
    POISON = "poison"
    """It will never take these bytes."""


class UplinkError(AgentError):
    """The cloud did not take or give it."""

    def __init__(self, message: str, kind: FailureKind) -> None:
        self.kind = kind
        super().__init__(message)


class Transient(UplinkError):  # noqa: N818
    """Trying again can help."""

    def __init__(self, message: str, kind: FailureKind = FailureKind.SERVICE) -> None:
        super().__init__(message, kind)


class Permanent(UplinkError):  # noqa: N818
    """Trying again with the same bytes can't help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, FailureKind.POISON)


class ControlError(AgentError):
    """A request on the control socket can't be served."""


class Unreachable(ControlError):  # noqa: N818
    """No daemon answers at the control socket."""
