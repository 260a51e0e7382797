"""The transformation for the archive, as the delivery stream calls it."""

import io
import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.adapters.aws import AwsError
from cloud.adapters.entities import EntityStore
from cloud.adapters.registered import RegisteredDevices
from cloud.domain import keys
from cloud.domain.keys import Key
from cloud.domain.outcome import Item
from cloud.domain.times import moment_s
from cloud.handlers import transform
from tests.rigs.bombs import bomb, peak_mib
from tests.rigs.histories import Device
from tests.rigs.wire import KEY, OTHER_KEY

ARRIVED_MS = int(moment_s("2026-03-01T23:59:59.500Z") * 1000)


REGISTERED: dict[str, dict[str, Any]] = {
    name: {"device": name, "site": site, "status": status, "keys": [KEY.public_key().public_bytes_raw().hex()],
           "doors": ["lobby"]}
    for name, site, status in (
        ("d-hq", "hq", "registered"), ("d-lab", "lab", "registered"), ("d-gone", "hq", "retired"),
    )
}  # fmt: skip


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the function logs."""
    (handler,) = transform.logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


def find(names: Iterable[str], *, fresh: bool = False) -> Mapping[str, Item]:
    return {name: REGISTERED[name] for name in names if name in REGISTERED}


def device(site: str, count: int, name: str | None = None, key: Ed25519PrivateKey = KEY) -> Device:
    made = Device(name or f"d-{site}", site, key=key)
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
    answer = transform.transformed(delivered(*records), "test", find)
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
    """Every record has its answer, in its place; none is dropped, and none keeps the others out."""
    records = answered(b"poison", device("hq", 1).record(), b"")
    assert [(record["recordId"], record["result"]) for record in records] == [
        ("record-0", "ProcessingFailed"),
        ("record-1", "Ok"),
        ("record-2", "ProcessingFailed"),
    ]
    assert b64decode(records[0]["data"]) == b"poison"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (device("hq", 2, "d-unknown"), "unknown_device"),
        (device("hq", 2, "d-gone"), "retired_device"),
        (device("hq", 2, key=OTHER_KEY), "bad_signature"),
        (device("lab", 2, "d-hq"), "other_site"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_registered_controller_signed_is_no_line(made: Device, why: str, log: io.StringIO) -> None:
    """Kept as it came, beside the archive and not in it: nobody writes another door's history."""
    forged = made.record()
    records = answered(forged, device("hq", 1).record())
    assert [record["result"] for record in records] == ["ProcessingFailed", "Ok"]
    assert b64decode(records[0]["data"]) == forged
    assert f'"reason":"{why}"' in log.getvalue()


def test_bombs_fill_no_memory_and_keep_no_record_out(log: io.StringIO) -> None:
    """However many strangers' records are opened, what was made of one is gone before the next."""
    bombs = [bomb("d-hq")] * 100
    records, mib = peak_mib(lambda: answered(*bombs, device("hq", 1).record()))
    assert [record["result"] for record in records] == ["ProcessingFailed"] * 100 + ["Ok"]
    assert log.getvalue().count('"reason":"bad_signature"') == 100
    assert mib < 32


def test_event_about_a_door_of_others_is_no_line() -> None:
    """A controller tells of its own doors."""
    made = Device("d-hq", "hq")
    made.add(door="vault")
    assert [record["result"] for record in answered(made.record())] == ["ProcessingFailed"]


def remembering(table: Mapping[str, Item]) -> tuple[RegisteredDevices, list[list[str]]]:
    """The registered controllers as the function remembers them, and what it asks the table for."""
    asked: list[list[str]] = []

    class Table:
        def get_many(self, wanted: Iterable[Key]) -> dict[Key, Item | None]:
            asked.append(sorted(key[0].removeprefix("DEVICE#") for key in wanted))
            return {keys.device(name): table.get(name) for name in asked[-1]}

    return RegisteredDevices(cast("EntityStore", Table())), asked


def test_keys_and_doors_count_as_soon_as_they_are_registered() -> None:
    """What is remembered of a controller takes no record out of the archive for good."""
    table: dict[str, Item] = {"d-hq": dict(REGISTERED["d-hq"]), "d-lab": REGISTERED["d-lab"]}
    devices, asked = remembering(table)
    transform.transformed(delivered(device("hq", 1).record()), "test", devices.find)
    key = OTHER_KEY.public_key().public_bytes_raw().hex()
    table["d-hq"] = {**REGISTERED["d-hq"], "keys": [*REGISTERED["d-hq"]["keys"], key], "doors": ["lobby", "vault"]}
    vault = Device("d-hq", "hq")
    vault.add(door="vault")
    batch = [device("hq", 1, key=OTHER_KEY).record(), device("lab", 1).record(), vault.record()]
    answer = transform.transformed(delivered(*batch), "test", devices.find)
    assert [record["result"] for record in answer["records"]] == ["Ok"] * 3
    assert asked == [["d-hq"], ["d-lab"], ["d-hq"]]


def test_strangers_make_nobody_read_without_end() -> None:
    """Once for each controller that they pose as, and delivery."""
    table: dict[str, Item] = {**REGISTERED}
    devices, asked = remembering(table)
    forged = [device("hq", 1, key=OTHER_KEY).record(), device("lab", 1, key=OTHER_KEY).record()]
    answer = transform.transformed(delivered(*forged * 20, device("hq", 1).record()), "test", devices.find)
    assert [record["result"] for record in answer["records"]] == ["ProcessingFailed"] * 40 + ["Ok"]
    assert asked == [["d-hq", "d-lab"], ["d-hq"], ["d-lab"]]


def test_controller_that_is_registered_no_longer_is_unknown(log: io.StringIO) -> None:
    """Once it was asked for anew, what was remembered of it counts no more."""
    table: dict[str, Item] = {"d-hq": REGISTERED["d-hq"]}
    devices, _ = remembering(table)
    transform.transformed(delivered(device("hq", 1).record()), "test", devices.find)
    table.clear()
    batch = [device("hq", 1, key=OTHER_KEY).record(), device("hq", 1).record()]
    answer = transform.transformed(delivered(*batch), "test", devices.find)
    assert [record["result"] for record in answer["records"]] == ["ProcessingFailed"] * 2
    assert log.getvalue().count('"reason":"unknown_device"') == 2


def test_fault_of_our_own_costs_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbours are archived all the same."""
    monkeypatch.setitem(REGISTERED, "d-lab", {**REGISTERED["d-lab"], "keys": ["no key"]})
    records = answered(device("lab", 1).record(), device("hq", 1).record())
    assert [record["result"] for record in records] == ["ProcessingFailed", "Ok"]


def test_table_that_can_not_be_read_stops_the_delivery() -> None:
    """So that the service tries again: no record is taken for one of nobody."""

    def refuses(names: Iterable[str], *, fresh: bool = False) -> Mapping[str, Item]:
        raise AwsError("throttled", "ThrottlingException")

    with pytest.raises(AwsError):
        transform.transformed(delivered(device("hq", 1).record()), "test", refuses)


def test_answer_stays_below_what_a_function_may_say() -> None:
    """Compressed records grow: those that no longer fit are kept as they came, and the answer is still one."""
    data = device("hq", 200).record()
    records = answered(*[data] * 60)
    results = [record["result"] for record in records]
    assert results == sorted(results)
    assert set(results) == {"Ok", "ProcessingFailed"}
    assert b64decode(records[-1]["data"]) == data
    assert sum(len(record["data"]) for record in records) <= transform.MAX_ANSWER_BYTES
