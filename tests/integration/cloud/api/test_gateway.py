"""The API over HTTP on this machine: what the gateway refuses before our functions, and what it hands on."""

import base64
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization

from cloud.api.route import Function
from cloud.domain.roles import Role
from cloud.handlers import api_change, api_read
from tests.integration.cloud.api.conftest import Desk
from tests.rigs.api_place import ApiPlace
from tests.rigs.gateway_tokens import TokenVerifier
from tests.rigs.http_gateway import http_api
from tests.rigs.http_server import served
from tests.rigs.staff_tokens import CLIENT, ISSUER, Pool

FUNCTIONS = {Function.READ: api_read.handler, Function.CHANGE: api_change.handler}


@pytest.fixture(scope="module")
def pool() -> Pool:
    """A user pool."""
    return Pool()


@pytest.fixture(scope="module")
def address(place: ApiPlace, pool: Pool) -> Iterator[str]:
    """The API, served."""
    verifier = TokenVerifier(pool.key_set, ISSUER, frozenset({CLIENT}))
    with served(http_api(FUNCTIONS, verifier)) as address:
        yield address


def _call(address: str, token: str | None, method: str, target: str, **how: Any) -> requests.Response:
    headers = {**({} if token is None else {"Authorization": f"Bearer {token}"}), **how.pop("headers", {})}
    return requests.request(method, address + target, headers=headers, timeout=30, **how)


def _part(document: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _signed_hs256(text: str, secret: bytes) -> str:
    """By hand: PyJWT refuses to use a public key so, and whoever forges does not ask it."""
    tag = hmac.new(secret, text.encode(), "sha256").digest()
    return f"{text}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"


def _bad_tokens(pool: Pool) -> dict[str, str | None]:
    good = pool.token("s", Role.ADMINISTRATOR)
    head, body, signature = good.split(".")
    other_body = pool.token("other", Role.ADMINISTRATOR).split(".")[1]
    public = pool.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "none": None,
        "empty": "",
        "garbage": "abc",
        "not three parts": f"{head}.{body}",
        "tampered": f"{head}.{other_body}.{signature}",
        "unsigned": f"{_part({'alg': 'none', 'kid': 'key-1'})}.{body}.",
        # With the public key, which everybody knows, as the secret.
        "HS256": _signed_hs256(f"{_part({'alg': 'HS256', 'kid': 'key-1'})}.{body}", public),
        "expired": pool.token("s", lasts_s=-1),
        "not yet": pool.token("s", nbf=4_000_000_000),
        "without an end": pool.token("s", exp=None),
        "other issuer": pool.token("s", iss="https://evil.example"),
        "other client": pool.token("s", client_id="other"),
        "other audience": pool.token("s", aud="other"),
        "no audience": pool.token("s", client_id=None),
        "other key": Pool().token("s"),
        "unknown key": pool.token("s", kid="key-2"),
    }


@pytest.mark.parametrize("what", list(_bad_tokens(Pool())))
def test_token_that_is_not_valid_is_refused(address: str, pool: Pool, what: str) -> None:
    """401 in the gateway's words, before any function runs."""
    answer = _call(address, _bad_tokens(pool)[what], "GET", "/v1/me")

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


@pytest.mark.parametrize("audience", [{}, {"aud": CLIENT, "client_id": None}, {"aud": ["x", CLIENT]}])
def test_token_for_our_client_is_let_in(address: str, pool: Pool, audience: dict[str, Any]) -> None:
    """By `aud`, or by the client where there is none, as in access tokens of user pools."""
    answer = _call(address, pool.token("s-1", Role.GUARD, Role.VIEWER, **audience), "GET", "/v1/me")

    assert (answer.status_code, answer.json()["groups"]) == (200, ["guard", "viewer"])


def test_id_token_is_refused_by_us(address: str, pool: Pool) -> None:
    """The gateway lets it pass: its audience is right."""
    answer = _call(address, pool.token("s-1", aud=CLIENT, token_use="id"), "GET", "/v1/me")

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/v2/me"),
        ("GET", "/v1/me/"),
        ("HEAD", "/v1/me"),
        ("DELETE", "/v1/me"),
        ("PUT", "/v1/sites"),
    ],
)
def test_route_that_is_none_is_not_found(address: str, pool: Pool, method: str, target: str) -> None:
    """As the gateway knows only the routes of the document."""
    assert _call(address, pool.token("s"), method, target).status_code == 404


def test_change_and_reading_work_over_http(address: str, pool: Pool, desk: Desk) -> None:
    """Ask for a change, follow where it leads, and read."""
    token = pool.token(desk.staff.subject, Role.ADMINISTRATOR)
    target = f"/v1/sites/{desk.site}/doors/d%2D1"
    door = _call(address, token, "PUT", target, json={"name": "Tür"}, headers={"Idempotency-Key": "k"})
    status = _call(address, token, "GET", door.json()["href"])
    page = _call(address, token, "GET", f"/v1/sites/{desk.site}/requests?limit=1")

    assert (door.status_code, status.json()["status"]) == (202, "accepted")
    assert [item["request"] for item in page.json()["items"]] == [door.json()["request"]]
    assert desk.place.stored(f"requests/{desk.site}/{door.json()['request']}.json")["payload"] == {
        "door": "d-1",
        "name": "Tür",
    }


def test_parameter_that_is_given_twice_is_refused(address: str, pool: Pool, desk: Desk) -> None:
    """The gateway joins them by a comma, which is no number."""
    token = pool.token(desk.staff.subject, Role.ADMINISTRATOR)

    assert _call(address, token, "GET", f"/v1/sites/{desk.site}/people?limit=1&limit=2").status_code == 400


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [(b"\xff\xfe{}", "application/json", 400), (b"{}", "application/octet-stream", 415), (b"{}", "", 415)],
)
def test_body_that_is_no_text_is_refused(
    address: str, pool: Pool, desk: Desk, body: bytes, content_type: str, status: int
) -> None:
    """It comes to the function as Base64, and goes no further."""
    token = pool.token(desk.staff.subject, Role.ADMINISTRATOR)
    headers = {"Idempotency-Key": "k", "Content-Type": content_type}

    answer = _call(address, token, "POST", f"/v1/sites/{desk.site}/people", data=body, headers=headers)

    assert answer.status_code == status


def test_body_that_the_gateway_does_not_take_is_refused(address: str, pool: Pool, desk: Desk) -> None:
    """More than 10 MB."""
    token = pool.token(desk.staff.subject, Role.ADMINISTRATOR)
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}

    answer = _call(
        address, token, "POST", f"/v1/sites/{desk.site}/people/import", data=b" " * 10_000_001, headers=headers
    )  # fmt: skip

    assert answer.status_code == 413
