"""The mailbox: bounded, and honest about what is still to be worked off."""

import pytest

from agent.errors import StorageError
from agent.storage.journal_mailbox import RING_EVENTS, Lost, Mailbox, Question, Waiting
from tests.rigs.stamps import opened


def test_sender_is_not_woken_for_events_whose_ack_is_being_worked_off() -> None:
    """Between taking an ack and publishing what it did, nobody is told that there is something to send."""
    mailbox = Mailbox()
    mailbox.publish_unsent(1)
    assert mailbox.wait_for_unsent(0)
    mailbox.put_ack(1, 1, 1)
    assert not mailbox.wait_for_unsent(0)
    assert mailbox.take(0, events=True).acks == [(1, 1, 1)]
    assert not mailbox.wait_for_unsent(0)
    mailbox.publish_unsent(0)
    assert not mailbox.wait_for_unsent(0)


def test_full_ring_drops_the_oldest_and_tells_its_caller() -> None:
    """The count and the instants of what was lost are kept, also over a batch that comes back."""
    mailbox = Mailbox()
    waiting = [Waiting(opened()) for _ in range(RING_EVENTS + 5)]
    for one in waiting:
        mailbox.put_event(one)
    assert mailbox.waiting == RING_EVENTS
    assert all(one.refused is not None for one in waiting[:5])
    assert not waiting[5].done.is_set()
    lost = mailbox.take_lost()
    assert lost == Lost(5, waiting[0].stamped.at, waiting[4].stamped.at)
    taken = mailbox.take(0, events=True).events
    mailbox.put_event(Waiting(opened()))
    mailbox.put_back(taken, lost)
    assert mailbox.waiting == RING_EVENTS
    assert mailbox.take_lost() == Lost(6, waiting[0].stamped.at, waiting[5].stamped.at)


def test_too_many_questions_are_refused() -> None:
    """A slow disk does not pile up callers."""
    mailbox = Mailbox()
    for _ in range(64):
        mailbox.put_question(Question(lambda file: file.seq))
    with pytest.raises(StorageError, match="slow"):
        mailbox.put_question(Question(lambda file: file.seq))
