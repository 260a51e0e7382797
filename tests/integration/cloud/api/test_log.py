"""What the functions log: one line for each call, in ids of ours."""

import io
import json
from typing import Any

from cloud.domain.roles import Role
from tests.integration.cloud.api.conftest import Desk

UID = "04A224B2C35E80"


def _lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_call_is_one_line(desk: Desk, log: io.StringIO) -> None:
    """Request id, route, roles, status and time; the route and not the path, which holds ids of people."""
    desk.place.person(desk.site, "p-1")
    answer = desk.read("/people/p-1")

    (line,) = _lines(log)
    assert line["message"] == "call.answered"
    assert line["request"] == answer.headers["x-request-id"]
    assert (line["route"], line["status"], line["site"]) == ("/v1/sites/{site}/people/{person}", 200, desk.site)
    assert (line["subject"], line["roles"], line["service"]) == (desk.staff.subject, ["administrator"], "api-read")
    assert line["latency_ms"] >= 0


def test_line_holds_nothing_of_the_call_itself(desk: Desk, log: io.StringIO) -> None:
    """No body, no name, no number, no token, no path; whether it is accepted or refused."""
    desk.change("POST", "/people", {"person": "p-secret", "name": "Ada Lovelace", "email": "ada@example.org"})
    desk.change("POST", "/people", {"person": "p-secret", "name": 7, "uid": UID})
    desk.change("POST", "/cards", {"cards": [{"uid": UID, "label": "L-000123"}]})
    desk.read("/people/p-secret")
    desk.read("/people", desk.somebody(Role.VIEWER))

    told = log.getvalue()
    assert len(_lines(log)) == 5
    for secret in ("p-secret", "Ada", "ada@", UID, "L-000123", "Bearer", "redacted", "grace"):
        assert secret not in told


def test_fault_of_ours_is_an_error_with_its_place(desk: Desk, log: io.StringIO) -> None:
    """Kind and place of the error, for whoever is called at night; not its message."""
    desk.place.person(desk.site, "p-1", status="Ada's secret")
    desk.read("/people/p-1")

    (line,) = _lines(log)
    assert (line["level"], line["status"], line["error"]) == ("ERROR", 500, "ValidationError")
    assert line["what"].startswith("status: ")
    assert any(place.startswith("get_person:") for place in line["where"])
    assert "secret" not in log.getvalue()
