"""Bodies of calls: what is read, and how the faults of the rest are told."""

import base64
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloud.api.bodies import MAX_FAULTS, checked, merged, read_body, refuse_body
from cloud.api.problems import Problem
from cloud.domain.payloads import RequestType

JSON = {"content-type": "application/json"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _event(body: str | None, *, base: bool = False, headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {"body": body, "isBase64Encoded": base, "headers": JSON if headers is None else headers}


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=UTF-8", ' application/json;charset="utf-8" ']
)
def test_json_is_read(content_type: str) -> None:
    """With or without its character set, as text or as Base64."""
    headers = {"content-type": content_type}
    packed = base64.b64encode(b'{"a": 1}').decode()

    assert read_body(_event('{"a": 1}', headers=headers), 100) == {"a": 1}
    assert read_body(_event(packed, base=True, headers=headers), 100) == {"a": 1}


def test_nothing_is_an_empty_object_of_any_type() -> None:
    """A verb without a note needs no body."""
    assert read_body(_event(None, headers={}), 100) == {}
    assert read_body({}, 100) == {}


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (_event("{"), "body-malformed"),
        (_event("1"), "body-malformed"),
        (_event("\ud800"), "body-malformed"),
        (_event("***", base=True), "body-malformed"),
        (_event("{}", headers={}), "media-type-unsupported"),
        (_event("{}", headers={"content-type": "application/json; charset=utf-16"}), "media-type-unsupported"),
        (_event("{}" + " " * 100), "body-too-large"),
        (_event("ä" * 51), "body-too-large"),
    ],
)
def test_anything_else_is_refused(event: dict[str, Any], kind: str) -> None:
    """By its kind; length counts in bytes."""
    with pytest.raises(Problem) as refused:
        read_body(event, 100)

    assert refused.value.kind == kind


def test_body_where_none_belongs_is_refused() -> None:
    """Rather than overlooked."""
    refuse_body(_event(None))
    with pytest.raises(Problem):
        refuse_body(_event("{}"))


def test_what_the_path_says_may_not_be_said_again() -> None:
    """Not even the same."""
    assert merged({"note": "x"}, {"card": "c"}) == {"note": "x", "card": "c"}
    with pytest.raises(Problem) as refused:
        merged({"card": "c"}, {"card": "c"})
    assert [fault.pointer for fault in refused.value.faults] == ["/card"]


def with_secrets(value: Any, secret: str) -> Any:
    """The same with the secret in the place of every null, and as a key in that of every true."""
    match value:
        case None:
            return secret
        case True:
            return {secret: 1}
        case dict():
            return {key: with_secrets(each, secret) for key, each in value.items()}
        case list():
            return [with_secrets(each, secret) for each in value]
        case _:
            return value


@given(kind=st.sampled_from(RequestType), body=st.dictionaries(st.text(max_size=12), VALUES, max_size=4))
@example(kind=RequestType.PERSON_CREATE, body={"null": None})
def test_faults_never_hold_what_was_sent(kind: RequestType, body: dict[str, Any]) -> None:
    """Whatever it is: a number of a card may stand in any field."""
    secret = "04A224B2C35E80"

    try:
        checked(kind, {**with_secrets(body, secret), secret: secret, "note": secret * 40})
    except Problem as refused:
        told = refused.document("r").model_dump_json()
        assert secret not in told
    else:
        pytest.fail("a field that is not known was taken")


def test_many_faults_are_told_in_part() -> None:
    """An import of nonsense has thousands."""
    rows = [{"line": 0, "person": "?", "name": ""}] * 1000

    with pytest.raises(Problem) as refused:
        checked(RequestType.PEOPLE_IMPORT, {"rows": rows})

    assert len(refused.value.faults) == MAX_FAULTS + 1
    assert refused.value.faults[-1].detail == f"{3000 - MAX_FAULTS} more like these"
