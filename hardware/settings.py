"""What a driver needs to know, as plain data. The agent's configuration is checked before it becomes this."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Electrical level of a pin."""

    HIGH = "high"
    LOW = "low"


class Fail(StrEnum):
    """What a lock does without power."""

    SECURE = "secure"
    """Locked without power, such as a strike."""
    SAFE = "safe"
    """Unlocked without power, such as a maglock."""


class Pull(StrEnum):
    """The resistor inside the chip that defines an open circuit."""

    UP = "up"
    DOWN = "down"
    OFF = "off"


class Normally(StrEnum):
    """Whether the circuit of an input is open or closed while nothing happens."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LockSettings:
    """A lock relay."""

    name: str
    driver: str
    fail: Fail
    pin: int | None = None
    """BCM number; None for emulated."""
    active: Level = Level.HIGH
    """Level that energises the relay."""

    @property
    def energised_when_unlocked(self) -> bool:
        """A fail-secure lock unlocks with power; a fail-safe lock locks with it."""
        return self.fail is Fail.SECURE


@dataclass(frozen=True, slots=True)
class InputSettings:
    """One input. Its circuit runs from the pin to ground with `pull` up, or to 3.3 V with `pull` down."""

    name: str
    driver: str
    normally: Normally
    debounce_s: float
    pin: int | None = None
    pull: Pull = Pull.UP


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """One reader."""

    name: str
    driver: str
    reread_s: float
    """How long a card must have been away before the same card counts again."""
    match: str | None = None
    """pcsc: glob on the reader's PC/SC name."""
    path: str | None = None
    """nfc: nfcpy's device path."""
    poll_s: float = 0.1
    """nfc: time between polls."""
