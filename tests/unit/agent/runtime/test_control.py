"""The control socket: what it answers, what it bounds, what it refuses."""

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import ControlError
from agent.runtime import control
from agent.runtime.control import MAX_CLIENTS, MAX_REQUEST_BYTES, ControlServer


def handler(request: Mapping[str, Any]) -> Mapping[str, Any] | Iterator[Mapping[str, Any]]:
    """Echoes, streams, refuses, breaks."""
    match request["op"]:
        case "echo":
            return {"said": request.get("said")}
        case "count":
            return ({"number": number} for number in range(3))
        case "break":
            raise ZeroDivisionError
        case other:
            raise ControlError(f"unknown op {other[:40]!r}")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A running server's socket."""
    place = tmp_path / "run" / "control.sock"
    server = ControlServer(place, handler)
    server.open()
    stop = threading.Event()
    thread = threading.Thread(target=server.run, args=(stop, lambda: None))
    thread.start()
    yield place
    stop.set()
    thread.join(5)
    server.close()
    assert not thread.is_alive()


def ask(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send bytes, close the sending side, and read every reply."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(os.fspath(path))
        try:
            client.sendall(b"".join(lines))
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server may have closed after an oversize request
        received = b""
        try:
            while chunk := client.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
    return [json.loads(line) for line in received.splitlines()]


def test_requests_are_answered_in_order_on_one_connection(path: Path) -> None:
    """A client may send several lines at once."""
    replies = ask(path, b'{"op":"echo","said":1}\n{"op":"count"}\n', b'{"op":"echo","said":2}\n')
    assert replies == [
        {"ok": True, "said": 1},
        *({"ok": True, "number": number} for number in range(3)),
        {"ok": True, "said": 2},
    ]


def test_a_refusal_and_a_fault_of_ours_leave_the_connection_usable(path: Path) -> None:
    """An error is a reply, not an end."""
    replies = ask(path, b'{"op":"nonsense"}\n{"op":"break"}\n{"op":"echo"}\n')
    assert [reply["ok"] for reply in replies] == [False, False, True]
    assert replies[0]["error"] == "unknown op 'nonsense'"
    assert replies[1]["error"] == "internal error: ZeroDivisionError"


def test_an_endless_request_is_cut_off(path: Path) -> None:
    """A line without an end does not fill the memory."""
    replies = ask(path, b"x" * (MAX_REQUEST_BYTES * 4))
    assert replies[:1] == [{"ok": False, "error": f"request over {MAX_REQUEST_BYTES} bytes"}]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_garbage_is_answered_with_an_error_and_has_no_effect(path: Path, garbage: bytes) -> None:
    """Whatever bytes come: each line gets one error, and the next client is served."""
    replies = ask(path, garbage + b"\n")
    assert len(replies) == (garbage + b"\n").count(b"\n")
    assert not any(reply["ok"] for reply in replies)
    assert ask(path, b'{"op":"echo","said":"still there"}\n') == [{"ok": True, "said": "still there"}]


def test_deep_nesting_is_garbage_too(path: Path) -> None:
    """The parser's recursion limit is not the daemon's end."""
    assert ask(path, b"[" * 15000 + b"\n") == [{"ok": False, "error": "the request is not JSON"}]


def test_a_client_too_many_is_told_so(path: Path) -> None:
    """The bound on clients is said, and frees up again."""
    clients = []
    try:
        for _ in range(MAX_CLIENTS):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(5)
            client.connect(os.fspath(path))
            client.sendall(b'{"op":"echo"}\n')
            assert client.recv(100)
            clients.append(client)
        assert "too many clients" in ask(path, b'{"op":"echo"}\n')[0]["error"]
    finally:
        for client in clients:
            client.close()


def test_the_socket_is_for_its_group_only(path: Path) -> None:
    """Nobody else on the machine may open doors."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_living_agent_keeps_its_socket(path: Path) -> None:
    """A second daemon does not take the doors of the first."""
    with pytest.raises(ControlError, match="another agent is running"):
        ControlServer(path, handler).open()


def test_the_socket_of_a_dead_agent_is_taken_over(tmp_path: Path) -> None:
    """A socket left by SIGKILL does not stop the next start."""
    place = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(place))
    server = ControlServer(place, handler)
    server.open()
    server.close()
    assert not place.exists()


def test_a_path_too_long_for_a_socket_is_said(tmp_path: Path) -> None:
    """The limit is the kernel's; the words are ours."""
    with pytest.raises(ControlError, match="too long for a Unix socket"):
        ControlServer(tmp_path / ("x" * 120), handler).open()


def test_a_busy_but_endless_request_does_not_keep_a_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for the whole request: a byte now and then does not renew it."""
    monkeypatch.setattr(control, "IDLE_S", 0.3)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(path))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            trickle(client)


def trickle(client: socket.socket) -> None:
    """A byte now and then, for long."""
    for _ in range(10_000):
        client.sendall(b" ")
        time.sleep(0.01)


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling"])
def test_what_is_no_socket_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """A slip in the configuration must not cost a file, and a link leads who knows where."""
    place, other = tmp_path / "control.sock", tmp_path / "other"
    match kind:
        case "file":
            place.write_text("precious")
        case "folder":
            place.mkdir()
        case "link":
            other.write_text("precious")
            place.symlink_to(other)
        case _:
            place.symlink_to(other)
    with pytest.raises(ControlError, match="remove it"):
        ControlServer(place, handler).open()
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == ["control.sock"] + ["other"] * (kind == "link")
    assert kind != "file" or place.read_text() == "precious"


def test_a_folder_that_is_open_to_all_is_refused(tmp_path: Path) -> None:
    """Anybody could put a socket of his own there; the sticky bit of /tmp prevents that."""
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ControlError, match="anybody may replace"):
        ControlServer(folder / "control.sock", handler).open()
    folder.chmod(0o1777)
    server = ControlServer(folder / "control.sock", handler)
    server.open()
    server.close()


def test_a_server_removes_no_socket_but_its_own(tmp_path: Path) -> None:
    """Somebody may have taken the place in the meantime."""
    place = tmp_path / "control.sock"
    server = ControlServer(place, handler)
    server.open()
    place.unlink()
    other = ControlServer(place, handler)
    other.open()
    server.close()
    assert place.exists()
    other.close()
    assert not place.exists()
