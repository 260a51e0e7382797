"""Requests that another site's page could make a browser send are refused."""

import pytest

from agent.panel.guards import refuse

HOST = (b"host", b"127.0.0.1:8600")
JSON = (b"content-type", b"application/json")
ORIGIN = (b"origin", b"http://127.0.0.1:8600")
SAME = (b"sec-fetch-site", b"same-origin")


def status(method: str, path: str, *headers: tuple[bytes, bytes]) -> int:
    refusal = refuse(method, path, list(headers))
    return 200 if refusal is None else refusal[0]


@pytest.mark.parametrize("host", [b"127.0.0.1:8600", b"localhost:8600", b"LOCALHOST", b"127.0.0.1"])
def test_host_of_this_machine_passes(host: bytes) -> None:
    """Any port: the panel may be reached through a tunnel."""
    assert status("GET", "/", (b"host", host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:8600",
        b"127.0.0.1.evil.example",
        b"localhost.",
        b"127.0.0.1:8600@evil",
        b"",
        b"[::1]",
    ],
)
def test_host_of_anyone_else_is_refused(host: bytes) -> None:
    """A rebound name resolves to 127.0.0.1 but is not our name."""
    assert status("GET", "/", (b"host", host)) == 421


def test_host_must_be_there_once() -> None:
    """Neither none nor two."""
    assert status("GET", "/") == 421
    assert status("GET", "/", HOST, (b"host", b"evil.example")) == 421


@pytest.mark.parametrize("proof", [[ORIGIN], [SAME], [ORIGIN, SAME]])
def test_change_from_the_page_itself_passes(proof: list[tuple[bytes, bytes]]) -> None:
    """Origin, Sec-Fetch-Site, or both in agreement."""
    assert status("POST", "/tap", HOST, JSON, *proof) == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"origin", b"http://evil.example")],
        [(b"origin", b"null")],
        [(b"origin", b"https://127.0.0.1:8600")],
        [(b"origin", b"http://127.0.0.1:9999")],
        [(b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"same-site")],
        [(b"sec-fetch-site", b"none")],
        [ORIGIN, (b"sec-fetch-site", b"cross-site")],
        [SAME, (b"origin", b"http://evil.example")],
    ],
)
def test_change_from_elsewhere_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    """No proof, a foreign one, or two that contradict."""
    assert status("POST", "/tap", HOST, JSON, *headers) == 403


@pytest.mark.parametrize("kind", [b"text/plain", b"application/x-www-form-urlencoded", b"text/plain; application/json"])
def test_change_that_a_form_could_send_is_refused(kind: bytes) -> None:
    """Only JSON makes a browser ask first."""
    assert status("POST", "/tap", HOST, ORIGIN, (b"content-type", kind)) == 415
    assert status("POST", "/tap", HOST, ORIGIN) == 415


def test_any_method_that_is_not_a_read_counts_as_change() -> None:
    """A method that nobody thought of is not let through."""
    assert status("DELETE", "/", HOST, JSON) == 403
    assert status("OPTIONS", "/tap", HOST) == 403


def test_reads_of_another_sites_page_are_refused() -> None:
    """A link to the page is fine; holding its streams is not."""
    foreign = (b"sec-fetch-site", b"cross-site")
    assert status("GET", "/", HOST, foreign) == 200
    assert status("GET", "/events", HOST, foreign) == 403
    assert status("GET", "/events", HOST, SAME) == 200
