"""Messages of the queues, as services send them."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.requests.messages import MessageError, StoredObject, routed, stored_objects
from tests.rigs.back_office import s3_body, sns_body

EVENTS = Path(__file__).resolve().parents[3] / "events"


def body(name: str) -> str:
    """The body of the one message of a recorded event."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    (record,) = event["Records"]
    return str(record["body"])


def test_recorded_notification_names_the_object() -> None:
    """Everything else that the services add is passed over."""
    assert stored_objects(body("router-object-created")) == [StoredObject(bucket="BUCKET", key="KEY")]


def test_recorded_test_of_the_bucket_names_none() -> None:
    """It is no error."""
    assert stored_objects(body("router-bucket-test")) == []


def test_recorded_request_is_read() -> None:
    """As the router wrote it."""
    message = routed(body("processor-request"))
    assert (message.id, message.type.value, message.key) == ("ID", "card.register", "KEY")
    assert routed(sns_body(message.text())) == message


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=3))
def test_keys_come_back_as_they_were_before_they_travelled(names: list[str]) -> None:
    """Spaces, plus signs, umlauts: all notifications of a message, in order."""
    found = stored_objects(s3_body("b", *(quote_plus(name) for name in names)))
    assert [stored.key for stored in found] == names


@pytest.mark.parametrize(
    "text",
    ["", "null", "{", "[]", '{"Message": 5}', sns_body("x"), sns_body("[]"), sns_body('{"Records": 5}'),
     sns_body('{"Records": [{"s3": {}}]}'), sns_body("{}"), sns_body('{"Event": "s3:Other"}')],
)  # fmt: skip
def test_anything_else_is_told_from_a_notification(text: str) -> None:
    """And the error does not repeat it."""
    with pytest.raises(MessageError):
        stored_objects(text)


@pytest.mark.parametrize("change", [{"type": "card.fly"}, {"id": "a b"}, {"more": 1}, {"key": None}, {"site": ""}])
def test_request_with_a_wrong_field_is_no_request(change: dict[str, Any]) -> None:
    """Each field is checked, at this hop as at every other."""
    good = json.loads(json.loads(body("processor-request"))["Message"])
    with pytest.raises(MessageError):
        routed(sns_body(json.dumps({**good, **change})))
