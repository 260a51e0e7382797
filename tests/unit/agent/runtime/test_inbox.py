"""The inbox: safety first, order kept, bounded."""

import threading
import time
from collections.abc import Callable

from agent.runtime.inbox import Inbox
from agent.runtime.messages import CardPresented, InputSettled, UplinkChanged
from agent.runtime.supervisor import Supervisor, Worker
from tests.rigs.waiting import wait_for


def test_inputs_overtake_cards_and_each_class_keeps_its_order() -> None:
    """REX does not wait behind a row of cards."""
    inbox = Inbox()
    cards = [CardPresented("in", f"{number:032x}", "emulated", 0.0) for number in range(3)]
    for card in cards:
        inbox.post(card)
    rex = InputSettled("front.rex", active=True, at_s=0.0)
    inbox.post(rex)
    assert [inbox.take(0) for _ in range(5)] == [rex, *cards, None]


def test_a_full_inbox_makes_the_poster_wait_and_loses_nothing() -> None:
    """The bound is on memory, not on what is told."""
    inbox = Inbox(capacity=1)
    inbox.post(UplinkChanged(online=True))
    poster = threading.Thread(target=inbox.post, args=(UplinkChanged(online=False),))
    poster.start()
    assert poster.is_alive()
    assert inbox.take(1) == UplinkChanged(online=True)
    assert inbox.take(5) == UplinkChanged(online=False)
    poster.join(5)
    assert not poster.is_alive()


def test_a_dead_controller_is_restarted_although_its_inbox_is_full() -> None:
    """The thread that reports the controller's death is the one that restarts it: it must not wait for room."""
    inbox = Inbox(capacity=1)
    inbox.post(UplinkChanged(online=True))
    runs: list[None] = []

    def controller(stop: threading.Event, beat: Callable[[], None]) -> None:
        runs.append(None)
        if len(runs) == 1:
            raise RuntimeError("a fault of ours")
        stop.wait()

    reported: list[bool] = []
    supervisor = Supervisor(lambda name, what: reported.append(inbox.offer(UplinkChanged(online=False))))
    supervisor.start(Worker("controller", controller))
    wait_for(lambda: len(runs) == 2, "the controller to run again")
    assert reported == [False]
    supervisor.stop(time.monotonic() + 5)


def test_a_closed_inbox_holds_no_poster() -> None:
    """Stopping does not hang on a thread that still has something to say."""
    inbox = Inbox(capacity=1)
    inbox.post(UplinkChanged(online=True))
    poster = threading.Thread(target=inbox.post, args=(UplinkChanged(online=False),))
    poster.start()
    inbox.close()
    wait_for(lambda: not poster.is_alive(), "the poster to give up")
