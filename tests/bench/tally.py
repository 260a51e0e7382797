"""What became of a device's events on the stream: how many are missing, came twice, or came out of order. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from cloud.contract.inflating import inflate
from cloud.contract.records import MAX_UNPACKED_BYTES

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Tally:
    """Of the events 1 to `count`."""

    lost: int
    duplicates: int
    inversions: int
    """Events whose first arrival came after that of a later event."""

    def __str__(self) -> str:
        return f"{self.lost:,} lost, {self.duplicates:,} twice, {self.inversions:,} out of order"


def tally(records: Iterable[bytes], count: int) -> Tally:
    """Count; a record is a packed one of ours, or one event of a client that sends them flat."""
    seen: set[int] = set()
    arrived = inversions = highest = 0
    for record in records:
        for seq in _seqs(record):
            arrived += 1
            if seq in seen:
                continue
            inversions += seq < highest
            seen.add(seq)
            highest = max(highest, seq)
    return Tally(len(set(range(1, count + 1)) - seen), arrived - len(seen), inversions)


def _seqs(record: bytes) -> Iterable[int]:
    if record.startswith(_GZIP_MAGIC):
        record = inflate(record, MAX_UNPACKED_BYTES, "record")
    document = json.loads(record)
    return (event["seq"] for event in document.get("events", [document]))
