"""The panel's web server against raw bytes and against requests that another site's page could cause."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.panel.guards import refuse
from agent.panel.server import PanelServer, listen
from tests.fuzz.budget import cases
from tests.fuzz.damage import damaged, raw
from tests.rigs.stand_in_daemon import StandInDaemon

WAIT_S = 30.0
TAP = json.dumps({"card": "alice", "reader": "office-in"}).encode()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A panel in front of a stand-in for the daemon."""
    folder: Path = tmp_path_factory.mktemp("panel")
    with StandInDaemon(folder / "control.sock") as daemon, PanelServer(daemon.path, listen(0)) as panel:
        yield panel.port
        assert exchange(panel.port, request(panel.port, b"GET", b"/")).startswith(b"HTTP/1.1 200")


def request(port: int, method: bytes, path: bytes, body: bytes = b"", *headers: bytes) -> bytes:
    """A request as the page's own script sends it."""
    own = b"127.0.0.1:%d" % port
    head = [
        b"%s %s HTTP/1.1" % (method, path),
        b"Host: " + own,
        b"Origin: http://" + own,
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Connection: close",
        *headers,
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def exchange(port: int, data: bytes, *, end: bool = False) -> bytes:
    """What comes back until the server closes, or the first piece of a stream; `end`: the client says no more."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as client:
        received = b""
        try:
            client.sendall(data)
            if end:
                client.shutdown(socket.SHUT_WR)
            while (piece := client.recv(65536)) and b"text/event-stream" not in received:
                received += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
        return received


@cases(200)
@given(st.data())
def test_bytes_that_are_hardly_http_do_not_stop_the_panel(port: int, data: st.DataObject) -> None:
    """Refused in HTTP, or let go; never a fault of ours."""
    whole = [request(port, b"POST", b"/tap", TAP), request(port, b"GET", b"/static/panel.js")]
    answer = exchange(port, data.draw(st.one_of(damaged(*whole), raw())), end=True)
    assert not answer or answer.startswith(b"HTTP/1.1 ")
    assert not answer.startswith(b"HTTP/1.1 500")


@cases(300)
@given(
    st.one_of(damaged(TAP, b'{"up":false,"how":"silence"}'), raw()),
    st.sampled_from([b"/tap", b"/input", b"/network"]),
)
def test_bodies_of_any_bytes_are_answered_in_words(port: int, body: bytes, path: bytes) -> None:
    """A problem document or a result, under the headers that keep the page to itself."""
    answer = exchange(port, request(port, b"POST", path, body))
    head, _, document = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 ")
    assert not head.startswith(b"HTTP/1.1 500")
    assert b"content-security-policy" in head
    assert isinstance(json.loads(document), dict)


HOSTS = [
    b"127.0.0.1:8600",
    b"localhost",
    b"evil.example",
    b"127.0.0.1.evil.example",
    b"127.0.0.1:8600:1",
    b"localhost\0",
]
ORIGINS = [
    b"http://127.0.0.1:8600",
    b"http://localhost",
    b"http://evil.example",
    b"null",
    b"https://127.0.0.1:8600",
    b"",
]
SITES = [b"same-origin", b"same-site", b"cross-site", b"none", b""]
header = st.one_of(
    st.tuples(st.just(b"host"), st.sampled_from(HOSTS)),
    st.tuples(st.just(b"origin"), st.sampled_from(ORIGINS)),
    st.tuples(st.just(b"sec-fetch-site"), st.sampled_from(SITES)),
    st.tuples(st.just(b"content-type"), st.sampled_from([b"application/json", b"text/plain"])),
)


@cases(500)
@given(st.sampled_from(["POST", "PUT", "DELETE", "OPTIONS", "GET"]), st.lists(header, max_size=6))
def test_no_mixture_of_headers_lets_another_site_change_a_door(method: str, headers: list[tuple[bytes, bytes]]) -> None:
    """What passes came to us by name, once, and from our own page by everything that it says."""
    if refuse(method, "/tap", headers) is not None:
        return
    said = {name: [value for key, value in headers if key == name] for name, _ in headers}
    (host,) = said[b"host"]
    assert host in (b"127.0.0.1:8600", b"localhost")
    if method != "GET":
        assert set(said.get(b"origin", ())) <= {b"http://" + host}
        assert set(said.get(b"sec-fetch-site", ())) <= {b"same-origin"}
        assert said.get(b"origin") or said.get(b"sec-fetch-site")
    assert not {b"cross-site", b"same-site"} & set(said.get(b"sec-fetch-site", ()))
