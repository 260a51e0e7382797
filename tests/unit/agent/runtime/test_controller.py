"""The controller's loop: what each message comes to, and that nothing it is told stops it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.core.door import DoorSettings
from agent.core.model import DecisionSettings, Direction, Holder, Policy
from agent.errors import StorageError
from agent.ports import AllowListReader, Applied, ListPosition, RefusedItem
from agent.runtime.controller import MAX_REFUSED_ITEMS, Controller
from agent.runtime.doors import DoorUnit, ReaderPlace, TapOutcome
from agent.runtime.inbox import Inbox
from agent.runtime.listage import ListAge
from agent.runtime.messages import (
    Ask,
    CardPresented,
    CardUnreadable,
    InputSettled,
    ListApplied,
    ListConfirmed,
    ListRefused,
    Message,
    ReaderChanged,
    UplinkChanged,
)
from agent.runtime.presence import Presence
from agent.runtime.recorder import Recorder
from agent.storage.allowlist import SqliteAllowListReader, SqliteAllowListStore
from agent.system_clock import SystemClock
from cloud.contract.items import Card, Door, DoorMode, Grant, Group, Membership, Person
from cloud.contract.reasons import Reason
from tests.rigs.fakes import FakeLock, MemoryState, SealingJournal
from tests.rigs.lists import snapshot

ALICE = "a" * 32


class Lists:
    """A list with Alice on it; `broken` makes it a damaged file."""

    def __init__(self) -> None:
        self.broken: Exception | None = None
        self.mode = DoorMode.NORMAL
        self.version = 7

    def policy(self) -> Policy | None:
        """The site, with the door's mode."""
        if self.broken is not None:
            raise self.broken
        group = Group("staff", (Grant("front"),))
        return Policy(1, self.version, 0, groups={"staff": group}, doors={"front": Door("front", self.mode)})

    def find(self, credential: str) -> tuple[Holder | None, Policy | None]:
        """Alice, or nobody."""
        policy = self.policy()
        known = credential == ALICE
        return (Holder(Card(ALICE, "alice"), Person("alice", groups=(Membership("staff"),))) if known else None), policy

    def count_cards(self) -> int:
        """One."""
        return 1

    def close(self) -> None:
        """Nothing to release."""


class Running:
    """A controller on its thread, over fakes."""

    def __init__(self, lists: AllowListReader | None = None) -> None:
        clock, state = SystemClock("trusted"), MemoryState()
        self.journal, self.lists, self.lock = SealingJournal(), Lists(), FakeLock()
        self.inbox = Inbox()
        self.outcomes: list[TapOutcome] = []
        self.recorder = Recorder(self.journal, clock)
        settings = DoorSettings("front", 5.0, True, 5.0, 30.0, 5.0, True, False)
        unit = DoorUnit(settings, DecisionSettings(), self.lock, "secure", frozenset({"front"}))
        self.controller = Controller(
            units={"front": unit},
            readers={each.value: ReaderPlace(each.value, "emulated", "front", each) for each in Direction},
            inputs={},
            inbox=self.inbox,
            recorder=self.recorder,
            lists=lists or self.lists,
            presence=Presence(state),
            list_age=ListAge(state),
            clock=clock,
            on_outcome=self.outcomes.append,
            on_change=lambda: None,
        )
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.controller.run, args=(self.stop, lambda: None))

    def tell(self, *messages: Message) -> None:
        """Post messages and wait until they are done: a question comes after them."""
        for message in messages:
            self.inbox.post(message)
        self.ask(lambda: None)

    def ask(self, question: Any) -> Any:
        """Run something on the controller's thread."""
        answer: Future[Any] = Future()
        self.inbox.post(Ask(question, answer))
        return answer.result(5)


@contextmanager
def started(running: Running) -> Iterator[Running]:
    """Let it run for a while."""
    running.thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        running.thread.join(5)
    assert not running.thread.is_alive()


@pytest.fixture
def door() -> Iterator[Running]:
    with started(Running()) as running:
        yield running


def applied(*refused: RefusedItem) -> ListApplied:
    """Version 7 is in use."""
    return ListApplied(Applied(ListPosition(1, 7), 1, refused))


def test_a_card_is_decided_recorded_and_told(door: Running) -> None:
    """The outcome names the reason, the list and the time it took."""
    door.tell(CardPresented("in", ALICE, "emulated", 0.0), CardPresented("in", "b" * 32, "emulated", 0.0))
    granted, denied = door.outcomes
    assert (granted.granted, granted.reason, granted.allowlist_version, granted.seq) == (True, "allowed", 7, 1)
    assert (denied.granted, denied.reason) == (False, "unknown_card")
    assert door.lock.unlocked


def test_an_unreadable_card_is_a_denial_with_a_reason(door: Running) -> None:
    """Who tore the card away learns why nothing happened, and so does the journal."""
    door.tell(CardUnreadable("in", 0.0, "left in the middle of an exchange"))
    assert door.outcomes[0].reason == Reason.CARD_UNREADABLE.value
    assert door.journal.drafts[0].credential is None


