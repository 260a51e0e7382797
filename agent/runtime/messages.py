"""What is posted to the controller's inbox: plain data only, from any thread."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from agent.core.door import DoorSettings
from agent.core.events import EventDraft
from agent.core.model import DecisionSettings
from agent.ports import Applied
from cloud.contract.reasons import Reason


@dataclass(frozen=True, slots=True)
class CardPresented:
    """A reader has a card. Only the keyed hash of its number leaves the reader's thread."""

    reader: str
    credential: str
    technology: str
    seen_s: float
    """Monotonic instant at which the driver had the card."""


@dataclass(frozen=True, slots=True)
class CardUnreadable:
    """A card answered nonsense or was torn away."""

    reader: str
    seen_s: float
    what: str


@dataclass(frozen=True, slots=True)
class ReaderChanged:
    """A reader went away, or is there again."""

    reader: str
    ready: bool
    what: str


@dataclass(frozen=True, slots=True)
class InputSettled:
    """An input is in a new state, debounced."""

    name: str
    active: bool
    at_s: float


@dataclass(frozen=True, slots=True)
class InputsOpened:
    """All inputs of a bank as read when it was opened."""

    states: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class ListApplied:
    """A new allow-list version is in use."""

    applied: Applied


@dataclass(frozen=True, slots=True)
class ListConfirmed:
    """The list in use was seen to be the newest."""


@dataclass(frozen=True, slots=True)
class ListRefused:
    """An offered list was not taken."""

    reason: Reason
    detail: str
    epoch: int
    version: int


@dataclass(frozen=True, slots=True)
class UplinkChanged:
    """The way to the cloud opened or closed."""

    online: bool


@dataclass(frozen=True, slots=True)
class Happened:
    """Something to record that concerns no door's state."""

    event: EventDraft


@dataclass(frozen=True, slots=True)
class FireReset:
    """Somebody at the controller asks to end the fire state of a door; None: of all doors."""

    door: str | None
    who: str


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """New settings of the doors' behaviour."""

    doors: Mapping[str, tuple[DoorSettings, DecisionSettings]]


@dataclass(frozen=True, slots=True)
class Ask:
    """Run a question on the controller's thread, which owns the answer, and set the future."""

    question: Callable[[], Any]
    answer: "Future[Any]"


Message = (
    CardPresented
    | CardUnreadable
    | ReaderChanged
    | InputSettled
    | InputsOpened
    | ListApplied
    | ListConfirmed
    | ListRefused
    | UplinkChanged
    | Happened
    | FireReset
    | Reconfigured
    | Ask
)
