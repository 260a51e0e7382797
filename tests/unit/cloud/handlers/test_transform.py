"""The transformation for the archive, as the delivery stream calls it."""

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from cloud.domain.times import moment_s
from cloud.handlers import transform
from tests.rigs.histories import Device

ARRIVED_MS = int(moment_s("2026-03-01T23:59:59.500Z") * 1000)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stack tells the function."""
    monkeypatch.setenv("CARDEA_ENVIRONMENT", "test")


def device(site: str, count: int) -> Device:
    made = Device("d-1", site)
    made.many(count)
    return made


def delivered(*records: bytes) -> dict[str, Any]:
    """What the service hands over."""
    return {
        "invocationId": "6a1f0b1e-0000-4000-8000-000000000000",
        "deliveryStreamArn": "arn:aws:firehose:eu-central-1:123456789012:deliverystream/cardea-dev",
        "region": "eu-central-1",
        "records": [
            {
                "recordId": f"record-{number}",
                "approximateArrivalTimestamp": ARRIVED_MS,
                "data": b64encode(data).decode("ascii"),
            }
            for number, data in enumerate(records)
        ],
    }


def answered(*records: bytes) -> list[dict[str, Any]]:
    answer = transform.handler(delivered(*records), None)
    parsed: list[dict[str, Any]] = json.loads(json.dumps(answer))["records"]
    return parsed


def test_each_record_becomes_lines_in_the_partition_of_its_site_and_day() -> None:
    """The lines of all records that a file is made of can be read one by one."""
    records = answered(device("hq", 3).record(), device("lab", 2).record())
    assert [record["result"] for record in records] == ["Ok", "Ok"]
    assert [record["metadata"]["partitionKeys"] for record in records] == [
        {"site": "hq", "dt": "2026-03-01"},
        {"site": "lab", "dt": "2026-03-01"},
    ]
    lines = b"".join(b64decode(record["data"]) for record in records).splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 1, 2]


def test_what_can_not_be_read_is_kept_as_it_came() -> None:
    """Every record has its answer, in its place; none is dropped."""
    records = answered(b"poison", device("hq", 1).record(), b"")
    assert [(record["recordId"], record["result"]) for record in records] == [
        ("record-0", "ProcessingFailed"),
        ("record-1", "Ok"),
        ("record-2", "ProcessingFailed"),
    ]
    assert b64decode(records[0]["data"]) == b"poison"


def test_answer_stays_below_what_a_function_may_say() -> None:
    """Compressed records grow: those that no longer fit are kept as they came, and the answer is still one."""
    data = device("hq", 200).record()
    records = answered(*[data] * 60)
    results = [record["result"] for record in records]
    assert results == sorted(results)
    assert set(results) == {"Ok", "ProcessingFailed"}
    assert b64decode(records[-1]["data"]) == data
    assert sum(len(record["data"]) for record in records) <= transform.MAX_ANSWER_BYTES
