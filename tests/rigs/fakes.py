"""Hand-written ports in memory, for tests of the runtime."""

from collections.abc import Mapping, Sequence

from agent.core.events import EventDraft, StampedEvent
from agent.core.model import Now
from agent.errors import JournalUnavailable, StorageError
from agent.ports import JournalStats, StoredEvent
from agent.storage.sealing import seal
from cloud.contract.events import GENESIS, Event
from hardware.errors import DeviceLost


class FakeClock:
    """A clock that stands until it is moved."""

    def __init__(self, mono_s: float = 1000.0, wall_s: float = 1_790_000_000.0, *, known: bool = True) -> None:
        self.mono_s = mono_s
        self.wall_s = wall_s
        self.known = known

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.mono_s += seconds
        self.wall_s += seconds

    def now(self) -> Now:
        """The time as set."""
        return Now(self.mono_s, self.wall_s, self.known)

    def boot_id(self) -> str:
        """A fixed boot."""
        return "00000000-0000-4000-8000-000000000001"

    def boot_ms(self) -> int:
        """Milliseconds of the monotonic clock."""
        return int(self.mono_s * 1000)

    def not_before(self, wall_s: float) -> None:
        """It stands where it was set."""


class MemoryState:
    """A `StateStore` that forgets at exit. `broken` makes it refuse."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.tables: dict[str, dict[str, str]] = {name: dict(rows) for name, rows in (tables or {}).items()}
        self.durable: list[tuple[str, str]] = []
        self.broken = False

    def load(self, name: str) -> Mapping[str, str]:
        """A copy of a table."""
        if self.broken:
            raise StorageError("the disk is gone")
        return dict(self.tables.get(name, {}))

    def save(self, name: str, key: str, value: str | None, *, durable: bool = False) -> None:
        """Keep or remove one entry."""
        if self.broken:
            raise StorageError("the disk is gone")
        table = self.tables.setdefault(name, {})
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
        if durable:
            self.durable.append((name, key))

    def close(self) -> None:
        """Nothing to release."""


class SealingJournal:
    """A `Journal` that keeps what is appended; `refuses` makes it a dying disk, whose events wait until it recovers."""

    def __init__(self) -> None:
        self.drafts: list[EventDraft] = []
        self.waited: list[float] = []
        """The timeout of each append."""
        self.refuses = False
        self.waiting: list[EventDraft] = []

    def append(self, stamped: StampedEvent, timeout_s: float) -> Event:
        """Keep the event, or make it wait."""
        self.waited.append(timeout_s)
        if self.refuses:
            self.waiting.append(stamped.draft)
            raise JournalUnavailable("the disk is full")
        self.drafts += [*self.waiting, stamped.draft]
        self.waiting.clear()
        return seal(stamped, "d1", "hq", 1, len(self.drafts), GENESIS)

    def stats(self) -> JournalStats:
        """Degraded while it refuses."""
        seq = len(self.drafts)
        return JournalStats(1, seq, seq, None, 0, len(self.waiting), "full" if self.refuses else None)

    def types(self) -> list[str]:
        """The types of the events kept, in order."""
        return [draft.type.value for draft in self.drafts]

    def next_unsent(self, max_events: int, max_bytes: int) -> Sequence[Event]:
        """Nothing: nobody sends from here."""
        return []

    def mark_sent(self, epoch: int, first: int, last: int) -> None:
        """Nobody sends from here."""

    def wait_for_unsent(self, timeout_s: float) -> bool:
        """Nobody sends from here."""
        return False

    def events(self, *, since: int = 0, door: str | None = None, limit: int = 1000) -> Sequence[StoredEvent]:
        """Nobody reads from here."""
        return []

    def close(self) -> None:
        """Nothing to release."""


class FakeLock:
    """A `Lock` that keeps what it was told; `broken` makes it a dead pin."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float | None]] = []
        self.broken = False
        self.unlocked = False

    def open(self) -> None:
        """Locked from here on."""

    def unlock(self, for_s: float | None) -> None:
        """Remember it."""
        self._tell("unlock", for_s)
        self.unlocked = True

    def lock(self) -> None:
        """Remember it."""
        self._tell("lock", None)
        self.unlocked = False

    def close(self) -> None:
        """Nothing to release."""

    def _tell(self, what: str, for_s: float | None) -> None:
        if self.broken:
            raise DeviceLost("pin 17 is gone")
        self.told.append((what, for_s))
