"""The client of the control socket: its errors, and that nothing makes it hang."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.control_client import MAX_REPLY_BYTES, ControlClient
from agent.errors import ControlError, Unreachable
from tests.rigs.stand_in_daemon import StandInDaemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[StandInDaemon]:
    with StandInDaemon(tmp_path / "control.sock") as running:
        yield running


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """A socket that answers its one client with given bytes and then waits for its end."""
    threads = []
    path = tmp_path / "odd.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)

    def serve(reply: bytes) -> None:
        client, _ = listener.accept()
        # The client may hang up in the middle of an endless reply: that is what is tested.
        with client, contextlib.suppress(ConnectionError):
            client.recv(1000)
            client.sendall(reply)
            client.recv(1)

    def start(reply: bytes) -> Path:
        thread = threading.Thread(target=serve, args=(reply,))
        thread.start()
        threads.append(thread)
        return path

    yield start
    for thread in threads:
        thread.join(5)
    listener.close()


def test_request_returns_the_reply_without_ok(daemon: StandInDaemon) -> None:
    """Several requests go over one connection, each with its own reply."""
    with ControlClient(daemon.path) as client:
        tapped = client.request("tap", card="mallory", reader="office-in")
        assert tapped["result"]["reason"] == "stolen"
        assert "ok" not in tapped
        assert client.request("status")["status"]["device"] == "hq-demo-1"


def test_refusal_carries_the_daemons_words(daemon: StandInDaemon) -> None:
    """`ok: false` is a ControlError, and not an Unreachable."""
    with ControlClient(daemon.path) as client, pytest.raises(ControlError, match="no card 'nobody'") as caught:
        client.request("tap", card="nobody", reader="office-in")
    assert not isinstance(caught.value, Unreachable)


def test_no_daemon_is_unreachable(tmp_path: Path) -> None:
    """Neither a missing socket nor a dead one is anything but Unreachable, with the path in its words."""
    with pytest.raises(Unreachable, match=r"missing\.sock"):
        ControlClient(tmp_path / "missing.sock")
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    with pytest.raises(Unreachable, match="Connection refused"):
        ControlClient(dead)


def test_watch_gives_changes(daemon: StandInDaemon) -> None:
    """The first status comes at once, a later one shows what was done."""
    with ControlClient(daemon.path) as watcher, ControlClient(daemon.path) as other:
        statuses = watcher.watch()
        assert next(statuses)["doors"][1]["lock"] == "locked"
        other.request("tap", card="alice", reader="office-in")
        assert any(next(statuses)["doors"][1]["lock"] == "unlocked" for _ in range(5))


def test_close_wakes_a_waiting_watch(daemon: StandInDaemon) -> None:
    """Closing from another thread ends a wait for the next status long before its timeout."""
    client = ControlClient(daemon.path, timeout_s=60.0)
    statuses = client.watch()
    next(statuses)
    failed: list[Exception] = []

    def drain() -> None:
        try:
            for _ in statuses:
                pass
        except Unreachable as error:
            failed.append(error)

    thread = threading.Thread(target=drain)
    thread.start()
    client.close()
    thread.join(5)
    assert not thread.is_alive()
    assert len(failed) == 1


def test_silent_daemon_times_out(answering: Callable[[bytes], Path]) -> None:
    """A daemon that says nothing is Unreachable after the timeout."""
    with ControlClient(answering(b""), timeout_s=0.05) as client, pytest.raises(Unreachable, match="in time"):
        client.request("status")


def test_endless_reply_is_cut_off(answering: Callable[[bytes], Path]) -> None:
    """A reply longer than the bound is refused, not collected."""
    path = answering(b"x" * (MAX_REPLY_BYTES + 70_000))
    with ControlClient(path) as client, pytest.raises(ControlError, match="longer than"):
        client.request("status")


@pytest.mark.parametrize("reply", [b"nonsense\n", b"[1]\n", b"\xff\n", b"[" * 100_000 + b"\n", b"{}\n"])
def test_odd_reply_is_a_control_error(answering: Callable[[bytes], Path], reply: bytes) -> None:
    """Whatever the other end says, the caller gets our error."""
    with ControlClient(answering(reply)) as client, pytest.raises(ControlError):
        client.request("status")


def test_reply_may_come_in_pieces_with_the_next(answering: Callable[[bytes], Path]) -> None:
    """What comes after a line belongs to the next reply."""
    two = b"".join(json.dumps({"ok": True, "status": {"number": number}}).encode() + b"\n" for number in (1, 2))
    with ControlClient(answering(two)) as client:
        statuses = client.watch()
        assert [next(statuses)["number"], next(statuses)["number"]] == [1, 2]


def test_a_refusal_is_one_printable_line(answering: Callable[[bytes], Path]) -> None:
    """Whoever answers there may want to write to the terminal."""
    path = answering(b'{"ok":false,"error":"\\u001b[2Jall is\\nwell' + b"x" * 5000 + b'"}\n')
    with ControlClient(path) as client, pytest.raises(ControlError) as caught:
        client.request("status")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 1000
