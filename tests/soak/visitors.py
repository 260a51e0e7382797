"""People at the readers for an hour, each checking every decision; and the one who follows the journal for them."""

import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.control_client import ControlClient
from agent.errors import ControlError
from cloud.contract.events import EventType
from tests.faults.ledger import Problems, Told
from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.soak.stacks import EXPECTED, Place

DECIDED_S: Final = 15.0
"""A card that is held for so long without a decision is taken away and held again; twice in a row is a failure."""
_MOST_UNREAD: Final = 64
_ACCESS: Final = {EventType.ACCESS_GRANTED.value, EventType.ACCESS_DENIED.value}


class Decisions:
    """Follows the journal through the control socket, and hands each decision to who waits at its reader."""

    def __init__(self, daemon: Daemon, readers: Sequence[str], problems: Problems) -> None:
        self._client = daemon.client()
        self._events = daemon.client()
        self._problems = problems
        self._at = {reader: queue.Queue[dict[str, Any]](_MOST_UNREAD) for reader in readers}
        self._seen = 0
        self.lost: Counter[str] = Counter()
        """How often each reader was lost."""
        self._thread = threading.Thread(target=self._run, name="decisions")

    def __enter__(self) -> "Decisions":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._thread.join(DECIDED_S)
        self._events.close()

    def next(self, reader: str, timeout_s: float) -> dict[str, Any] | None:
        """The next decision at a reader; None after `timeout_s`."""
        try:
            return self._at[reader].get(timeout=timeout_s)
        except queue.Empty:
            return None

    def surplus(self, reader: str) -> int:
        """Decisions that nobody asked for."""
        return self._at[reader].qsize()

    def _run(self) -> None:
        try:
            for picture in self._client.watch():
                if picture["journal"]["seq"] > self._seen:
                    self._read()
        except ControlError:
            return  # the end: the client was closed, or the daemon is gone, which the visitors notice

    def _read(self) -> None:
        while some := self._events.request("events", since=self._seen)["events"]:
            self._seen = some[-1]["seq"]
            for event in some:
                if event["type"] == EventType.READER_LOST.value:
                    self.lost[event["reader"]] += 1
                if event["type"] in _ACCESS:
                    try:
                        self._at[event["reader"]].put_nowait(event)
                    except queue.Full:
                        self._problems.add(f"{_MOST_UNREAD} decisions at {event['reader']} that nobody asked for")


class Visitor:
    """One person at one place, tap after tap. `run` is a thread's body."""

    def __init__(
        self, place: Place, daemon: Daemon, decisions: Decisions, life: str, seed: int, problems: Problems
    ) -> None:
        self._place = place
        self._life = life
        self._daemon = daemon
        self._decisions = decisions
        self._chosen = random.Random(seed)
        self._problems = problems
        self._uid = ""
        self._missed_in_a_row = 0
        self.told: list[Told] = []
        self.waited_s: list[float] = []
        """From holding the card there to the decision in hand."""
        self.again = 0
        """Cards that had to be held again."""

    def run(self, stop: threading.Event) -> None:
        """Tap until `stop`."""
        place = self._place
        try:
            with self._daemon.client() as client:
                while not stop.wait(self._chosen.uniform(place.pause_s / 2, place.pause_s)):
                    lost = self._decisions.lost[place.reader]
                    self._check_surplus(lost)
                    self._tap(client)
        except (ControlError, AssertionError, OSError, RuntimeError) as error:
            self._problems.add(f"{place.reader}: {type(error).__name__}: {error}")

    def _tap(self, client: ControlClient) -> None:
        place = self._place
        # Another card than before: it is a tap at once, however soon it comes.
        self._uid = self._chosen.choice([uid for uid in place.uids if uid != self._uid])
        began_s = time.monotonic()
        if place.held is None:
            result = client.request("tap", card=self._uid, reader=place.reader)["result"]
            event = self._decisions.next(place.reader, DECIDED_S)
            if event is not None and result["event_id"] not in (None, event["id"]):
                self._problems.add(f"{place.reader}: told of event {result['seq']}, recorded as {event['seq']}")
        else:
            with place.held(self._uid):
                event = self._decisions.next(place.reader, DECIDED_S)
        if event is None:
            self._missed()
            return
        self._missed_in_a_row = 0
        self.waited_s.append(time.monotonic() - began_s)
        self._check(event)

    def _missed(self) -> None:
        self.again += 1
        self._missed_in_a_row += 1
        if self._missed_in_a_row > 1:
            self._problems.add(
                f"{self._place.reader}: no decision within {DECIDED_S:g} s, {self._missed_in_a_row} times"
            )

    def _check(self, event: Mapping[str, Any]) -> None:
        expected, granted = EXPECTED[self._uid], event["type"] == EventType.ACCESS_GRANTED.value
        credential = site.credential(self._uid)
        if (event["reason"], event["credential"], granted) != (expected, credential, expected == "allowed"):
            self._problems.add(f"{self._place.reader}: {event['type']} ({event['reason']}) where {expected} was due")
        self.told.append(
            Told(
                self._life,
                event["id"],
                granted,
                event["reason"],
                event["door"],
                event["reader"],
                event["seq"],
                credential,
            )
        )

    def _check_surplus(self, lost_before: int) -> None:
        """A card that is held is one tap, unless its reader was lost and found again meanwhile."""
        surplus = self._decisions.surplus(self._place.reader)
        if surplus and not lost_before:
            self._problems.add(f"{self._place.reader}: {surplus} decisions more than cards")
        while self._decisions.surplus(self._place.reader):
            self._decisions.next(self._place.reader, 0.0)
