"""From what the bucket tells to the topic of a family, with events as the services send them (tests/events)."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from cloud.domain.envelope import MAX_REQUEST_BYTES, object_name
from cloud.domain.payloads import RequestType
from cloud.domain.routes import Family, family
from cloud.handlers import processor, router
from cloud.requests.messages import routed
from tests.integration.cloud.requests.test_processing import STEPS
from tests.rigs.back_office import Context, Office, Offices, card_id, failures, s3_body, sns_body, sqs_record

pytestmark = pytest.mark.system

EVENTS = Path(__file__).resolve().parents[3] / "events"
NEW_CARD = {"cards": [{"card": card_id(1)}]}


def recorded(name: str, **values: str) -> Any:
    """An event of the folder, with names of this test in the places that are in capitals."""
    text = (EVENTS / f"{name}.json").read_text(encoding="utf-8")
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return json.loads(text)


@pytest.fixture(autouse=True)
def _nothing_published(environment: Offices) -> None:
    environment.published()


def test_recorded_notification_leads_to_the_topic_and_its_message_to_the_effect(office: Office) -> None:
    """The whole way, by the environment variables of the functions' stacks."""
    envelope = office.ask("card.register", NEW_CARD)
    key, bucket = object_name(office.site, envelope.id), office.offices.requests_bucket
    route = router.assemble(office.offices.environ(), office.offices.access)
    assert route(recorded("router-object-created", BUCKET=bucket, KEY=quote_plus(key)), Context()) == {
        "batchItemFailures": []
    }
    (record,) = office.offices.published(least=1)
    told = json.loads(json.loads(record["body"])["Message"])
    assert told == {"bucket": bucket, "key": key, "id": envelope.id, "type": "card.register", "site": office.site}
    process = processor.assemble(office.offices.environ(Family.CARDS), office.offices.access)
    event = recorded("processor-request", BUCKET=bucket, KEY=key, ID=envelope.id, SITE=office.site)
    assert process(event, Context()) == {"batchItemFailures": []}
    assert office.status(envelope)["status"] == "done"


def test_test_event_of_the_bucket_is_acknowledged(office: Office) -> None:
    """The bucket sends one when it is set up: it is neither a request nor poison."""
    route = router.assemble(office.offices.environ(), office.offices.access)
    event = recorded("router-bucket-test", BUCKET=office.offices.requests_bucket)
    assert route(event, Context()) == {"batchItemFailures": []}
    assert office.offices.published() == []


def test_every_type_reaches_the_topic_of_its_family(office: Office) -> None:
    """Whatever came before it in the batch."""
    payloads = dict(STEPS)
    payloads |= {
        "device.register": {"device": "d", "keys": ["ab" * 32]},
        "permission.end": {"person": "p", "permission": "x"},
        "operator.end": {"subject": "op", "grant": "x"},
    }
    asked = {office.ask(kind, payloads[kind]).id: kind for kind in RequestType}
    names = [object_name(office.site, identifier) for identifier in asked]
    assert office.route(*(sqs_record(s3_body(office.offices.requests_bucket, name)) for name in names)) == set()
    messages = [
        (json.loads(record["body"])["TopicArn"], routed(record["body"]))
        for record in office.offices.published(least=len(asked))
    ]
    assert {message.id: message.type for _, message in messages} == asked
    for topic, message in messages:
        assert topic == f"{office.offices.topic_prefix}{family(message.type).value}"


