"""The control socket of a real daemon: any bytes, many clients, slow ones, ones that never read, ones that may not.

After all of it the daemon answers, its door opens, and it holds as many threads and descriptors as before.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.control_client import ControlClient
from agent.errors import ControlError
from agent.runtime.control import MAX_CLIENTS, MAX_REQUEST_BYTES
from tests.fuzz.budget import cases
from tests.fuzz.damage import damaged, raw
from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.waiting import wait_for
from tests.rigs.wire import json_values

DOOR = """
[[door]]
id = "front"
[door.lock]
driver = "emulated"
fail = "secure"
strike_s = 1.0
[[door.reader]]
name = "in"
direction = "in"
driver = "emulated"
[door.inputs.rex]
driver = "emulated"
normally = "open"
[emulated.cards]
alice = "04A1B2C3D4E580"
"""
WAIT_S = 30.0


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all cases. At the end it is as it was."""
    running = Daemon(tmp_path_factory.mktemp("daemon"), DOOR, keys=site.KEYS)
    site.install(running.state_dir, site.items())
    with running:
        alive(running)
        before = census(running)
        yield running
        wait_for(lambda: census(running) <= before, f"threads and descriptors to go back to {before}", WAIT_S)
        alive(running)
        assert "control.failed" not in running.log_text(), "a request met a fault of ours"
        assert not running.events("worker.failed")
        running.stop()


def alive(daemon: Daemon) -> None:
    """The next client is served, and the door opens."""
    assert daemon.tap("alice")["decision"] == "granted"


def census(daemon: Daemon) -> tuple[int, int]:
    """Threads and descriptors of the daemon."""
    assert daemon.process is not None
    process = Path(f"/proc/{daemon.process.pid}")
    return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))


