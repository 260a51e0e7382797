"""Where log lines go: to a stream, by a thread of its own, so that a log that nobody reads never stops a door.

Stdout is a pipe to journald, which waits for its disk like everybody else. Who writes to a full pipe waits too.
"""

import queue
import threading
import time
from typing import Final, TextIO

MAX_WRITES: Final = 4000
"""Lines that wait, about 1 MB. Full policy: further ones are dropped and counted; the journal keeps what happened."""
_FULL_STEP_S: Final = 0.01


class LogWriter:
    """A stream as far as logging writes to it. `write` never blocks and never raises."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: queue.Queue[str] = queue.Queue(MAX_WRITES)
        self._dropped = 0
        self._told = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Hand text over; it is lost when too much waits already, or there is no memory to let it wait."""
        try:
            self._waiting.put_nowait(text)
        except (queue.Full, MemoryError):
            self._dropped += 1
        return len(text)

    def flush(self) -> None:
        """Nothing: each text is flushed when it is written."""

    def drain(self, until_s: float) -> bool:
        """Wait until all is written, at most until the monotonic instant; whether it is."""
        while self._waiting.unfinished_tasks:
            if time.monotonic() >= until_s:
                return False
            time.sleep(_FULL_STEP_S)
        return True

    def _run(self) -> None:
        while True:
            try:
                text = self._waiting.get()
            except MemoryError:  # for waiting; what was written meanwhile waits too
                time.sleep(_FULL_STEP_S)
                continue
            try:
                self._stream.write(text + self._loss())
                self._stream.flush()
            except (OSError, ValueError, MemoryError):
                # The reader has gone, or the stream is closed: what happens at the doors is not for it to stop.
                self._dropped += 1
            finally:
                self._waiting.task_done()

    def _loss(self) -> str:
        """A line about what was dropped since the last one, or nothing."""
        dropped = self._dropped
        if dropped == self._told:
            return ""
        lost, self._told = dropped - self._told, dropped
        return f'{{"event": "log.dropped", "level": "warning", "texts": {lost}}}\n'
