"""Weather for the fault-injecting Kinesis: a seeded mix of every fault, scattered and in bursts, until it is calm.

A spell lasts for some requests (scattered faults), or for some time: a shard that takes so many records in a "second"
and throttles the rest, or an outage with one fault throughout. The seed fixes which spells and faults come in which
order; which request meets which is the scheduler's to say.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests.rigs import fault_kinesis as faults
from tests.rigs.fault_kinesis import OK, Answer, Entry

TIMEOUT_S: Final = 1.0
"""What the doors under test are told to wait for an answer: the least that the configuration takes."""
MET: Final = "met: "
"""Begins the name of a figure that counts a fault."""
_SECOND_S: Final = 0.1
"""A shard's second, shortened so that a life of a few tenths sees several."""
_HELD_S: Final = 0.4

FAULTS: Final[Mapping[str, Answer]] = {
    "throttled record": faults.THROTTLED_RECORD,
    "failed record": faults.FAILED_RECORD,
    "throttled request": faults.THROTTLED_REQUEST,
    "internal failure": faults.INTERNAL_FAILURE,
    "stored, answered 500": faults.STORED_THEN_500,
    "unavailable": faults.UNAVAILABLE,
    "expired token": faults.EXPIRED_TOKEN,
    "bad signature": faults.BAD_SIGNATURE,
    "no stream": faults.NO_STREAM,
    "refused": faults.REFUSED,
    "reset": faults.RESET,
    "stored, then reset": faults.STORED_THEN_RESET,
    "login page": faults.LOGIN_PAGE,
    "not an object": faults.NOT_AN_OBJECT,
    "not text": faults.NOT_TEXT,
    "empty": faults.EMPTY,
    "numbers no record": Answer(stores=False, body=b'{"FailedRecordCount":0,"Records":[]}'),
    "says that one failed, not which": Answer(body=b'{"FailedRecordCount":1,"Records":[{"SequenceNumber":"1"}]}'),
    "slow": Answer(delay_s=0.2),
    "stored, then timed out": Answer(delay_s=TIMEOUT_S * 1.3),
    "timed out": Answer(stores=False, delay_s=TIMEOUT_S * 1.3),
}
_RARE: Final = frozenset({"refused", "stored, then timed out", "timed out"})
"""Each costs the door a second; at full weight nothing else would be met in a life."""
_WEIGHTS: Final = [1 if name in _RARE else 5 for name in FAULTS]


class Storm:
    """Give `script` to FaultKinesis.otherwise; the rest is for the test. Thread-safe."""

    def __init__(self, seed: int) -> None:
        self._chosen = random.Random(seed)
        self._lock = threading.Lock()
        self._calm = False
        self._spell: Callable[[], str | None] = lambda: None
        self._requests_left = 0
        self._until_s = 0.0
        self._hold_after: int | None = None
        self._held = threading.Event()
        self.met: Counter[str] = Counter()
        """How often each fault was met."""

    def script(self, _entries: Sequence[Entry]) -> Answer:
        """The answer to one request."""
        with self._lock:
            if self._hold_after is not None:
                self._hold_after -= 1
                if self._hold_after < 0:
                    self._hold_after = None
                    self._held.set()
                    self.met["killed in flight"] += 1
                    return Answer(stores=self._chosen.random() < 0.7, delay_s=_HELD_S)
            if self._calm:
                return OK
            self._requests_left -= 1
            if self._requests_left < 0 and time.monotonic() >= self._until_s:
                self._turn()
            name = self._spell()
            if name is None:
                return OK
            self.met[name] += 1
            return FAULTS[name]

    def calm(self) -> None:
        """All goes well from now on."""
        with self._lock:
            self._calm = True
            self._hold_after = None

    def rise(self) -> None:
        """The storm goes on."""
        with self._lock:
            self._calm = False

    def hold(self, after: int) -> threading.Event:
        """Set once a request is in flight whose answer is held back, after letting so many pass."""
        with self._lock:
            self._hold_after = after
            self._held = threading.Event()
            return self._held

    def figures(self) -> dict[str, int | float]:
        """What was met, for the table of a long run."""
        return {f"{MET}{name}": count for name, count in sorted(self.met.items())}

    def _turn(self) -> None:
        """Begin the next spell."""
        chosen = self._chosen
        self._requests_left, self._until_s = 0, 0.0
        kind = chosen.random()
        if kind < 0.3:
            self._requests_left = chosen.randint(1, 20)
            self._spell = lambda: None
        elif kind < 0.6:
            self._requests_left = chosen.randint(3, 30)
            part = chosen.choice((0.05, 0.3, 0.6))
            self._spell = lambda: self._any() if chosen.random() < part else None
        elif kind < 0.85:
            self._until_s = time.monotonic() + chosen.uniform(0.1, 0.5)
            self._spell = self._shard(chosen.randint(0, 5))
        else:
            self._until_s = time.monotonic() + chosen.uniform(0.05, 0.5)
            name = self._any()
            self._spell = lambda: name

    def _any(self) -> str:
        return self._chosen.choices(list(FAULTS), _WEIGHTS)[0]

    def _shard(self, records: int) -> Callable[[], str | None]:
        """So many records in each "second", the rest throttled."""
        taken: Counter[int] = Counter()

        def spell() -> str | None:
            second = int(time.monotonic() / _SECOND_S)
            taken[second] += 1
            return None if taken[second] <= records else "throttled record"

        return spell
