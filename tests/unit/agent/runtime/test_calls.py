"""Blocking calls and pauses that keep beating and can be stopped."""

import threading
import time
from concurrent.futures import Future

import pytest

from agent.runtime.calls import CallStuck, Stopped, call, pause


def nothing() -> None:
    """A heartbeat that nobody listens to."""


def test_call_returns_what_the_function_returns() -> None:
    """It runs in a thread of the given name."""
    name = call(lambda: threading.current_thread().name, name="x-call", stop=threading.Event(), beat=nothing)
    assert name == "x-call"


def test_call_raises_what_the_function_raises() -> None:
    """Also a TimeoutError, which the waiting itself might be taken to have raised."""

    def fail() -> None:
        raise TimeoutError("theirs")

    with pytest.raises(TimeoutError, match="theirs"):
        call(fail, name="x", stop=threading.Event(), beat=nothing)


def test_call_is_left_at_a_stop() -> None:
    """The caller goes on while the function still blocks."""
    stop, release = threading.Event(), threading.Event()
    threading.Timer(0.05, stop.set).start()
    started_s = time.monotonic()
    with pytest.raises(Stopped):
        call(lambda: release.wait(30), name="x", stop=stop, beat=nothing)
    release.set()
    assert time.monotonic() - started_s < 5


def test_call_that_never_returns_is_an_error() -> None:
    """Past the limit the worker is told, rather than waiting on in silence."""
    release = threading.Event()
    with pytest.raises(CallStuck):
        call(lambda: release.wait(30), name="x", stop=threading.Event(), beat=nothing, limit_s=0.01)
    release.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_call_whose_thread_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory even the answer can't be left: the worker is started anew, rather than waiting for an hour."""

    def fail(*_: object) -> None:
        raise MemoryError

    for name in ("set_result", "set_exception"):
        monkeypatch.setattr(Future, name, fail)
    with pytest.raises(CallStuck, match="ended without an answer"):
        call(lambda: 1, name="x", stop=threading.Event(), beat=nothing, limit_s=10.0)


def test_pause_beats_and_ends_early_when_told() -> None:
    """It asks again and again, and beats every time."""
    beats: list[None] = []
    answers = iter([False, False, True])
    pause(60.0, threading.Event(), lambda: beats.append(None), until=lambda _: next(answers))
    assert len(beats) == 3


def test_pause_ends_at_once_at_a_stop() -> None:
    """A worker that backs off for a minute does not hold up the end."""
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    started_s = time.monotonic()
    with pytest.raises(Stopped):
        pause(60.0, stop, nothing)
    assert time.monotonic() - started_s < 5
