"""The panel's web server over real HTTP, with a stand-in for the daemon."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.errors import AgentError
from agent.panel.relay import Cut
from agent.panel.server import MAX_BODY_BYTES, MAX_STREAMS, PanelServer, listen
from tests.rigs.stand_in_daemon import StandInDaemon
from tests.rigs.waiting import wait_for


class SwitchedNetwork:
    """A network that only remembers how it was cut."""

    def __init__(self) -> None:
        self.how: Cut | None = None

    @property
    def how_cut(self) -> Cut | None:
        return self.how

    def cut(self, how: Cut = Cut.RESET) -> None:
        self.how = how

    def restore(self) -> None:
        self.how = None


class Browser:
    """Sends requests as the page's own script would."""

    def __init__(self, port: int) -> None:
        self.port = port

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def post(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        origin = f"http://127.0.0.1:{self.port}"
        status, _, answer = self.send("POST", path, data, Content_Type="application/json", Origin=origin)
        return status, json.loads(answer)

    def stream(self) -> "Stream":
        return Stream(self.port)


class Stream:
    """The page's stream of pictures. Context manager."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.connection.request("GET", "/events")
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()
        self.connection.close()

    def next(self) -> dict[str, Any]:
        """The next picture; AssertionError at the end of the stream."""
        while line := self.answer.readline():
            if line.startswith(b"data: "):
                picture: dict[str, Any] = json.loads(line[6:])
                return picture
        raise AssertionError("the stream ended")

    def until(self, **wanted: object) -> dict[str, Any]:
        """The first picture with these values, within twenty."""
        for _ in range(20):
            picture = self.next()
            if all(picture[name] == value for name, value in wanted.items()):
                return picture
        raise AssertionError(f"no picture with {wanted}")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[StandInDaemon]:
    with StandInDaemon(tmp_path / "control.sock") as running:
        yield running


@pytest.fixture
def network() -> SwitchedNetwork:
    return SwitchedNetwork()


@pytest.fixture
def browser(daemon: StandInDaemon, network: SwitchedNetwork) -> Iterator[Browser]:
    with PanelServer(daemon.path, listen(0), network) as server:
        yield Browser(server.port)


def test_page_is_served_with_a_strict_policy(browser: Browser) -> None:
    """Nothing from elsewhere, nothing inline, nothing kept."""
    status, headers, body = browser.send("GET", "/")
    assert status == 200
    assert b"<title>Cardea" in body
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers.get_all("Cache-Control") == ["no-store"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] is None


@pytest.mark.parametrize("file", ["panel.js", "door.js", "words.js", "panel.css", "picture.css", "mark.svg"])
def test_static_files_are_served(browser: Browser, file: str) -> None:
    """Each file that the page names."""
    status, headers, body = browser.send("GET", f"/static/{file}")
    assert (status, bool(body)) == (200, True)
    assert headers.get_all("Cache-Control") == ["no-store"]


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/%2e%2e/server.py", "/nothing", "/static/"])
def test_nothing_else_is_served(browser: Browser, path: str) -> None:
    """Not the code beside the static files either; the answer is a problem document."""
    status, headers, body = browser.send("GET", path)
    assert status == 404
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["status"] == 404
    assert b"\n" not in body


def test_tap_reaches_the_daemon(browser: Browser, daemon: StandInDaemon) -> None:
    """The daemon decides; its words come back."""
    status, result = browser.post("/tap", {"card": "mallory", "reader": "office-in"})
    assert (status, result["reason"], result["text"]) == (200, "stolen", "The card was reported stolen.")
    assert {"op": "tap", "card": "mallory", "reader": "office-in"} in daemon.requests


def test_input_and_fire_reset_reach_the_daemon(browser: Browser, daemon: StandInDaemon) -> None:
    """With the very fields of the protocol."""
    assert browser.post("/input", {"name": "hq-office.rex", "action": "press"})[0] == 200
    assert browser.post("/fire-reset", {"door": "hq-office"})[0] == 200
    assert {"op": "input", "name": "hq-office.rex", "action": "press"} in daemon.requests
    assert {"op": "fire-reset", "door": "hq-office"} in daemon.requests


def test_refusal_of_the_daemon_is_a_problem_with_its_words(browser: Browser) -> None:
    """One line, fit to be shown."""
    status, problem = browser.post("/tap", {"card": "nobody", "reader": "office-in"})
    assert status == 422
    assert "no card 'nobody'" in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"[" * 2000,
        {},
        {"card": "alice"},
        {"card": "a", "reader": 1},
        {"card": "a", "reader": "b", "c": 1},
    ],
)
def test_malformed_bodies_are_refused(browser: Browser, daemon: StandInDaemon, body: object) -> None:
    """The daemon never hears of them."""
    status, problem = browser.post("/tap", body)
    assert (status, problem["status"]) == (400, 400)
    assert not any(request["op"] == "tap" for request in daemon.requests)


def test_long_bodies_are_refused(browser: Browser) -> None:
    """Whatever they say."""
    assert browser.post("/tap", b" " * (MAX_BODY_BYTES + 1))[0] == 413


def test_strangers_are_refused(browser: Browser, daemon: StandInDaemon) -> None:
    """The guard stands before every route, and its refusals carry the policy too."""
    body = b'{"card":"alice","reader":"office-in"}'
    status, headers, _ = browser.send(
        "POST", "/tap", body, Content_Type="application/json", Origin="http://evil.example"
    )
    assert status == 403
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert browser.send("GET", "/", Host="evil.example")[0] == 421
    assert browser.send("POST", "/tap", body, Content_Type="text/plain", Sec_Fetch_Site="same-origin")[0] == 415
    assert not any(request["op"] == "tap" for request in daemon.requests)


def test_stream_shows_a_tap(browser: Browser) -> None:
    """The first picture comes at once; a tap is in a later one."""
    with browser.stream() as stream:
        picture = stream.until(daemon="here")
        assert picture["status"]["doors"][1]["lock"] == "locked"
        browser.post("/tap", {"card": "alice", "reader": "office-in"})
        locks = (stream.next()["status"]["doors"][1]["lock"] for _ in range(10))
        assert "unlocked" in locks


def test_stream_tells_that_the_daemon_is_away_and_back(browser: Browser, daemon: StandInDaemon) -> None:
    """The page keeps running while the daemon restarts; buttons say so meanwhile."""
    with browser.stream() as stream:
        stream.until(daemon="here")
        daemon.__exit__(None, None, None)
        away = stream.until(daemon="away")
        assert away["status"] is None
        assert away["why"]
        assert browser.post("/tap", {"card": "alice", "reader": "office-in"})[0] == 503
        daemon.__enter__()
        assert stream.until(daemon="here")["status"]["device"] == "hq-demo-1"


def test_network_is_cut_and_restored(browser: Browser, network: SwitchedNetwork) -> None:
    """Both ways of cutting; every page is told at once."""
    with browser.stream() as stream:
        stream.until(network="up")
        assert browser.post("/network", {"up": False}) == (200, {"network": "reset"})
        stream.until(network="reset")
        assert browser.post("/network", {"up": False, "how": "silence"})[0] == 200
        stream.until(network="silence")
        assert network.how is Cut.SILENCE
        assert browser.post("/network", {"up": True})[0] == 200
        stream.until(network="up")
    assert browser.post("/network", {"up": False, "how": "axe"})[0] == 400
    assert browser.post("/network", {"up": 0})[0] == 400


def test_panel_without_network_says_so(daemon: StandInDaemon) -> None:
    """Then there is nothing to cut."""
    with PanelServer(daemon.path, listen(0)) as server:
        browser = Browser(server.port)
        with browser.stream() as stream:
            assert stream.next()["network"] is None
        assert browser.post("/network", {"up": False})[0] == 409


def test_recent_events_hold_only_what_a_person_reads(browser: Browser) -> None:
    """Newest first, with words, and without the credential."""
    browser.post("/tap", {"card": "mallory", "reader": "office-in"})
    status, _, body = browser.send("GET", "/recent")
    events = json.loads(body)["events"]
    assert status == 200
    assert [event["type"] for event in events] == ["access.denied", "agent.started"]
    assert events[0]["text"] == "The card was reported stolen."
    assert "credential" not in events[0]


def test_streams_are_bounded(browser: Browser) -> None:
    """One page too many is told so; when one goes, another may come."""
    streams = [browser.stream() for _ in range(MAX_STREAMS)]
    try:
        assert all(stream.status == 200 for stream in streams)
        with browser.stream() as further:
            assert further.status == 503
    finally:
        for stream in streams:
            stream.__exit__()

    def comes_in() -> bool:
        with browser.stream() as later:
            return later.status == 200

    wait_for(comes_in, "a place for another page")


def test_close_ends_open_streams(daemon: StandInDaemon) -> None:
    """A page that stays open does not hold the panel up."""
    server = PanelServer(daemon.path, listen(0))
    server.start()
    with Browser(server.port).stream() as stream:
        stream.until(daemon="here")
        server.close()
        with pytest.raises(AssertionError, match="ended"):
            stream.until(daemon="nowhere")


def test_only_the_loopback_address_listens(browser: Browser) -> None:
    """127.0.0.1 and no other, not even another loopback address."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", browser.port), timeout=5)


def test_port_in_use_is_one_clear_line(browser: Browser) -> None:
    """The port is in the words."""
    with pytest.raises(AgentError, match=rf"^port {browser.port} of 127.0.0.1 can't be used: Address already in use$"):
        listen(browser.port)
