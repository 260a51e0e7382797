"""The sizes that the bill is made of are those of what our own code makes today."""

import gzip
import random
import uuid
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

import pytest

from cloud.contract.events import GENESIS, Event, EventType, event_id
from cloud.contract.records import pack, unpack
from cloud.cost.measured import MEASURED
from cloud.domain.archive import to_lines
from cloud.domain.intake import event_fields, event_key
from cloud.domain.times import moment_text
from tests.rigs.wire import KEY

PASSES = 400
START_S = 1_772_352_000.0
CHANCE = random.Random(7)


def passes() -> Sequence[Event]:
    """People who are let in, as a controller records it: a grant, the door opens, the door closes."""
    events: list[Event] = []
    boot = str(uuid.UUID(int=CHANCE.getrandbits(128)))
    for number in range(PASSES):
        for kind in (EventType.ACCESS_GRANTED, EventType.DOOR_OPENED, EventType.DOOR_CLOSED):
            seq = len(events) + 1
            event = Event(
                id=event_id("hq-lobby-1", 1, seq),
                device="hq-lobby-1",
                site="hq",
                epoch=1,
                seq=seq,
                prev=events[-1].chain_hash() if events else GENESIS,
                type=kind,
                at=moment_text(START_S + number * 170 + CHANCE.random()),
                clock="synced",
                boot=boot,
                mono_ms=number * 170_000 + CHANCE.randrange(1000),
                online=True,
                door="hq-lobby",
                policy=41,
            )
            if kind is EventType.ACCESS_GRANTED:
                credential = f"{CHANCE.getrandbits(128):032x}"
                event = replace(
                    event, reader="lobby-in", direction="in", reason="allowed", credential=credential,
                    person=f"p-{CHANCE.randrange(1000)}",
                )  # fmt: skip
            events.append(event)
    return events


EVENTS = passes()


def stored_bytes(event: Event) -> int:
    """As DynamoDB counts: names and values of all attributes; once more in the index of a person's events."""
    pk, sk = event_key(event)
    fields = {"pk": pk, "sk": sk, **event_fields(event, event.at, 90)}
    size = sum(len(name.encode()) + len(str(value).encode()) for name, value in fields.items())
    return size if event.person is None else 2 * size


def archived() -> bytes:
    """As the transform hands it to Firehose, which compresses an object at a time."""
    records = [unpack(pack(EVENTS[at : at + 3], KEY), None) for at in range(0, len(EVENTS), 3)]
    return b"".join(to_lines(record, record.events[0].at).data for record in records)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("event_bytes", mean(len(event.canonical()) for event in EVENTS)),
        # One and a half events to a record: half of the records hold one, half of them two.
        ("record_bytes", mean([len(pack(EVENTS[:1], KEY)), len(pack(EVENTS[:2], KEY))])),
        ("archived_bytes", len(gzip.compress(archived())) / len(EVENTS)),
        ("stored_bytes", mean(map(stored_bytes, EVENTS))),
    ],
)
def test_size_is_what_the_code_makes(name: str, made: float) -> None:
    """Within a tenth: the bill is no better than its assumptions anyway."""
    assert getattr(MEASURED, name) == pytest.approx(made, rel=0.1), f"{name} is {made:.0f}"
