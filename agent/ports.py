"""What the edge needs from outside, in its own words. Adapters implement these; tests may too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.core.events import StampedEvent
from agent.core.model import Holder, Now, Policy
from agent.core.timekeeping import Answer, Validity
from cloud.contract.allowlist import Delta, Head, Snapshot
from cloud.contract.events import Event


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> Now:
        """Monotonic and wall time, and whether the latter is trusted."""

    def boot_id(self) -> str:
        """The kernel's id of this boot."""

    def boot_ms(self) -> int:
        """Milliseconds since boot, suspended time included."""

    def not_before(self, wall_s: float) -> None:
        """The list in use was published then, Unix seconds: an earlier time is not to be believed."""


class CloudClock(Protocol):
    """What the way to the cloud asks of the clock, and teaches it. Any thread."""

    def is_known(self) -> bool:
        """Whether the time is known."""

    def boot_s(self) -> float:
        """Seconds since boot, suspended time included."""

    def hear(self, answer: Answer) -> str | None:
        """Learn from an answer over verified TLS; why it is not to be taken, None: take it."""

    def to_sign_s(self) -> float:
        """The best guess, known or not, Unix seconds: what to sign requests with."""

    def for_credentials_s(self) -> float:
        """What to tell by whether credentials have expired, Unix seconds."""

    def certificate_problem(self, validity: Validity) -> str | None:
        """Why certificates with these dates are not to be taken; None: take them."""

    def system_is_right(self) -> bool:
        """Whether OpenSSL, which looks at the system's clock, judges the dates of certificates rightly."""


@dataclass(frozen=True, slots=True)
class JournalStats:
    """The journal's measure, for status and metrics."""

    epoch: int
    seq: int
    """Of the newest event; 0 when there is none."""
    unsent: int
    oldest_unsent_at: str | None
    bytes: int
    waiting: int
    """Events in memory that the disk has not taken yet."""
    degraded: str | None
    """Why the disk does not take events; None while it does."""


@dataclass(frozen=True, slots=True)
class JournalBreak:
    """The first place where the journal is not what it should be."""

    epoch: int
    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event and whether the cloud has acknowledged it."""

    event: Event
    sent: bool


class Journal(Protocol):
    """The device's durable, ordered, hash-chained log. Thread-safe."""

    def append(self, stamped: StampedEvent, timeout_s: float) -> Event:
        """Return the sealed event once it is on disk.

        Raises JournalUnavailable after `timeout_s` or when the disk refuses; the event then waits in a bounded
        ring in memory and is written, in order, as soon as the disk takes it.
        """

    def next_unsent(self, max_events: int, max_bytes: int) -> Sequence[Event]:
        """The next run of consecutive unsent events to send: alarms first, then live ones, then the backlog."""

    def mark_sent(self, epoch: int, first: int, last: int) -> None:
        """The cloud acknowledged this run; it stays stored until room is needed."""

    def wait_for_unsent(self, timeout_s: float) -> bool:
        """Block until there is something to send; False after `timeout_s`."""

    def events(self, *, since: int = 0, door: str | None = None, limit: int = 1000) -> Sequence[StoredEvent]:
        """Stored events of the current epoch with seq > since, oldest first."""

    def stats(self) -> JournalStats:
        """Cheap; from memory."""

    def close(self) -> None:
        """Write what waits, release the file; idempotent."""


@dataclass(frozen=True, slots=True)
class ListPosition:
    """Which list a door holds."""

    epoch: int
    version: int


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """An item that was kept out of the list."""

    kind: str
    id: str
    what: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What an application did."""

    position: ListPosition
    cards: int
    refused: tuple[RefusedItem, ...]


class AllowListReader(Protocol):
    """The controller's view: one thread, read only."""

    def policy(self) -> Policy | None:
        """Everything but cards and persons, as of the newest applied version; None before the first list."""

    def find(self, credential: str) -> tuple[Holder | None, Policy | None]:
        """The holder of a credential and the policy of the same version, read in one transaction."""

    def count_cards(self) -> int:
        """Number of cards."""

    def close(self) -> None:
        """Release the file; idempotent."""


class AllowListStore(Protocol):
    """The sync thread's side: applies whole versions, each in one transaction.

    What is signed and can be read, but is more than a door can hold, raises ContractError and changes nothing.
    """

    def position(self) -> ListPosition | None:
        """Which list is held; None before the first."""

    def apply_delta(self, delta: Delta) -> Applied:
        """Apply one delta that was checked to follow `position()`."""

    def apply_snapshot(self, snapshot: Snapshot) -> Applied:
        """Replace the list."""

    def removals(self, change: Delta | Snapshot) -> tuple[int, int]:
        """(cards that the change would take away, cards held now), for the shrink guard."""

    def close(self) -> None:
        """Release the file; idempotent."""


class ListSource(Protocol):
    """Where lists come from; signatures are checked before anything is returned.

    Raises Transient, Permanent, ContractError.
    """

    def head(self) -> Head | None:
        """The site's head, strongly consistent; None when the site has published nothing."""

    def deltas(self, epoch: int, after: int, upto: int) -> Iterator[Delta]:
        """The deltas after < version <= upto, in order."""

    def snapshot(self, head: Head) -> Snapshot:
        """The snapshot that the head names, its hash checked."""


class EventSink(Protocol):
    """Where packed records go."""

    def put(self, record: bytes) -> None:
        """Return once the cloud acknowledged the record; raises Transient, Permanent."""


class StateStore(Protocol):
    """Small state that survives a restart: presence, latches. One thread."""

    def load(self, name: str) -> Mapping[str, str]:
        """All entries of a table of strings."""

    def save(self, name: str, key: str, value: str | None, *, durable: bool = False) -> None:
        """Set or remove (None) one entry; `durable` waits for the disk. Raises StorageError, also when it is late."""

    def close(self) -> None:
        """Release the file; idempotent."""