def connect(daemon: Daemon) -> socket.socket:
    """A client of no manners."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(WAIT_S)
    client.connect(os.fspath(daemon.socket))
    return client


def ask(daemon: Daemon, data: bytes) -> list[dict[str, Any]]:
    """Send bytes, and read the replies to their end, or enough of a stream that has none."""
    received = b""
    with connect(daemon) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it closes after a request too long
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while (chunk := client.recv(65536)) and received.count(b"\n") < data.count(b"\n") + 3:
                received += chunk
    return [json.loads(line) for line in received.split(b"\n")[:-1]]


def check(replies: list[dict[str, Any]]) -> None:
    """Each is a result, or an error in short printable words that are not about a fault of ours."""
    for reply in replies:
        assert isinstance(reply["ok"], bool)
        if not reply["ok"]:
            assert len(reply["error"]) < 500
            assert reply["error"].isprintable()
            assert "internal error" not in reply["error"]


REQUESTS = [
    {"op": "status"},
    {"op": "about"},
    {"op": "tap", "card": "alice", "reader": "in"},
    {"op": "tap", "card": "04A1B2C3D4E580"},
    {"op": "input", "name": "front.rex", "action": "off"},
    {"op": "events", "since": 0, "door": None, "limit": 2},
    {"op": "why", "card": "alice", "door": "front", "direction": "in", "at": "2026-03-01T08:00:00Z"},
    {"op": "fire-reset", "door": "front"},
]
LINES = [json.dumps(request).encode() + b"\n" for request in REQUESTS]


@cases(400)
@given(st.one_of(damaged(*LINES), raw()))
def test_any_bytes_are_answered_or_let_go(daemon: Daemon, data: bytes) -> None:
    """A line each, an error for what is no request."""
    replies = ask(daemon, data)
    check(replies)
    assert len(replies) >= min(data.count(b"\n"), 1)


odd_values = st.one_of(
    json_values,
    st.sampled_from(
        [
            "front", "in", "alice", "\ud800", "\0", "\x1b[2J", "x" * 300, "04" * 16, "04" * 17, "0" * 14, 0, -1, 2**62,
            1e308, True, [], {}, [["front"]], {"front": 1}, "off", "out", "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z", "2026-W01-1", "20260101T000000Z", "2026-03-01",
        ]
    ),
)  # fmt: skip
fields = st.dictionaries(
    st.sampled_from(["card", "reader", "name", "action", "since", "door", "limit", "direction", "at", "op", "x"]),
    odd_values,
    max_size=5,
)


@cases(400)
@given(st.sampled_from(REQUESTS), fields)
def test_requests_of_every_shape_are_answered(daemon: Daemon, request: Mapping[str, Any], more: dict[str, Any]) -> None:
    """A field of any type in any operation: one reply each, and the connection goes on."""
    document = {**request, **more}
    if document.get("op") == "watch" or document.get("action") == "press":
        return
    replies = ask(daemon, json.dumps(document).encode() + b'\n{"op":"about"}\n')
    check(replies)
    assert len(replies) == 2
    assert replies[1]["ok"]


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 16_000,
        b'{"op":' * 2_600,
        b'{"op":"fire-reset","door":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"op":"tap","card":"alice","reader":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"op":"events","since":' + b"9" * 5000 + b"}",
        b'{"op":"events","limit":1e400}',
        b'{"op":"why","card":"alice","at":"' + b"9" * 5000 + b'"}',
        '{"op":"about"}'.encode("utf-16"),
        b'{"op":"\xed\xa0\x80"}',
        b'{"op":"about","op":["about"]}',
    ],
)
def test_what_is_no_request_is_one_error(daemon: Daemon, line: bytes) -> None:
    """Nesting, numbers and encodings beyond what anybody means."""
    replies = ask(daemon, line + b"\n")
    check(replies)
    assert [reply["ok"] for reply in replies] == [False] * (line.count(b"\n") + 1)


def test_a_request_too_long_is_one_error_and_the_end(daemon: Daemon) -> None:
    """What follows on the connection is not read."""
    replies = ask(daemon, b"x" * (MAX_REQUEST_BYTES * 3) + b'\n{"op":"about"}\n')
    assert replies == [{"ok": False, "error": f"request over {MAX_REQUEST_BYTES} bytes"}]


def test_a_thousand_clients_in_a_row_leave_nothing_behind(daemon: Daemon) -> None:
    """Some ask, some go without a word, some in the middle of one, some of a stream."""
    before = census(daemon)
    for number in range(1000):
        with connect(daemon) as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall((b'{"op":"about"}\n', b"", b'{"op":"ab', b'{"op":"watch"}\n')[number % 4])
            if number % 4 == 0:
                client.recv(1000)
    wait_for(lambda: census(daemon) <= before, "the clients' threads to end", WAIT_S)
    alive(daemon)


def test_as_many_slow_clients_as_fit_hold_nobody_but_the_next(daemon: Daemon) -> None:
    """All places but one are taken by half requests: the one left works. With none left, the next is told."""
    with contextlib.ExitStack() as clients:
        slow = [clients.enter_context(connect(daemon)) for _ in range(MAX_CLIENTS - 1)]
        for client in slow:
            client.sendall(b'{"op":')
        wait_for(lambda: accepted(daemon), "a place")
        for number in range(20):
            slow[number % len(slow)].sendall(b" ")
            wait_for(lambda: accepted(daemon), "the place that is left, once who had it is gone")
        wait_for(lambda: accepted(daemon), "the place that is left")
        wait_for(lambda: takes_the_last_place(daemon, clients), "the last place to be taken")
        assert "too many clients" in ask(daemon, b'{"op":"about"}\n')[0]["error"]
        slow[0].sendall(b'"about"}\n')
        assert json.loads(slow[0].recv(1000))["ok"], "a slow request is a request all the same"
    wait_for(lambda: accepted(daemon), "the places to be free again", WAIT_S)
    alive(daemon)


def accepted(daemon: Daemon) -> bool:
    """Whether there is a place for one more."""
    try:
        return bool(daemon.request("about"))
    except ControlError:
        return False


def takes_the_last_place(daemon: Daemon, clients: contextlib.ExitStack) -> bool:
    """Whether this client was served; it stays until the end of the test."""
    client = connect(daemon)
    client.sendall(b'{"op":"about"}\n')
    if b'"ok":true' not in client.recv(1000):
        client.close()
        return False
    clients.enter_context(client)
    return True


def test_clients_that_never_read_are_let_go(daemon: Daemon) -> None:
    """Of a stream, and of replies to a thousand requests at once. What waits for them is what the kernel buffers."""
    with connect(daemon) as watcher, connect(daemon) as asker:
        watcher.sendall(b'{"op":"watch"}\n')
        asker.settimeout(WAIT_S)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_for_ever(asker, b'{"op":"events"}\n' * 100)
        for _ in range(3):
            alive(daemon)
        wait_for(lambda: daemon.request("about"), "the next client to be served", WAIT_S)
    assert daemon.status()["ready"]


def send_for_ever(client: socket.socket, data: bytes) -> None:
    """Until the other side has had enough."""
    for _ in range(100_000):
        client.sendall(data)


OTHER = """
import os, socket, sys
client = socket.socket(socket.AF_UNIX)
try:
    client.connect(sys.argv[1])
    client.sendall(b'{"op":"about"}\\n')
    print(client.recv(100)[:11].decode())
except PermissionError:
    print("refused")
"""


@pytest.mark.parametrize(("group", "said"), [("65534", "refused"), ("4242", '{"ok":true,')])
def test_only_the_sockets_group_may_connect(daemon: Daemon, group: str, said: str) -> None:
    """A program of another user is refused by the kernel, one in the group is served."""
    if os.geteuid() != 0:
        pytest.fail("this test runs a program as another user, and needs root")
    os.chown(daemon.socket, -1, 4242)
    folders = [daemon.home, *daemon.home.parents]
    modes = {folder: folder.stat().st_mode for folder in folders}
    try:
        for folder in folders:
            folder.chmod(modes[folder] | 0o011)
        command = ["setpriv", "--reuid", "65534", "--regid", group, "--clear-groups"]
        program = [sys.executable, "-I", "-c", OTHER, str(daemon.socket)]
        done = subprocess.run([*command, *program], capture_output=True, text=True, timeout=WAIT_S, check=False)
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)
    assert done.stdout.strip() == said, done.stderr


def test_the_clients_of_a_daemon_that_stops_end(tmp_path: Path) -> None:
    """Neither a stream nor a half request keeps a client waiting, or the daemon alive."""
    with Daemon(tmp_path, DOOR, keys=site.KEYS) as other, ControlClient(other.socket, WAIT_S) as watcher:
        statuses = watcher.watch()
        assert next(statuses)["device"]
        with connect(other) as half:
            half.sendall(b'{"op":')
            assert other.stop() == 0
            with pytest.raises(ControlError):
                deque(statuses)
            with contextlib.suppress(ConnectionResetError):  # how it ends depends on what the daemon had read
                assert half.recv(1000) == b""
    assert not other.socket.exists()
