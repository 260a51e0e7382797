"""The consumer of the stream: processor time and write units per event, beside bare writes of the same event items.

The account is the local AWS in a process of its own, so the processor time of this one is that of the function. Write
units are what that account says that the requests consumed, by the rules of the service: size of the item in whole
KiB, in the table and again in each index that it is in.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from cloud.adapters.aws import AwsAccess
from cloud.adapters.entities import key_attributes, to_attributes
from cloud.contract.events import Event, EventType
from cloud.domain.intake import Arrival, event_fields, event_key
from cloud.local.server import LocalAws
from tests.bench.context import Context
from tests.bench.result import Better, Figure, Measure, Row, measure
from tests.rigs.broken_calls import Breaker, BrokenAccess
from tests.rigs.consumption import FastPath, fast_path
from tests.rigs.histories import Device

_PEOPLE: Final = 200
_DOORS: Final = 10
_BATCH: Final = 100
"""Records that the function is handed at once."""
_WRITES: Final = 25
"""Most items of one BatchWriteItem."""


class _Meter(Breaker):
    """Breaks nothing; asks what each request consumed, and adds it up."""

    units = 0.0

    def attach(self, client: Any) -> Any:
        if client.meta.service_model.service_name == "dynamodb":
            for operation in ("PutItem", "UpdateItem", "BatchWriteItem"):
                client.meta.events.register(f"provide-client-params.dynamodb.{operation}", _ask)
                client.meta.events.register(f"after-call.dynamodb.{operation}", self._add)
        return client

    def _add(self, parsed: Mapping[str, Any], **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", ())
        self.units += sum(each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed]))


def _ask(params: dict[str, Any], **_: Any) -> None:
    params["ReturnConsumedCapacity"] = "TOTAL"


@dataclass(frozen=True, slots=True)
class _Run:
    """What taking so many events took."""

    events: int
    used_s: float
    units: float


@dataclass(frozen=True, slots=True)
class _Load:
    """What doors send."""

    what: str
    devices: Sequence[Device]
    batches: Sequence[Sequence[Arrival]]

    @property
    def events(self) -> list[Event]:
        return [event for device in self.devices for event in device.events]


def run(context: Context) -> Sequence[Row]:
    """A backlog, whose records are full, and what happens now, where each event is a record of its own."""
    rows: list[Row] = []
    with LocalAws(context.folder()) as aws:
        for make, events in ((_backlog, context.rounds(6_000, 600)), (_live, context.rounds(3_000, 300))):
            ours: list[_Run] = []
            bare: list[_Run] = []
            for _ in range(context.rounds(3, 1)):
                load = make(events)
                with _place(aws, load) as path:
                    ours.append(_take(path, load))
                with _place(aws, load) as path:
                    bare.append(_write(path, load))
            rows += _rows(load.what, ours, bare)
    return rows


def _rows(what: str, ours: Sequence[_Run], bare: Sequence[_Run]) -> list[Row]:
    words = "bare BatchWriteItem of the same events"
    return [
        Row(_rate(f"{what}: events taken by one core", ours), _rate(words, bare)),
        Row(_units(f"{what}: write units of an event", ours), _units(words, bare)),
    ]


def _rate(what: str, runs: Sequence[_Run]) -> Measure:
    return measure(what, "events/s", [run.events / run.used_s for run in runs], Better.MORE)


def _units(what: str, runs: Sequence[_Run]) -> Measure:
    return measure(what, "units", [run.units / run.events for run in runs])


def _backlog(count: int) -> _Load:
    """One door was cut off: records of 200 events, as many as the function is handed at once."""
    device = Device("d-0")
    _passages(device, "door-0", count // 3)
    arrivals = [
        _arrival(device, device.record(first, min(first + 199, len(device.events))))
        for first in range(1, len(device.events) + 1, 200)
    ]
    return _Load("a backlog", [device], _batched(arrivals))


def _live(count: int) -> _Load:
    """Ten doors in use: each event is a record, and they come mixed."""
    devices = [Device(f"d-{number}") for number in range(_DOORS)]
    for number, device in enumerate(devices):
        _passages(device, f"door-{number}", count // 3 // _DOORS)
    each = [[_arrival(device, data) for data in device.singles()] for device in devices]
    return _Load(
        "what happens now", devices, _batched([arrival for turn in zip(*each, strict=True) for arrival in turn])
    )


def _passages(device: Device, door: str, count: int) -> None:
    """People who are let in and out: a grant, and the door opens and closes."""
    for number in range(count):
        person = f"person-{(number // 2 * 7) % _PEOPLE}"
        device.grant(person, "out" if number % 2 else "in", door=door)
        device.add(EventType.DOOR_OPENED, door=door)
        device.add(EventType.DOOR_CLOSED, door=door)


_number = iter(range(1, 1 << 60))


def _arrival(device: Device, data: bytes) -> Arrival:
    at = device.events[-1].at
    return Arrival("shardId-000000000000", f"{next(_number):020d}", device.name, data, at)


def _batched(arrivals: Sequence[Arrival]) -> list[Sequence[Arrival]]:
    return [arrivals[start : start + _BATCH] for start in range(0, len(arrivals), _BATCH)]


@contextmanager
def _place(aws: LocalAws, load: _Load) -> Iterator[FastPath]:
    with fast_path(aws) as path:
        path.build_site(doors=[f"door-{number}" for number in range(_DOORS)])
        for number, device in enumerate(load.devices):
            path.register(device, (f"door-{number}",))
        yield path


def _take(path: FastPath, load: _Load) -> _Run:
    meter = _Meter()
    consumption = path.consumption(BrokenAccess(path.access, meter))
    start_s = time.process_time()
    counted = [consumption.take(batch).counts.events for batch in load.batches]
    return _Run(sum(counted), time.process_time() - start_s, meter.units)


def _write(path: FastPath, load: _Load) -> _Run:
    """The same items, made beforehand, by nothing but the requests."""
    meter = _Meter()
    access: AwsAccess = BrokenAccess(path.access, meter)
    dynamodb, table = access.dynamodb(), path.variables["CARDEA_TABLE"]
    items = [
        {**key_attributes(event_key(event)), **to_attributes(event_fields(event, event.at, 400))}
        for event in load.events
    ]
    requests: list[Any] = [{"PutRequest": {"Item": item}} for item in items]
    start_s = time.process_time()
    for start in range(0, len(requests), _WRITES):
        dynamodb.batch_write_item(RequestItems={table: requests[start : start + _WRITES]})
    return _Run(len(items), time.process_time() - start_s, meter.units)


FIGURE = Figure("consumer", "Taking events off the stream", run)
