"""What the self-test says: lines with a verdict and, unless all is well, what to do. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a line came out."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    """The door works, but somebody should look into it."""
    FAIL = "fail"
    """Something that the door needs does not work."""


class Area(StrEnum):
    """What a line is about; lines are shown by area, in this order."""

    CONFIGURATION = "configuration"
    IDENTITY = "identity"
    CLOCK = "clock"
    DISK = "disk"
    JOURNAL = "journal"
    GPIO = "gpio"
    READERS = "readers"
    DAEMON = "daemon"
    CLOUD = "cloud"
    SERVICE = "service"
    POWER = "power"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    area: Area
    name: str
    verdict: Verdict
    what: str
    remedy: str | None
    """What to do; None where all is well."""
    by_daemon: bool = False
    """Whether the running daemon said so, rather than the self-test saw it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that the report may hold, once or several times."""

    area: Area
    name: str
    meaning: str
    """What it looks at, and what is expected; for the documentation."""
    remedy: str
    """What to do, unless the finding knows better."""

    def passes(self, what: str, *, by_daemon: bool = False) -> Finding:
        """All is well."""
        return Finding(self.area, self.name, Verdict.PASS, what, None, by_daemon)

    def warns(self, what: str, remedy: str | None = None, *, by_daemon: bool = False) -> Finding:
        """Somebody should look into it."""
        return Finding(self.area, self.name, Verdict.WARN, what, remedy or self.remedy, by_daemon)

    def fails(self, what: str, remedy: str | None = None, *, by_daemon: bool = False) -> Finding:
        """It does not work."""
        return Finding(self.area, self.name, Verdict.FAIL, what, remedy or self.remedy, by_daemon)


def worst(findings: Iterable[Finding]) -> Verdict:
    """The verdict on all of them."""
    verdicts = {finding.verdict for finding in findings}
    return next((verdict for verdict in (Verdict.FAIL, Verdict.WARN) if verdict in verdicts), Verdict.PASS)
