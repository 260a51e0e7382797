"""What a door is configured to do, what it remembers, and what can happen to it. Data only, no rule."""

from dataclasses import dataclass
from enum import StrEnum

from agent.core.events import EventDraft
from cloud.contract.items import DoorMode


class DoorStateName(StrEnum):
    """The state of a door in one word."""

    LOCKED = "locked"
    """Shut, as far as anyone can tell, and locked."""
    UNLOCKED = "unlocked"
    """Shut, as far as anyone can tell, and unlocked for a while by a grant or REX."""
    OPEN = "open"
    """Opened with a cause; the held-open timer runs. The lock may be locked or not."""
    WARNED = "warned"
    """Open, and soon too long."""
    HELD = "held"
    """Open for too long: an alarm."""
    FORCED = "forced"
    """Opened without a cause: an alarm until it is shut."""
    FREE = "free"
    """Unlocked by its mode, open or shut."""
    FIRE = "fire"
    """Unlocked by the fire latch, open or shut; nothing but a reset ends this."""


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """How one door behaves. Durations in seconds; raises ValueError for what no door could keep."""

    id: str
    strike_s: float
    """How long a grant unlocks; at least 0.1."""
    rex_unlocks: bool
    """False where the exit button itself cuts the lock's power and the agent only has to know of it."""
    rex_unlock_s: float
    """How long REX unlocks after it is let go; at least 0.1."""
    held_open_s: float
    """Open for this long is an alarm."""
    pre_alarm_s: float
    """How long before that alarm to warn; 0 warns never; less than held_open_s."""
    relock_on_open: bool
    """Whether an opening ends the unlock time of grants."""
    has_contact: bool
    """Whether a contact tells open from shut."""

    def __post_init__(self) -> None:
        if self.strike_s < 0.1 or self.rex_unlock_s < 0.1:
            raise ValueError("strike_s and rex_unlock_s must be at least 0.1")
        if not 0 <= self.pre_alarm_s < self.held_open_s:
            raise ValueError("pre_alarm_s must be at least 0 and less than held_open_s")


@dataclass(frozen=True, slots=True)
class WaitingGrant:
    """A grant whose holder has not opened the door yet."""

    event: EventDraft
    """The access.granted draft."""
    leads_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorState:
    """All that a door remembers. Instants are monotonic seconds."""

    name: DoorStateName
    mode: DoorMode
    unlocked: bool = False
    """What the lock was last driven to."""
    unlocked_until_s: float | None = None
    """When that ends; None while locked, or unlocked without an end."""
    contact_open: bool | None = None
    """None: no contact."""
    fire: bool = False
    """Latched: the fire input is active, or was and has not been reset."""
    fire_active: bool = False
    rex_pressed: bool = False
    tampered: bool = False
    entry_until_s: float | None = None
    """End of the unlock time of grants that lead in; None when there is none."""
    exit_until_s: float | None = None
    """The same for grants that lead out, which no mode withdraws."""
    rex_until_s: float | None = None
    """End of the REX window; None when there is none. Moves on while REX is pressed."""
    rex_since_s: float = 0.0
    """When REX was pressed; means nothing while it is not."""
    rex_stuck: bool = False
    """REX has been pressed for so long that it was reported."""
    opened_s: float = 0.0
    """Start of the held-open timer; means nothing while no such timer runs."""
    excused_until_s: float | None = None
    """An opening before this instant had a cause that is over now: debouncing reports openings late."""
    waiting: tuple[WaitingGrant, ...] = ()
    """Grants whose holders have not opened the door yet, oldest first; at most MAX_WAITING."""


@dataclass(frozen=True, slots=True)
class Tapped:
    """A credential was presented and the decision made."""

    event: EventDraft
    """The access.granted or access.denied draft; recorded as it is."""
    granted: bool
    leads_to: str | None
    """Area that the person enters if the grant is taken."""


@dataclass(frozen=True, slots=True)
class RexChanged:
    """The request-to-exit input changed."""

    pressed: bool


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """The door position switch changed."""

    open: bool


@dataclass(frozen=True, slots=True)
class TamperChanged:
    """The tamper input changed."""

    active: bool


@dataclass(frozen=True, slots=True)
class FireChanged:
    """The fire input changed."""

    active: bool


@dataclass(frozen=True, slots=True)
class FireResetRequested:
    """Somebody asks to end the fire latch."""

    who: str


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """The door is to be in this mode."""

    mode: DoorMode


@dataclass(frozen=True, slots=True)
class TimePassed:
    """`next_deadline` may have come."""


DoorInput = (
    Tapped | RexChanged | ContactChanged | TamperChanged | FireChanged | FireResetRequested | ModeChanged | TimePassed
)
