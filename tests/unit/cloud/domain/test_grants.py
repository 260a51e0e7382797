"""Roles as of the time of a request."""

from typing import Any

import pytest

from cloud.contract.itemcodec import instant
from cloud.domain.envelope import Envelope, Operator
from cloud.domain.grants import as_permitted, read_grant
from cloud.domain.payloads import RequestType
from cloud.domain.roles import Role, RoleGrant
from cloud.domain.times import moment_s, moment_text
from cloud.errors import CloudError


def grant(**fields: Any) -> dict[str, Any]:
    return {"subject": "s", "role": "operator", "site": "hq", "valid_from": "2026-01-01T00:00:00Z", **fields}


def request(at: str, *roles: str) -> Envelope:
    return Envelope(
        v=1,
        id="r",
        type=RequestType.CARD_REVOKE,
        site="hq",
        at=at,
        operator=Operator(subject="s", name="N", roles=list(roles)),
        payload={},
    )


@pytest.mark.parametrize(
    ("at", "until", "held"),
    [
        ("2025-12-31T23:59:59.999Z", None, []),
        ("2026-01-01T00:00:00.000Z", None, ["operator"]),
        ("2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00Z", ["operator"]),
        ("2026-02-01T00:00:00.000Z", "2026-02-01T00:00:00Z", []),
    ],
)
def test_role_holds_from_its_beginning_to_just_before_its_end(at: str, until: str | None, held: list[str]) -> None:
    """As of the request's own time to the millisecond, with and without an end."""
    assert as_permitted(request(at, "operator"), [grant(valid_until=until)]).operator.roles == held


def test_only_what_both_the_table_and_the_identity_provider_say_holds() -> None:
    """Neither a grant alone nor a name in the token alone."""
    envelope = request("2026-06-01T00:00:00.000Z", "operator", "administrator")
    assert as_permitted(envelope, [grant(), grant(role="auditor")]).operator.roles == ["operator"]
    assert envelope.operator.roles == ["operator", "administrator"]


def test_grant_is_read_with_both_bounds_or_one() -> None:
    """Unix seconds; None: without an end."""
    start, end = instant("2026-01-01T00:00:00Z"), instant("2026-02-01T00:00:00Z")
    assert read_grant(grant()) == RoleGrant("s", Role.OPERATOR, "hq", start, None)
    assert read_grant(grant(valid_until="2026-02-01T00:00:00Z")) == RoleGrant("s", Role.OPERATOR, "hq", start, end)


@pytest.mark.parametrize("broken", [{"role": "king"}, {"valid_until": 5}, {"valid_until": "soon"}, {"valid_from": ""}])
def test_grant_that_is_not_as_it_must_be_is_no_grant_and_no_denial(broken: dict[str, Any]) -> None:
    """It is an error: a role is never guessed, nor taken away by a fault of ours."""
    with pytest.raises(CloudError):
        read_grant(grant(**broken))


def test_moment_has_milliseconds_and_comes_back() -> None:
    """Whatever the fraction; text that sorts as time does."""
    assert moment_text(1_772_352_000.25) == "2026-03-01T08:00:00.250Z"
    assert moment_text(1_772_352_000) == "2026-03-01T08:00:00.000Z"
    assert moment_s("2026-03-01T08:00:00.250Z") == 1_772_352_000.25
