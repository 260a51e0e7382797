"""A reader's worker: losses and recoveries in pairs, and a driver whose calls do not return."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.runtime import readerdevice, readers
from agent.runtime.inbox import Inbox
from agent.runtime.messages import CardPresented, CardUnreadable, Message, ReaderChanged
from agent.runtime.readers import MOST_LEFT_BEHIND, ReaderWorker
from agent.runtime.supervisor import Supervisor, Worker
from hardware.errors import CardError, DeviceLost, OpenError
from hardware.protocols import Indication, PresentedCard, Technology
from hardware.readers.emulated import EmulatedCard
from tests.rigs.waiting import wait_for

UID = bytes.fromhex("04A1B2C3D4E580")


class Bus:
    """What all devices that a worker makes hang on: `held` makes each call block, `faults` are raised by the next."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.faults: list[Exception | None] = []
        self.open_faults: list[Exception] = []
        self.cards: list[bytes] = []
        self.made: list[FakeReader] = []

    def make(self) -> "FakeReader":
        self.made.append(FakeReader(self))
        return self.made[-1]

    def hold(self) -> None:
        """From now on no call returns, until `release`."""
        self.go_on.clear()
        self.held.set()

    def release(self) -> None:
        self.held.clear()
        self.go_on.set()

    def pass_through(self) -> None:
        if self.held.is_set():
            self.go_on.wait(60)


class FakeReader:
    """A `Reader` on a bus."""

    name = "lobby"

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._interrupted = threading.Event()
        self.is_open = False

    def open(self) -> None:
        self._bus.pass_through()
        assert not self.is_open
        if self._bus.open_faults:
            raise self._bus.open_faults.pop(0)
        self.is_open = True

    def wait_for_card(self, timeout_s: float) -> PresentedCard | None:
        self._bus.pass_through()
        if self._bus.faults and (fault := self._bus.faults.pop(0)) is not None:
            raise fault
        if self._bus.cards:
            return EmulatedCard(self._bus.cards.pop(0), time.monotonic())
        self._interrupted.wait(min(timeout_s, 0.01))
        return None

    def indicate(self, indication: Indication) -> None:
        pass

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        self._bus.pass_through()
        self.is_open = False


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules in a fiftieth of the time; a call may be seen 20 times."""
    for module in (readerdevice, readers):
        monkeypatch.setattr(module, "WATCH_S", 0.005)
    monkeypatch.setattr(readerdevice, "CALL_LIMIT_S", 0.1)
    monkeypatch.setattr(readerdevice, "OPEN_LIMIT_S", 0.1)
    monkeypatch.setattr(readers, "TRY_ANOTHER_S", 0.1)
    monkeypatch.setattr(readers, "LET_GO_S", 0.2)


class Running:
    """A worker under a supervisor."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.inbox = Inbox()
        self.failures: list[str] = []
        self.messages: list[Message] = []
        self.supervisor = Supervisor(lambda _name, what: self.failures.append(what))
        self.worker = ReaderWorker(bus.make, lambda uid: uid.hex(), self.inbox)

    def of(self, kind: type[Message]) -> list[Message]:
        """What was posted of one kind, so far."""
        while (message := self.inbox.take(0.0)) is not None:
            self.messages.append(message)
        return [message for message in self.messages if isinstance(message, kind)]

    def wait_for_a_heartbeat(self) -> None:
        """The next one."""
        (worker,) = self.supervisor._workers
        last_s = worker.beat_s
        wait_for(lambda: worker.beat_s > last_s, "a heartbeat")

    def changes(self) -> list[bool]:
        """Recoveries and losses, so far."""
        return [message.ready for message in self.of(ReaderChanged) if isinstance(message, ReaderChanged)]


@contextmanager
def running(bus: Bus) -> Iterator[Running]:
    """A worker that serves until the end; then nothing of it is left."""
    made = Running(bus)
    made.supervisor.start(Worker("reader-lobby", made.worker.run))
    try:
        yield made
    finally:
        bus.release()
        assert made.supervisor.stop(time.monotonic() + 5) == []
        wait_for(lambda: not device_threads(), "every thread of a device to end")
        assert not [reader for reader in bus.made if reader.is_open]


def device_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "device-lobby"]


def test_a_card_is_posted_with_its_hash() -> None:
    """The number itself goes no further."""
    with running(Bus()) as run:
        run.bus.cards.append(UID)
        (card,) = wait_for(lambda: run.of(CardPresented), "the card")
        assert isinstance(card, CardPresented)
        assert (card.reader, card.credential, card.technology) == ("lobby", UID.hex(), Technology.EMULATED.value)
        assert run.worker.ready


