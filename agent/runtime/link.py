"""What a worker on the way to the cloud tells of itself."""

from dataclasses import dataclass
from enum import StrEnum


class Link(StrEnum):
    """Whether the cloud is reached."""

    ONLINE = "online"
    OFFLINE = "offline"
    OFF = "off"
    """The worker does not run."""


@dataclass(frozen=True, slots=True)
class LinkReport:
    """A worker's state; replaced as a whole, so any thread may read it."""

    state: Link = Link.OFF
    last_ok_s: float | None = None
    """Monotonic instant of the last success; None before the first."""
    attempts: int = 0
    """Failures in a row since the last progress."""
    error: str | None = None
    """What the last attempt failed of; None when it did not."""
    trouble: str | None = None
    """A degraded reason that a person must act on, or None."""
