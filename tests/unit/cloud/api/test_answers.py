"""What the API tells of each thing is what the rules keep of it, and no more."""

from typing import Any

import pytest

from cloud.api import answers, record_answers
from cloud.domain.envelope import REQUEST_VERSION, Envelope, Operator
from cloud.domain.payloads import RequestType
from cloud.domain.progress import accepted, rejected
from cloud.domain.roles import Role
from cloud.domain.rules import entities
from cloud.domain.rules.entities import CardState, DeviceStatus, PersonStatus
from cloud.domain.rules.entity import Entity

AT = "2026-03-01T08:00:00.000Z"
FROM, UNTIL = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"
CARD = "a" * 32
KEPT: list[tuple[Entity, type[answers.Answer], set[str]]] = [
    (
        entities.Person(
            "p-1", "Ada", PersonStatus.ACTIVE, AT, AT, "ada@example.org", FROM, UNTIL, (CARD,),
            (entities.Permission("pm", "staff", "s-1", FROM, UNTIL),),
        ),
        answers.Person,
        {"status_at", "changed_at"},
    ),
    (entities.Card(CARD, CardState.LOST, AT, "000123", "p-1", FROM, UNTIL), answers.Card, set()),
    (entities.Device("d", "hq", DeviceStatus.RETIRED, AT, ("ab",), ("front",)), record_answers.Device, {"site"}),
    (
        entities.StaffRole("g", "s-1", Role.GUARD, "hq", FROM, "s-0", UNTIL, "s-2"),
        record_answers.OperatorGrant,
        {"granted_by", "ended_by"},
    ),
]  # fmt: skip
"""A thing with all its fields, what is told of it, and what is not."""


@pytest.mark.parametrize(("kept", "model", "untold"), KEPT, ids=lambda value: getattr(value, "NAME", ""))
def test_all_but_what_is_internal_is_told(kept: Entity, model: type[answers.Answer], untold: set[str]) -> None:
    """Keys, revisions and counts stay in the table."""
    fields: dict[str, Any] = {**kept.fields("hq"), "pk": "PERSON#hq#p-1", "sk": "-", "v": 1, "rev": 7, "uses": 3}
    internal = {"pk", "sk", "v", "rev", "uses", "g1pk", "g1sk", "g2pk", "g2sk", *untold}

    told = model(**fields).model_dump(mode="json", exclude_none=True)

    assert told == {name: value for name, value in fields.items() if name not in internal}


def test_request_is_told_as_far_as_it_came() -> None:
    """From accepted to its end, with why."""
    operator = Operator(subject="s-1", name="grace", roles=["operator"])
    envelope = Envelope(
        v=REQUEST_VERSION, id="r", type=RequestType.PERSON_CREATE, site="hq", at=AT, operator=operator, payload={}
    )
    first = accepted(envelope).fields
    last = rejected(
        first, envelope, AT, "person_exists", "Is there.", [{"line": 3, "column": "card", "detail": "x"}]
    ).fields

    assert record_answers.Request(**first, request="r").status == "accepted"
    told = record_answers.Request(**last, request="r")
    assert (told.status, told.code, told.detail, told.problem_count) == ("rejected", "person_exists", "Is there.", 1)
    assert told.problems is not None
    assert told.problems[0].line == 3
