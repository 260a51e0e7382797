"""Changes through the function's handler, on the real table and bucket: stored once, and answered every time."""

import io
import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from cloud.adapters.secrets import site_secret
from cloud.api import examples
from cloud.api.call import Call
from cloud.api.caller import Caller
from cloud.api.changes import accept
from cloud.api.record_answers import Accepted
from cloud.api.route import Function, Route
from cloud.api.routes import ROUTES
from cloud.api.store import RequestStore
from cloud.domain import keys
from cloud.domain.envelope import object_name, read_envelope, request_id
from cloud.domain.roles import Role
from cloud.handlers import api_change
from cloud.handlers.api_service import connect, serve
from tests.integration.cloud.api.conftest import Desk
from tests.rigs.http_events import event, recorded, reply

UID = "04A224B2C35E80"
CHANGES = [route for route in ROUTES if route.change is not None]


def _target(route: Route) -> str:
    return route.path.removeprefix("/v1/sites/{site}").format_map(examples.PATHS)


@pytest.mark.parametrize("route", CHANGES, ids=lambda route: route.operation)
def test_change_is_stored_and_its_status_can_be_read(desk: Desk, route: Route) -> None:
    """Every change: 202, an object that the processors can read, a status item, and a href that leads to it."""
    answer = desk.change(route.method, _target(route), examples.BODIES.get(route.operation))

    assert answer.status == 202, answer.body
    stored = desk.place.stored(object_name(desk.site, answer.body["request"]))
    envelope = read_envelope(json.dumps(stored).encode())
    envelope.content()
    assert (envelope.type, envelope.operator.subject, envelope.operator.roles) == (
        route.change,
        desk.staff.subject,
        ["administrator"],
    )
    status = desk.read(answer.body["href"].removeprefix(f"/v1/sites/{desk.site}"))
    assert (status.status, status.body["status"], status.body["type"]) == (200, "accepted", route.change)
    assert answer.body["replayed"] is False


def test_recorded_event_is_answered(desk: Desk) -> None:
    """An event as the gateway sends it, but for its site and caller."""
    made = recorded("http_api_post")
    made["rawPath"] = made["rawPath"].replace("/hq/", f"/{desk.site}/")
    made["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = desk.somebody(Role.OPERATOR).subject

    answer = reply(api_change.handler(made, None))

    assert answer.status == 202
    assert answer.headers["x-request-id"] == made["requestContext"]["requestId"]
    payload = desk.place.stored(object_name(desk.site, answer.body["request"]))["payload"]
    assert payload == {"card": "9f86d081884c7d659a2feaa0c55ad015", "person": "p-1001", "building": "hq-main"}


@pytest.mark.parametrize(
    ("target", "body", "place_of_card"),
    [
        ("/cards", {"cards": [{"uid": UID}]}, ("cards", 0, "card")),
        ("/cards/issue", {"uid": UID, "person": "p-1"}, ("card",)),
        (f"/cards/{'a' * 32}/replace", {"by_uid": UID.lower()}, ("by",)),
        ("/people/import", {"rows": [{"line": 1, "person": "p", "name": "N", "uid": UID}]}, ("rows", 0, "card")),
    ],
)
def test_number_of_a_card_is_hashed_before_anything_is_stored(
    desk: Desk, log: io.StringIO, target: str, body: Any, place_of_card: tuple[str | int, ...]
) -> None:
    """No raw number in the bucket, in the table, in the answer or in the log."""
    answer = desk.change("POST", target, body)

    assert answer.status == 202, answer.body
    stored = desk.place.stored(object_name(desk.site, answer.body["request"]))
    card = stored["payload"]
    for step in place_of_card:
        card = card[step]
    assert card == desk.place.card(desk.site, UID)
    item = desk.place.entities.get(keys.request(answer.body["request"]))
    for told in (json.dumps(stored), json.dumps(item), json.dumps(answer.body), log.getvalue()):
        assert UID not in told.upper()


def test_number_that_is_none_is_refused_without_being_repeated(desk: Desk, log: io.StringIO) -> None:
    """The problem says where, not what."""
    answer = desk.change("POST", "/cards", {"cards": [{"uid": UID}, {"uid": "04A224B2C35E8"}]})

    assert (answer.status, answer.kind) == (422, "body-invalid")
    assert answer.body["errors"] == [{"pointer": "/cards/1/uid", "detail": "is not 4 to 16 bytes in hex"}]
    assert "04A224" not in json.dumps(answer.body) + log.getvalue()


def test_same_key_and_body_is_answered_again_and_stored_once(desk: Desk) -> None:
    """A retry after a lost answer does nothing new, and says so."""
    first = desk.change("POST", "/people", {"person": "p-1", "name": "A"}, key="k")
    stored = desk.place.stored(object_name(desk.site, first.body["request"]))

    again = desk.change("POST", "/people", {"name": "  A ", "person": "p-1"}, key="k")

    assert again.body == {**first.body, "replayed": True}
    assert desk.place.stored(object_name(desk.site, first.body["request"])) == stored


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/people", {"person": "p-1", "name": "B"}),
        ("/people", {"person": "p-2", "name": "A"}),
        ("/people/p-1/activate", {}),
    ],
)
def test_same_key_and_other_body_is_a_conflict(desk: Desk, target: str, body: Any) -> None:
    """A different request under a used key is never swallowed."""
    first = desk.change("POST", "/people", {"person": "p-1", "name": "A"}, key="k")
    stored = desk.place.stored(object_name(desk.site, first.body["request"]))

    other = desk.change("POST", target, body, key="k")

    assert (other.status, other.kind) == (409, "idempotency-key-reused")
    assert desk.place.stored(object_name(desk.site, first.body["request"])) == stored


