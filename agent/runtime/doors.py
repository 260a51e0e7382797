"""A door as the controller holds it: its pure state, its lock, and what is shown of it. Performs lock effects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.core.door import DoorSettings, DoorState
from agent.core.effects import Relock, Unlock
from agent.core.model import DecisionSettings, Direction
from cloud.contract.events import Event
from hardware.errors import HardwareError
from hardware.protocols import Lock

GUARD_MARGIN_S: Final = 1.0
"""How much later than the core's own deadline the driver's guard locks: late enough never to be first."""
HOLD_S: Final = 15.0
"""An unlock without end is granted to the driver in pieces, so that a hung controller ends it."""
ASSERT_EVERY_S: Final = 5.0
"""How often the lock is told again what it should be: renews a piece, and heals a lock that lost its way."""
RETRY_S: Final = 1.0
"""The same for a lock that could not be driven."""


@dataclass(frozen=True, slots=True)
class ReaderPlace:
    """Where a reader is."""

    name: str
    driver: str
    door: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class TapOutcome:
    """A decided tap, for whoever waits for it or shows it."""

    reader: str
    door: str
    direction: str
    credential: str | None
    granted: bool
    reason: str
    text: str
    person: str | None
    event_id: str | None
    """None: the event still waits for the disk."""
    seq: int | None
    latency_ms: float
    allowlist_version: int | None
    at_s: float
    """Monotonic."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a step did."""

    event: Event | None
    """The first event recorded; None if there was none or the disk did not take it yet."""
    driven_s: float | None
    """Monotonic instant at which the lock was last driven."""


@dataclass(frozen=True, slots=True)
class DoorView:
    """What is shown of a door; replaced as a whole, so that any thread may read it."""

    id: str
    state: DoorState
    fail: str
    inputs: Mapping[str, bool]
    lock_fault: str | None
    last: TapOutcome | None


@dataclass(slots=True)
class DoorUnit:
    """One door. Owned by the controller's thread."""

    settings: DoorSettings
    deciding: DecisionSettings
    lock: Lock
    fail: str
    fire_from: frozenset[str]
    """Doors whose fire input counts for this one; itself among them."""
    state: DoorState | None = None
    last: TapOutcome | None = None
    lock_fault: str | None = None
    assert_due_s: float = field(default=float("-inf"))

    def drive(self, effect: Unlock | Relock, now_s: float) -> str | None:
        """Perform a lock effect; the words of a fault that is new, else None."""
        # Before the try: whatever is raised, the lock is told again while whoever pressed the exit button stands there.
        self.assert_due_s = now_s + RETRY_S
        try:
            match effect:
                case Unlock(until_s=None, emergency=True):
                    self.lock.unlock(None)
                case Unlock(until_s=None):
                    self.lock.unlock(HOLD_S)
                case Unlock(until_s=until_s) if until_s is not None:
                    self.lock.unlock(max(0.0, until_s - now_s) + GUARD_MARGIN_S)
                case _:
                    self.lock.lock()
        except HardwareError as error:
            new = self.lock_fault is None
            self.lock_fault = str(error)
            return self.lock_fault if new else None
        self.assert_due_s = now_s + ASSERT_EVERY_S
        self.lock_fault = None
        return None

    def wanted(self) -> Unlock | Relock:
        """What the lock should be, by the door's state alone."""
        state = self.state
        if state is None or not state.unlocked:
            return Relock()
        return Unlock(until_s=state.unlocked_until_s, emergency=state.fire)
