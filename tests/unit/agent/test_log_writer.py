"""A log that nobody reads, or that is gone, stops nobody and says later what it lost."""

import io
import queue
import threading
import time

import pytest

from agent.log_writer import MAX_WRITES, LogWriter
from tests.rigs.waiting import wait_for


class StalledStream(io.StringIO):
    """A pipe that nobody reads until `flows` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.flows = threading.Event()

    def write(self, text: str) -> int:
        self.flows.wait(10)
        return super().write(text)


class BrokenStream(io.StringIO):
    """A stream that fails, until it is `mended`."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.mended = False
        self._failure = failure

    def write(self, text: str) -> int:
        if not self.mended:
            raise self._failure
        return super().write(text)


def test_lines_come_out_in_order() -> None:
    """And are out once `drain` says so."""
    stream = io.StringIO()
    writer = LogWriter(stream)
    for number in range(100):
        writer.write(f"{number}\n")
    assert writer.drain(time.monotonic() + 10)
    assert stream.getvalue() == "".join(f"{number}\n" for number in range(100))


def test_a_stalled_stream_blocks_nobody_and_the_loss_is_told() -> None:
    """The oldest lines are kept, the surplus is counted."""
    stream = StalledStream()
    writer = LogWriter(stream)
    for number in range(MAX_WRITES + 500):
        writer.write(f"{number}\n")
    assert not writer.drain(time.monotonic())
    stream.flows.set()
    assert writer.drain(time.monotonic() + 10)
    lines = stream.getvalue().splitlines()
    kept = [int(line) for line in lines if line.isdecimal()]
    assert kept == list(range(len(kept)))
    (told,) = [line for line in lines if not line.isdecimal()]
    assert told == f'{{"event": "log.dropped", "level": "warning", "texts": {MAX_WRITES + 500 - len(kept)}}}'


@pytest.mark.parametrize("failure", [BrokenPipeError(), ValueError("closed"), MemoryError()], ids=repr)
def test_a_reader_that_has_gone_and_a_want_of_memory_stop_nobody(failure: Exception) -> None:
    """Later lines reach the next reader."""
    stream = BrokenStream(failure)
    writer = LogWriter(stream)
    writer.write("lost\n")
    assert writer.drain(time.monotonic() + 10)
    stream.mended = True
    writer.write("found\n")
    wait_for(lambda: stream.getvalue().startswith("found\n"), "the next line")


def test_whoever_writes_without_memory_loses_the_line_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss is told with the next line."""

    class NoMemory(queue.Queue[str]):
        spent = True

        def _put(self, item: str) -> None:
            if self.spent:
                raise MemoryError
            super()._put(item)

    monkeypatch.setattr(queue, "Queue", NoMemory)
    stream = io.StringIO()
    writer = LogWriter(stream)
    assert writer.write("lost\n") == 5
    NoMemory.spent = False
    writer.write("found\n")
    assert writer.drain(time.monotonic() + 10)
    assert stream.getvalue() == 'found\n{"event": "log.dropped", "level": "warning", "texts": 1}\n'