def test_key_is_decoded_as_it_was_encoded(office: Office) -> None:
    """Colons and the like come escaped; the object is found all the same."""
    envelope = office.ask("card.register", NEW_CARD).model_copy(update={"id": "a:b.c"})
    key = object_name(office.site, envelope.id)
    office.store(key, envelope.to_bytes())
    assert quote_plus(key) != key
    assert office.route(sqs_record(s3_body(office.offices.requests_bucket, quote_plus(key)))) == set()
    (record,) = office.offices.published(least=1)
    assert routed(record["body"]).key == key


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff", b"[1]", b'{"v":1}', b'{"v":9,"id":"x"}', b"x" * (MAX_REQUEST_BYTES + 1),
        pytest.param(b'{"a":' * 50_000, id="deep"),
    ],
    ids=lambda data: repr(data[:8]),
)  # fmt: skip
def test_unreadable_object_ends_in_a_recorded_state(office: Office, data: bytes) -> None:
    """It is acknowledged, its status says so, the audit keeps it, and nothing is published; again: nothing more."""
    key = object_name(office.site, "req-1")
    office.store(key, data)
    record = sqs_record(s3_body(office.offices.requests_bucket, key))
    assert office.route(record, record) == set()
    item = office.entities.get(("REQUEST#req-1", "-"))
    assert item is not None
    office.offices.dynamodb.delete_item(
        TableName=office.offices.table, Key={"pk": {"S": "REQUEST#req-1"}, "sk": {"S": "-"}}
    )
    assert (item["status"], item["code"], item["site"]) == ("rejected", "unreadable", office.site)
    entries = office.entities.query_all(None, f"AUDIT#{office.site}#{item['at'][:7]}")
    assert [(entry["request"], entry["code"]) for entry in entries] == [("req-1", "unreadable")]
    assert office.offices.published() == []


def test_object_in_the_place_of_another_is_not_carried_out(office: Office) -> None:
    """A request copied under another key, or to another site, is unreadable there; the first is untouched."""
    envelope = office.ask("card.register", NEW_CARD)
    copied = object_name(office.site, "copied-1")
    office.store(copied, envelope.to_bytes())
    assert office.route(sqs_record(s3_body(office.offices.requests_bucket, copied))) == set()
    item = office.entities.get(("REQUEST#copied-1", "-"))
    assert item is not None
    assert item["code"] == "unreadable"
    assert office.entities.get((f"REQUEST#{envelope.id}", "-")) is None


def test_object_that_is_under_no_request_key_is_told_and_acknowledged(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no status to write it to: the log and the count of unreadable objects tell."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "router-told")
    office.store("requests/stray", b"{}")
    assert office.route(sqs_record(s3_body(office.offices.requests_bucket, "requests/stray"))) == set()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["code"] for line in lines if line.get("message") == "request.unreadable"] == ["not_a_request"]
    assert [line["requests_unreadable"] for line in lines if "_aws" in line] == [[1.0]]


def test_technical_fault_and_poison_come_back_and_the_others_go_on(office: Office) -> None:
    """A missing object and messages that are not ours are named; the good one between them is published."""
    envelope = office.ask("card.register", NEW_CARD)
    bucket = office.offices.requests_bucket
    good = sqs_record(s3_body(bucket, object_name(office.site, envelope.id)))
    bad = [
        sqs_record(s3_body(bucket, object_name(office.site, "missing"))),
        sqs_record("{"),
        sqs_record(sns_body("{}")),
        sqs_record(sns_body('{"Event": "other"}')),
        sqs_record(s3_body("another-bucket", object_name(office.site, envelope.id))),
    ]
    assert office.route(*bad[:2], good, *bad[2:]) == {record["messageId"] for record in bad}
    assert [routed(record["body"]).id for record in office.offices.published(least=1)] == [envelope.id]


def test_topic_that_does_not_answer_is_no_acknowledgement(office: Office) -> None:
    """What was not published for certain is delivered again."""
    envelope = office.ask("card.register", NEW_CARD)
    environ = {**office.offices.environ(), "CARDEA_TOPIC_PREFIX": f"{office.offices.topic_prefix}none-"}
    function = router.assemble(environ, office.offices.access)
    record = sqs_record(s3_body(office.offices.requests_bucket, object_name(office.site, envelope.id)))
    assert failures(function({"Records": [record]}, Context())) == {record["messageId"]}
