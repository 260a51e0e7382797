"""What the core wants done. The shell performs effects in their order and adds nothing."""

from dataclasses import dataclass

from agent.core.events import EventDraft


@dataclass(frozen=True, slots=True)
class Record:
    """Make the event durable before any later effect (bounded: the door does not wait for a dying disk)."""

    event: EventDraft


@dataclass(frozen=True, slots=True)
class Unlock:
    """Unlock until the monotonic instant; None: until told otherwise."""

    until_s: float | None
    emergency: bool = False
    """Fire: no second guard may take it back."""


@dataclass(frozen=True, slots=True)
class Relock:
    """Lock now."""


@dataclass(frozen=True, slots=True)
class MovePerson:
    """The person is now in this area."""

    person: str
    area: str


Effect = Record | Unlock | Relock | MovePerson
