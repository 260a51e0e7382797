"""What goes into the archive: a packed record as lines, one event each, so that every reader of JSON lines can."""

from dataclasses import dataclass

from cloud.contract.canonical import canonical_bytes
from cloud.contract.records import Record
from cloud.domain.delays import delay_of


@dataclass(frozen=True, slots=True)
class Lines:
    """The events of a record, and where in the archive they belong."""

    site: str
    day: str
    """Of arrival, so that a partition is complete once its day is over."""
    data: bytes
    """JSON objects, a line feed after each."""


def to_lines(record: Record, arrived_at: str) -> Lines:
    """The lines of a record that is believed: in a line nothing tells who signed it."""
    lines = [
        canonical_bytes({**event.to_json(), "arrived_at": arrived_at, "delay": delay_of(event.at, arrived_at).value})
        for event in record.events
    ]
    return Lines(record.events[0].site, arrived_at[:10], b"\n".join(lines) + b"\n")