def test_key_of_somebody_else_is_another_key(desk: Desk) -> None:
    """Two operators who count from 1 do not meet."""
    body = {"person": "p-1", "name": "A"}
    first = desk.change("POST", "/people", body, key="1")

    other = desk.change("POST", "/people", body, key="1", staff=desk.somebody(Role.OPERATOR))

    assert other.body["replayed"] is False
    assert other.body["request"] != first.body["request"]


def test_same_key_at_the_same_time_is_one_request(desk: Desk) -> None:
    """Of calls that meet, one stores; all are told the same request."""
    backend = connect(desk.place.variables, desk.place.access)
    (route,) = (each for each in ROUTES if each.operation == "createPerson")
    at_once = threading.Barrier(4)
    answers: list[Accepted] = []

    def ask() -> None:
        made = event(desk.staff, "POST", "/", {"person": "p-1", "name": "A"}, key="k")
        call = Call(
            route, backend, Caller(desk.staff.subject, "grace", ()), (), frozenset({Role.OPERATOR}),
            {"site": desk.site}, {}, made, "r", backend.clock(),
        )  # fmt: skip
        at_once.wait(timeout=20)
        answers.append(accept(call))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert sorted(answer.replayed for answer in answers) == [False, True, True, True]
    assert len({answer.request for answer in answers}) == 1


def test_replay_tells_how_far_the_request_has_come(desk: Desk) -> None:
    """The status is the present one, not that of the first time."""
    body = {"person": "p-1", "name": "A"}
    first = desk.change("POST", "/people", body, key="k")
    item = desk.place.entities.get(keys.request(first.body["request"]))
    assert item is not None
    desk.place.put(keys.request(first.body["request"]), {**item, "status": "rejected", "code": "person_exists"})

    again = desk.change("POST", "/people", body, key="k")

    assert (again.status, again.body["status"], again.body["replayed"]) == (202, "rejected", True)


@pytest.fixture
def cut_short(desk: Desk) -> str:
    """A request whose change died after it was stored, before its status was put; its id."""
    first = desk.change("POST", "/people", {"person": "p-1", "name": "A"}, key="k")
    identifier = str(first.body["request"])
    pk, sk = keys.request(identifier)
    desk.place.dynamodb.delete_item(TableName=desk.place.table, Key={"pk": {"S": pk}, "sk": {"S": sk}})
    return identifier


