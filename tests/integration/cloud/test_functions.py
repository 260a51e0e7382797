"""The deployed functions, each with its own role: whether they may do what they must."""

import base64
import http.client
import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from cloud.adapters.entities import EntityStore
from cloud.adapters.new_items import NewItems
from cloud.domain import keys
from cloud.domain.envelope import Envelope, Operator, object_name
from cloud.domain.keys import request as request_key
from cloud.domain.outcome import Item
from cloud.domain.payloads import RequestType
from tests.integration.cloud.conftest import Account
from tests.rigs.back_office import client_of
from tests.rigs.histories import Device
from tests.rigs.waiting import wait_for
from tests.rigs.wire import OTHER_KEY

pytestmark = pytest.mark.system

COLD_S = 60.0
"""A function's first start unpacks its layer; several do at once here, on a machine that does other things."""


def invoked(account: Account, name: str, event: dict[str, Any]) -> Any:
    answer = client_of(account.access, "lambda").invoke(
        FunctionName=f"cardea-dev-{name}", Payload=json.dumps(event).encode()
    )
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


@pytest.mark.parametrize("name", ["gaps", "snapshots"])
def test_scheduled_function_finds_what_it_looks_for(account: Account, name: str) -> None:
    """It reads the index and the secrets that its role names, and nothing is wrong."""
    assert "errorMessage" not in (invoked(account, name, {}) or {})


def test_record_that_nobody_signed_is_set_aside(account: Account) -> None:
    """From the stream through the consumer into the bucket of rejected records, as it came."""
    account.access.kinesis().put_record(
        StreamName=account.outputs["StreamName"], Data=b"not a record", PartitionKey="stranger"
    )
    s3, bucket = account.access.s3(), account.outputs["RejectedBucket"]

    def kept() -> list[dict[str, Any]]:
        names = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
        records = [json.loads(s3.get_object(Bucket=bucket, Key=name)["Body"].read()) for name in names]
        return [record for record in records if record["partition_key"] == "stranger"]

    (record,) = wait_for(kept, "the rejected record", COLD_S)
    assert (record["reason"], record["data"]) == ("unknown_device", base64.b64encode(b"not a record").decode())


def test_request_that_nobody_can_read_is_ended_by_the_router(account: Account) -> None:
    """From the bucket through topic and queue; the router's role suffices to say so in the table."""
    identifier = str(uuid4())
    put(account, object_name("hq", identifier), b"{}")
    assert ended(account, identifier)["status"] == "rejected"


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (RequestType.BUILDING_PUT, {"building": "main", "name": "Main building"}),
        (RequestType.PERSON_DEACTIVATE, {"person": "nobody"}),
    ],
)
def test_request_reaches_the_processor_of_its_family(
    account: Account, kind: RequestType, payload: dict[str, Any]
) -> None:
    """Who has no role is refused, on the record: the processor reads the object and the table, and writes its end."""
    identifier = str(uuid4())
    envelope = Envelope(
        v=1,
        id=identifier,
        type=kind,
        site="hq",
        at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        operator=Operator(subject="mallory", name="Mallory", roles=["administrator"]),
        payload=payload,
    )
    put(account, object_name("hq", identifier), envelope.to_bytes())
    assert ended(account, identifier)["status"] == "rejected"


def test_archive_gets_what_the_doors_send(account: Account) -> None:
    """Lines by site and day, through the transform and with the delivery's own role; not what somebody else sends."""
    door, forged = Device("archived-1"), Device("archived-1", key=OTHER_KEY)
    registered = {
        "device": door.name,
        "site": door.site,
        "status": "registered",
        "keys": [door.key.public_key().public_bytes_raw().hex()],
        "doors": ["lobby"],
    }
    NewItems(account.outputs["TableName"], account.access.dynamodb()).put(keys.device(door.name), registered)
    door.grant("anna")
    forged.grant("mallory")
    for sent in (forged, door):
        account.access.kinesis().put_record(
            StreamName=account.outputs["StreamName"], Data=sent.record(), PartitionKey=sent.name
        )
    s3, bucket = account.access.s3(), account.outputs["ArchiveBucket"]

    def found() -> list[str]:
        entries = s3.list_objects_v2(Bucket=bucket, Prefix="events/").get("Contents", ())
        return [entry["Key"] for entry in entries]

    (name,) = wait_for(found, "an object in the archive", COLD_S)
    assert re.match(r"events/site=hq/dt=\d{4}-\d\d-\d\d/", name)
    (line,) = s3.get_object(Bucket=bucket, Key=name)["Body"].read().decode().splitlines()
    assert json.loads(line)["person"] == "anna"


def test_api_answers_nobody_without_a_token(account: Account) -> None:
    """The gateway refuses before any function runs."""
    host = account.access.endpoint or ""
    connection = http.client.HTTPConnection(host.removeprefix("http://"), timeout=30)
    connection.request("GET", f"/_aws/execute-api/{account.outputs['ApiId']}/$default/v1/me")
    assert connection.getresponse().status == 401
    connection.close()


def put(account: Account, name: str, data: bytes) -> None:
    account.access.s3().put_object(Bucket=account.outputs["RequestsBucket"], Key=name, Body=data, IfNoneMatch="*")


def ended(account: Account, identifier: str) -> Item:
    store = EntityStore(account.outputs["TableName"], account.access.dynamodb())

    def end() -> Item | None:
        item = store.get(request_key(identifier))
        return item if item is not None and item["status"] in ("done", "rejected") else None

    found = wait_for(end, "the end of a request", COLD_S)
    assert found is not None
    return found
