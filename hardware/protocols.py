"""What the edge asks of its hardware: readers, locks, inputs. Drivers implement these; emulated drivers are equals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Technology(StrEnum):
    """Air or contact interface of a card, as far as the reader can tell."""

    ISO14443A = "iso14443a"
    ISO14443B = "iso14443b"
    FELICA = "felica"
    ISO15693 = "iso15693"
    CONTACT = "contact"
    UNKNOWN = "unknown"
    EMULATED = "emulated"


class Indication(StrEnum):
    """What the person at the reader is shown."""

    GRANTED = "granted"
    DENIED = "denied"


class PresentedCard(Protocol):
    """A card in the field. Owned by the reader's thread; usable until the card leaves."""

    @property
    def uid(self) -> bytes:
        """4 to 16 bytes. Never log it."""

    @property
    def technology(self) -> Technology:
        """The card's interface."""

    @property
    def seen_s(self) -> float:
        """time.monotonic() when the driver had the card."""

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU, return data and status word. Raises CardError; DeviceLost if the reader went."""


@runtime_checkable
class Reader(Protocol):
    """A card reader. One thread opens, waits and closes; `interrupt`, `indicate` may come from any thread.

    A card held to the reader is presented once. It is presented again after it was away for `reread_s`.
    """

    @property
    def name(self) -> str:
        """The name from the configuration."""

    def open(self) -> None:
        """Connect to the device; raises OpenError, MissingLibrary."""

    def wait_for_card(self, timeout_s: float) -> PresentedCard | None:
        """Block until a card is presented; None after `timeout_s` or `interrupt`.

        Raises CardError for a card that can't be read (it counts as presented), DeviceLost when the device went away.
        """

    def indicate(self, indication: Indication) -> None:
        """Show a decision as far as the device can. Never blocks, never raises."""

    def interrupt(self) -> None:
        """Make a blocked `wait_for_card` return soon (100 ms)."""

    def close(self) -> None:
        """Release the device; idempotent. Afterwards `open` may be called again."""


@runtime_checkable
class Lock(Protocol):
    """A lock on a relay. From `open` on it is locked; after `close` or death of the process it is in its safe state.

    Thread-safe. An unlock is bounded twice: by the caller, and here by `for_s`.
    """

    @property
    def unlocked(self) -> bool:
        """What the relay is driven to now."""

    def open(self) -> None:
        """Take the pin, locked, without a pulse; raises OpenError, MissingLibrary."""

    def unlock(self, for_s: float | None) -> None:
        """Unlock now; lock by itself after `for_s` seconds unless told again. None: until told (fire only).

        A later call replaces the bound. Raises DeviceLost when the pin can't be driven.
        """

    def lock(self) -> None:
        """Lock now. Raises DeviceLost when the pin can't be driven."""

    def close(self) -> None:
        """Put the relay into the lock's safe state (no power) and release the pin; idempotent."""


@dataclass(frozen=True, slots=True)
class InputChange:
    """An input that has been in its new state for its whole debounce time."""

    name: str
    active: bool
    """Active means: not in its normal position (REX pressed, door open, tampered, fire)."""
    at_s: float
    """time.monotonic() of the first edge of the change."""


@runtime_checkable
class InputBank(Protocol):
    """All inputs of one driver. `open`, `run` and `close` belong to one thread."""

    def open(self) -> Mapping[str, bool]:
        """Take the pins and return each input's state as read and settled, never assumed; raises OpenError."""

    def run(self, on_change: Callable[[InputChange], None], stopped: Callable[[], bool]) -> None:
        """Report debounced changes since `open` until `stopped()`, which is asked at least every 100 ms.

        Raises DeviceLost when a pin can't be read any more.
        """

    def close(self) -> None:
        """Release the pins; idempotent."""