def test_status_of_a_change_that_was_cut_short_can_be_read(desk: Desk, cut_short: str) -> None:
    """The stored request is found though its status is missing."""
    status = desk.read(f"/requests/{cut_short}")

    assert (status.status, status.body["status"], status.body["request"]) == (200, "accepted", cut_short)


def test_change_that_was_cut_short_is_mended_by_its_retry(desk: Desk, cut_short: str) -> None:
    """The status that is missing is put then, for the request as it was stored."""
    again = desk.change("POST", "/people", {"person": "p-1", "name": "A"}, key="k")

    item = desk.place.entities.get(keys.request(cut_short))
    assert again.body["replayed"] is True
    assert item is not None
    assert item["at"] == desk.place.stored(object_name(desk.site, cut_short))["at"]


def test_object_that_is_no_request_is_neither_read_nor_replaced(desk: Desk) -> None:
    """Somebody with access to the bucket put it under the name of a request."""
    identifier = request_id(desk.site, desk.staff.subject, "k")
    name = object_name(desk.site, identifier)
    desk.place.s3.put_object(Bucket=desk.place.bucket, Key=name, Body=b'{"v": 99}')

    answer = desk.change("POST", "/people", {"person": "p-1", "name": "A"}, key="k")

    assert (answer.status, answer.kind) == (409, "idempotency-key-reused")
    assert desk.read(f"/requests/{identifier}").kind == "request-unknown"
    assert desk.place.stored(name) == {"v": 99}


def test_status_that_is_ahead_of_us_is_not_set_back(desk: Desk) -> None:
    """The processor may be done before the API has put `accepted`."""
    identifier = request_id(desk.site, desk.staff.subject, "k")
    desk.place.put(keys.request(identifier), {"id": identifier, "site": desk.site, "status": "done"})

    answer = desk.change("POST", "/people", {"person": "p-1", "name": "A"}, key="k")

    assert (answer.body["status"], answer.body["replayed"]) == ("done", False)


def test_bucket_that_refuses_is_no_replay(desk: Desk) -> None:
    """A fault of the store is told as one, and nothing is claimed to be stored."""
    backend = replace(
        connect(desk.place.variables, desk.place.access),
        requests=RequestStore("no-such-bucket", desk.place.s3),
    )
    made = event(desk.staff, "POST", f"/v1/sites/{desk.site}/people", {"person": "p", "name": "A"}, key="k")

    answer = reply(serve(Function.CHANGE, backend).handle(made, None))

    assert (answer.status, answer.kind) == (503, "unavailable")
    assert desk.place.entities.get(keys.request(request_id(desk.site, desk.staff.subject, "k"))) is None


def test_site_without_a_secret_can_not_hash(desk: Desk) -> None:
    """A number that can't be hashed is not taken in any other form."""
    desk.place.secrets.delete_secret(
        SecretId=site_secret(desk.place.environment, desk.site, "card-hash"), ForceDeleteWithoutRecovery=True
    )

    answer = desk.change("POST", "/cards", {"cards": [{"uid": UID}]})

    assert (answer.status, answer.kind) == (503, "unavailable")


PERSON = {"person": "p-1", "name": "A"}


