"""The controller's inbox: bounded, safety first, in order within a class. Other threads only post."""

import queue
import threading
from itertools import count

from agent.runtime.messages import FireReset, InputSettled, InputsOpened, Message

CAPACITY = 1024


class Inbox:
    """Full policy: who posts waits, and nothing is dropped. Who can't wait offers, and is told."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._queue: queue.PriorityQueue[tuple[int, int, Message]] = queue.PriorityQueue(capacity)
        self._number = count()
        self._closed = threading.Event()

    def post(self, message: Message) -> None:
        """Hand a message over; after `close` it goes nowhere, because nobody decides any more."""
        entry = self._entry(message)
        while not self._closed.is_set():
            try:
                self._queue.put(entry, timeout=0.5)
            except queue.Full:
                continue
            return

    def offer(self, message: Message) -> bool:
        """Hand a message over if there is room; False if not. For reports that are in the log already."""
        try:
            self._queue.put_nowait(self._entry(message))
        except queue.Full:
            return False
        return True

    def take(self, timeout_s: float) -> Message | None:
        """The next message; None after `timeout_s`. The controller's thread only."""
        try:
            return self._queue.get(timeout=max(0.0, timeout_s))[2]
        except queue.Empty:
            return None

    def depth(self) -> int:
        """How many messages wait: a metric."""
        return self._queue.qsize()

    def _entry(self, message: Message) -> tuple[int, int, Message]:
        # REX, contacts and fire overtake cards that wait for a slow disk.
        urgent = isinstance(message, InputSettled | InputsOpened | FireReset)
        return (0 if urgent else 1, next(self._number), message)

    def close(self) -> None:
        """Stop to accept; idempotent."""
        self._closed.set()