def test_a_loss_and_its_end_are_posted_once_each() -> None:
    """However often opening fails in between."""
    bus = Bus()
    with running(bus) as run:
        wait_for(lambda: run.worker.ready, "the start")
        bus.open_faults += [OpenError("gone"), OpenError("gone"), OpenError("gone")]
        bus.faults.append(DeviceLost("unplugged"))
        wait_for(lambda: run.changes() == [False, True], "loss and recovery")
        bus.cards.append(UID)
        wait_for(lambda: run.of(CardPresented), "the card")
        assert run.changes() == [False, True]
        assert not run.failures


def test_a_device_that_opens_but_does_not_work_has_not_recovered() -> None:
    """A reader that is listed but dead is one loss, not a series of recoveries that fills the journal."""
    bus = Bus()
    with running(bus) as run:
        wait_for(lambda: run.worker.ready, "the start")
        bus.faults += [DeviceLost("dead")] * 5
        wait_for(lambda: not bus.faults, "five failures")
        wait_for(lambda: run.worker.ready, "recovery")
        assert run.changes() == [False, True]


def test_a_driver_that_breaks_its_promises_is_a_loss() -> None:
    """An error that no driver may raise costs what a lost device costs: it does not wait for the supervisor."""
    bus = Bus()
    with running(bus) as run:
        wait_for(lambda: run.worker.ready, "the start")
        bus.faults += [KeyError("a parser")]
        bus.open_faults += [RuntimeError("a library")]
        wait_for(lambda: run.changes() == [False, True], "loss and recovery")
        assert not run.failures


def test_an_unreadable_card_is_posted_and_the_reader_stays_ready() -> None:
    """A card's fault is none of the reader's, not even at its first look."""
    bus = Bus()
    bus.faults.append(CardError("nonsense"))
    with running(bus) as run:
        wait_for(lambda: run.of(CardUnreadable), "the card")
        wait_for(lambda: run.worker.ready, "the reader")
        assert run.changes() == []


def test_a_call_that_hangs_is_a_loss_and_its_return_the_end_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss is told while the call still hangs; a new device serves after it came back; the late card is dropped."""
    monkeypatch.setattr(readers, "TRY_ANOTHER_S", 60.0)
    bus = Bus()
    with running(bus) as run:
        wait_for(lambda: run.worker.ready, "the start")
        bus.hold()
        wait_for(lambda: run.changes() == [False], "the loss")
        assert not run.worker.ready
        wait_for(lambda: run.worker.stuck_calls, "the call to be counted")
        bus.cards.append(UID)  # what the stuck call will bring home
        bus.release()
        wait_for(lambda: run.changes() == [False, True], "recovery")
        assert run.of(CardPresented) == []
        wait_for(lambda: run.worker.stuck_calls == 0, "the thread to end")
        bus.cards.append(UID)
        wait_for(lambda: run.of(CardPresented), "a card")


def test_calls_that_hang_leave_a_bounded_number_of_threads_and_beats() -> None:
    """However long it lasts; and the worker's heart beats, so that nobody restarts the door for a reader."""
    bus = Bus()
    with running(bus) as run:
        wait_for(lambda: run.worker.ready, "the start")
        bus.hold()
        wait_for(lambda: run.worker.stuck_calls == MOST_LEFT_BEHIND, "as many as may be")
        for _ in range(20):
            run.wait_for_a_heartbeat()
        assert run.worker.stuck_calls == len(device_threads()) == MOST_LEFT_BEHIND
        assert len(bus.made) == MOST_LEFT_BEHIND
        assert run.changes() == [False]


def test_a_call_that_is_lost_for_good_does_not_cost_the_reader() -> None:
    """Where only the call is lost, a new device works though the call never returns."""
    bus = Bus()
    with running(bus) as run:
        wait_for(lambda: run.worker.ready, "the start")
        bus.hold()
        wait_for(lambda: run.worker.stuck_calls == 1, "a stuck call")
        bus.held.clear()  # for new calls; the old one hangs on
        wait_for(lambda: run.changes() == [False, True], "recovery")
        assert run.worker.stuck_calls == 1


def test_a_stop_does_not_wait_for_a_call_that_hangs() -> None:
    """Known to be stuck or not: the worker ends; the thread goes with the process."""
    bus = Bus()
    run = Running(bus)
    run.supervisor.start(Worker("reader-lobby", run.worker.run))
    wait_for(lambda: run.worker.ready, "the start")
    bus.hold()
    assert run.supervisor.stop(time.monotonic() + 4) == []
    bus.release()
    wait_for(lambda: not device_threads(), "the thread to end")


def test_outages_leave_no_thread_behind() -> None:
    """After each there is one thread again."""
    bus = Bus()
    with running(bus) as run:
        wait_for(lambda: run.worker.ready, "the start")
        for _ in range(3):
            bus.hold()
            wait_for(lambda: not run.worker.ready, "a loss")
            bus.release()
            wait_for(lambda: run.worker.ready, "recovery")
        assert len(device_threads()) == 1
        # The worker is ready a moment before it says so.
        wait_for(lambda: run.changes() == [False, True] * 3, "each change to be told")