@pytest.mark.parametrize(
    ("method", "target", "body", "headers", "expected"),
    [
        ("POST", "/people", "{", {}, (400, "body-malformed")),
        ("POST", "/people", "[1]", {}, (400, "body-malformed")),
        ("POST", "/people", '{"person": NaN}', {}, (400, "body-malformed")),
        ("POST", "/people", '{"name": "\\ud800"}', {}, (400, "body-malformed")),
        ("POST", "/people", "[" * 100_000, {}, (400, "body-malformed")),
        ("DELETE", "/doors/d-1", {"note": "x"}, {}, (400, "body-malformed")),
        ("POST", "/people", PERSON, {"content-type": "text/plain"}, (415, "media-type-unsupported")),
        ("POST", "/people", PERSON, {"content-type": "application/jsonp"}, (415, "media-type-unsupported")),
        ("POST", "/people", {"person": 1, "name": "A"}, {}, (422, "body-invalid")),
        ("POST", "/people", {"person": "p-1"}, {}, (422, "body-invalid")),
        ("POST", "/people", {**PERSON, "admin": True}, {}, (422, "body-invalid")),
        ("POST", "/people", {**PERSON, "person": "../x"}, {}, (422, "body-invalid")),
        ("POST", "/people", {**PERSON, "valid_from": "tomorrow"}, {}, (422, "body-invalid")),
        ("PATCH", "/people/p-1", {"person": "p-2"}, {}, (422, "body-invalid")),
        ("POST", f"/cards/{'a' * 32}/issue", {"uid": UID, "person": "p"}, {}, (422, "body-invalid")),
        ("POST", "/cards/issue", {"uid": UID, "card": "a" * 32, "person": "p"}, {}, (422, "body-invalid")),
        ("POST", "/cards", {"cards": [{"uid": UID}] * 51}, {}, (422, "body-invalid")),
        ("POST", "/cards", {"cards": "all"}, {}, (422, "body-invalid")),
        ("POST", "/people", {**PERSON, "name": "x" * (1 << 20)}, {}, (413, "body-too-large")),
        ("POST", "/people/import", {"rows": ["x" * (5 << 20)]}, {}, (413, "body-too-large")),
        ("POST", f"/cards/{UID}/revoke", {}, {}, (400, "parameter-invalid")),
        ("PUT", "/doors/%2e%2e%2f", {"name": "A"}, {}, (400, "parameter-invalid")),
        ("POST", "/people?dry_run=1", PERSON, {}, (400, "parameter-invalid")),
        ("POST", "/people", PERSON, {"idempotency-key": ""}, (400, "idempotency-key-invalid")),
        ("POST", "/people", PERSON, {"idempotency-key": "x" * 65}, (400, "idempotency-key-invalid")),
        ("POST", "/people", PERSON, {"idempotency-key": "a b"}, (400, "idempotency-key-invalid")),
        ("POST", "/people/p-1/explode", {}, {}, (404, "route-unknown")),
    ],
)  # fmt: skip
def test_bad_input_is_refused_and_nothing_is_stored(
    desk: Desk, method: str, target: str, body: Any, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """Each row is a 4xx problem, and leaves the bucket as it was."""
    answer = desk.change(method, target, body, headers=headers)

    assert (answer.status, answer.kind) == expected
    assert answer.headers["content-type"] == "application/problem+json"
    listed = desk.place.s3.list_objects_v2(Bucket=desk.place.bucket, Prefix=f"requests/{desk.site}/")
    assert listed["KeyCount"] == 0


def test_import_may_be_longer_than_other_bodies(desk: Desk) -> None:
    """Twenty thousand rows fit."""
    rows = [{"line": n + 1, "person": f"p-{n}", "name": "N" * 60, "uid": f"{n:014X}"} for n in range(20_000)]

    answer = desk.change("POST", "/people/import", {"rows": rows})

    assert answer.status == 202, answer.body


def test_faults_say_where_and_never_what(desk: Desk) -> None:
    """What stood there may be a card's number in the wrong field."""
    rows = [{"line": 1, "person": UID + "!", "name": "A", "valid_from": UID, UID: 1, "status": UID}]

    answer = desk.change("POST", "/people/import", {"rows": rows, "mode": UID})

    assert answer.status == 422
    assert UID not in json.dumps(answer.body)
    pointers = {fault["pointer"] for fault in answer.body["errors"]}
    assert pointers == {"/rows/0/person", "/rows/0/valid_from", "/rows/0/status", "/rows/0", "/mode"}