@pytest.mark.parametrize("error", [StorageError("damaged"), MemoryError(), KeyError("mode")])
def test_a_damaged_list_denies_entry_and_does_not_stop_the_thread(door: Running, error: Exception) -> None:
    """Entry needs a list; the door needs its controller. Whoever leaves needs none."""
    door.lists.broken = error
    door.tell(CardPresented("in", ALICE, "emulated", 0.0), CardPresented("out", ALICE, "emulated", 0.0))
    door.lists.broken = None
    door.tell(CardPresented("in", ALICE, "emulated", 0.0))
    assert [(outcome.granted, outcome.reason) for outcome in door.outcomes] == [
        (False, "no_allowlist"),
        (True, "exit"),
        (True, "allowed"),
    ]


def test_a_list_that_rotted_on_the_disk_keeps_no_exit_shut(tmp_path: Path) -> None:
    """A changed byte of stored content, which the check at the start does not see: the controller starts, REX opens,
    whoever leaves leaves, and nobody enters."""
    staff, front = {"kind": "group", "id": "staff"}, {"kind": "door", "id": "front"}
    with SqliteAllowListStore(tmp_path, on_set_aside=pytest.fail) as store:
        store.apply_snapshot(snapshot([{"v": 1, **staff}, {"v": 1, **front, "mode": "lockdown"}]))
    path = tmp_path / "allowlist.db"
    path.write_bytes(path.read_bytes().replace(b'"lockdown"', b'"lockdosn"'))
    with SqliteAllowListReader(tmp_path) as lists, started(Running(lists)) as door:
        door.tell(CardPresented("in", ALICE, "emulated", 0.0))
        assert (door.outcomes[-1].granted, door.lock.unlocked) == (False, False)
        door.tell(InputSettled("front.rex", active=True, at_s=time.monotonic()))
        assert door.lock.unlocked
        door.tell(CardPresented("out", ALICE, "emulated", 0.0))
        assert door.outcomes[-1].granted


def test_refused_items_are_reported_one_by_one_up_to_a_bound(door: Running) -> None:
    """Each is named until it would flood the journal; the number says the rest."""
    many = [RefusedItem("card", f"{place:032x}", "v is 9, known is 1") for place in range(MAX_REFUSED_ITEMS + 5)]
    door.tell(applied(*many))
    types = door.journal.types()
    assert types.count("allowlist.item_refused") == MAX_REFUSED_ITEMS
    assert door.journal.drafts[-1].detail == {"epoch": 1, "cards": 1, "refused": MAX_REFUSED_ITEMS + 5}


def test_a_new_list_brings_the_doors_mode(door: Running) -> None:
    """The site says lockdown or unlocked; the door follows."""
    door.lists.mode = DoorMode.UNLOCKED
    door.tell(applied())
    assert door.lock.unlocked
    assert door.controller.views[0].state.mode is DoorMode.UNLOCKED


def test_a_read_that_fails_ends_no_lockdown(door: Running) -> None:
    """What the site last said of the door goes on; that the list can't be read shows."""
    door.lists.mode = DoorMode.LOCKDOWN
    door.tell(applied())
    door.lists.broken = StorageError("EIO")
    door.tell(applied())
    assert door.controller.views[0].state.mode is DoorMode.LOCKDOWN
    assert door.controller.list_held is None


@pytest.mark.parametrize("broken", [StorageError("EIO"), None])
def test_a_list_whose_news_was_lost_is_taken_when_it_is_confirmed(door: Running, broken: Exception | None) -> None:
    """By a read that failed, or because nobody told: the door follows the site at the next look at its head."""
    if broken is not None:
        door.lists.broken = broken
        door.tell(applied())
        door.lists.broken = None
    door.lists.version, door.lists.mode = 8, DoorMode.UNLOCKED
    door.tell(ListConfirmed())
    assert door.controller.list_held == (1, 8, 1)
    assert door.lock.unlocked
    before = door.journal.types()
    door.tell(ListConfirmed())
    assert door.journal.types() == before


def test_a_mode_that_was_missed_is_taken_at_the_next_start() -> None:
    """The list said unlocked, and the thread died before the door was told: it follows when the thread runs again."""
    door = Running()
    with started(door):
        door.tell(applied())
    door.lists.mode = DoorMode.UNLOCKED
    door.stop.clear()
    door.thread = threading.Thread(target=door.controller.run, args=(door.stop, lambda: None))
    with started(door):
        door.tell()
        assert door.lock.unlocked


def test_what_happens_around_the_door_is_recorded(door: Running) -> None:
    """Readers that go and come, lists that are refused, the uplink's state on each event."""
    door.tell(
        ReaderChanged("in", ready=False, what="unplugged"),
        UplinkChanged(online=True),
        ListRefused(Reason.ROLLBACK, "version 3", 1, 3),
    )
    assert door.journal.types() == ["reader.lost", "allowlist.refused"]
    assert door.journal.drafts[1].reason == "rollback"
    assert door.recorder.online


def test_a_question_that_fails_is_the_askers_trouble(door: Running) -> None:
    """The thread goes on."""
    with pytest.raises(ZeroDivisionError):
        door.ask(lambda: 1 // 0)
    assert door.ask(lambda: 2) == 2


def test_explaining_moves_nothing(door: Running) -> None:
    """`why` at any time, for any card."""
    place = ReaderPlace("", "", "front", Direction.IN)
    assert door.ask(lambda: door.controller.explain(ALICE, place, 1_900_000_000.0)).granted
    assert not door.lock.unlocked
    assert door.journal.types() == []
