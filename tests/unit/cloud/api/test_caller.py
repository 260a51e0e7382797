"""Who is calling, from what the gateway found in the token."""

from typing import Any

import pytest

from cloud.api.caller import caller_of, sites_of
from cloud.api.problems import Problem
from cloud.domain.roles import EVERY_SITE, Role, RoleGrant


def _event(**claims: Any) -> dict[str, Any]:
    said = {"sub": "s-1", "username": "grace", "token_use": "access", **claims}
    return {"requestContext": {"authorizer": {"jwt": {"claims": said}}}}


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        ("[guard operator]", ("guard", "operator")),
        ("[guard, operator]", ("guard", "operator")),
        ("[guard]", ("guard",)),
        ("guard", ("guard",)),
        ("[]", ()),
        ("", ()),
        (["guard", "operator"], ("guard", "operator")),
        (None, ()),
        (7, ()),
    ],
)
def test_groups_are_read_in_every_form(claim: object, groups: tuple[str, ...]) -> None:
    """HTTP APIs write a list as one text."""
    assert caller_of(_event(**{"cognito:groups": claim})).groups == groups


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"requestContext": {}},
        {"requestContext": {"authorizer": None}},
        {"requestContext": {"authorizer": {"iam": {}}}},
        _event(token_use="id"),
        _event(token_use=None),
        _event(sub=None),
        _event(sub="a/b"),
        _event(sub="x" * 65),
    ],
)
def test_call_without_a_fit_token_is_refused(event: dict[str, Any]) -> None:
    """Nobody is let in by what is missing."""
    with pytest.raises(Problem, match="401"):
        caller_of(event)


@pytest.mark.parametrize("name", ["", None, " ", "a\nb", "a\x00"])
def test_name_that_is_none_is_replaced_by_the_subject(name: str | None) -> None:
    """It goes into the envelope of requests, which takes names that can be printed."""
    assert caller_of(_event(username=name)).name == "s-1"


def test_name_is_cut_to_what_an_envelope_takes() -> None:
    """However long the identity provider lets it be."""
    assert len(caller_of(_event(username="x" * 300)).name) == 200


def test_sites_are_those_where_a_role_holds() -> None:
    """Granted, in time, and named by the identity provider."""
    grants = [
        RoleGrant("s", Role.GUARD, "a"),
        RoleGrant("s", Role.GUARD, "ended", valid_until=100),
        RoleGrant("s", Role.GUARD, "future", valid_from=200),
        RoleGrant("s", Role.AUDITOR, "not-named"),
        RoleGrant("s", Role.GUARD, EVERY_SITE),
    ]

    assert sites_of(grants, ["guard"], 150) == {"a", EVERY_SITE}
