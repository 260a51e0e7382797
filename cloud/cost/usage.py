"""How much of each priced thing a fleet uses in a month. Pure arithmetic over named assumptions and measured units."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DAYS: Final = 30.4
_HOURS: Final = DAYS * 24
_SECONDS: Final = _HOURS * 3600
_GB: Final = 1e9
_FIREHOSE_STEP: Final = 5_000
_PAYLOAD_UNIT: Final = 25_000


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is to be paid for. A controller has one door here."""

    doors: int
    events_per_day: int
    """Of each door."""
    sites: int = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What our own code was seen to use. Milliseconds are those of one whole processor."""

    event_bytes: int
    """In its canonical form: a grant, an opening and a closing, on average."""
    record_bytes: int
    """Of a packed record with one or two of them."""
    archived_bytes: int
    """Of an event in the archive, compressed."""
    stored_bytes: int
    """Of an event's item in the table, with its copy in the index of a person's events where there is one."""
    event_write_units: float
    """Of the table for an event and whom it moves, indexes included."""
    record_write_units: float
    """Beside those of its events: what has arrived of its controller."""
    record_read_units: float
    event_ms: float
    """Of the consumer."""
    call_ms: float
    """Of the consumer, however many records it is handed."""
    transform_ms: float
    """Of the transform, per event."""
    change_write_units: float
    """Of the table for a change of the back office."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """What depends on the site, and what AWS does by itself."""

    events_per_record: float = 1.5
    """A tap is three or four events within seconds; each record takes what waited for the one before."""
    peak: float = 6.0
    """The busiest minute beside the mean: shards are for that one."""
    poll_s: float = 60.0
    """How often a controller looks for a newer list; each look is one consistent read of 4 KB."""
    registry_s: float = 60.0
    """How long the transform remembers a controller; each look at one is one consistent read of 4 KB."""
    changes_per_day: float = 20.0
    """Of a site: cards issued, people who came or left."""
    api_requests_per_change: float = 6.0
    """The change, and looks at how far it is."""
    snapshots_per_month: float = 1.0
    """Of a controller: a whole list after a repair or a long outage."""
    snapshot_bytes: int = 500_000
    """Of a list with 10,000 cards."""
    staff: int = 10
    event_days: int = 90
    """Until an event leaves the table."""
    archive_days: int = 400
    change_ms: float = 150.0
    """Of all functions together, per change, waits included."""
    processor_gb: float = 1.769
    """Memory that comes with one whole processor: a function with less works longer, for the same GB seconds."""
    log_bytes_per_call: int = 700
    queues: int = 8
    polls_per_queue_s: float = 5 / 20
    """Lambda looks at a queue with five long polls of 20 s at a time, also when nothing comes."""
    batch_window_s: float = 1.0
    """A shard's consumer is called at most this often."""
    buffer_s: float = 300.0
    """Firehose makes an object of a site this often."""
    alarms: int = 44
    metrics: int = 40
    """Of our own: nine of the consumer, some of each other function, four of each family of requests."""
    key_requests_per_hour: float = 300.0
    """Data keys are used for five minutes by each service that encrypts."""


def monthly(fleet: Fleet, measured: Measured, assumed: Assumed) -> Mapping[str, float]:
    """Units of each price in a month."""
    events = fleet.doors * fleet.events_per_day * DAYS
    records = events / assumed.events_per_record
    changes = fleet.sites * assumed.changes_per_day * DAYS
    shards = _shards(records, measured, assumed)
    consumed = min(records, shards * _SECONDS / assumed.batch_window_s)
    flushes = fleet.sites * _SECONDS / assumed.buffer_s
    firehose = records * _rounded_up(measured.record_bytes, _FIREHOSE_STEP) / _GB
    scheduled = _SECONDS / 60 + fleet.sites * _SECONDS / 300
    calls = consumed + min(records, flushes) + 4 * changes + assumed.api_requests_per_change * changes + scheduled
    polls = fleet.doors * _SECONDS / assumed.poll_s
    looks = min(records, fleet.doors * _SECONDS / assumed.registry_s)
    consumer_ms = events * measured.event_ms + consumed * measured.call_ms
    busy_s = (consumer_ms + events * measured.transform_ms + changes * assumed.change_ms) / 1000
    archived = fleet.doors * fleet.events_per_day * assumed.archive_days * measured.archived_bytes
    stored = fleet.doors * fleet.events_per_day * assumed.event_days * measured.stored_bytes
    return {
        "shard": shards * _HOURS,
        "shard_retention": shards * _HOURS,
        "put_payload": records * math.ceil(measured.record_bytes / _PAYLOAD_UNIT),
        "firehose_gb": firehose,
        "firehose_partition_gb": events * measured.event_bytes / _GB,
        "firehose_objects": min(records, flushes),
        "write_units": events * measured.event_write_units
        + records * measured.record_write_units
        + changes * measured.change_write_units,
        "read_units": records * measured.record_read_units + polls + looks,
        "table_gb": stored / _GB,
        "table_recovery_gb": stored / _GB,
        "invocations": calls,
        "gb_seconds": busy_s * assumed.processor_gb,
        "bucket_gb": archived / _GB,
        "bucket_puts": min(records, flushes) + changes,
        "bucket_gets": 2 * changes + fleet.doors * assumed.snapshots_per_month,
        "egress_gb": fleet.doors * assumed.snapshots_per_month * assumed.snapshot_bytes / _GB,
        "queue_requests": assumed.queues * assumed.polls_per_queue_s * _SECONDS + 6 * changes,
        "topic_publishes": 2 * changes,
        "api_requests": assumed.api_requests_per_change * changes,
        "log_gb": calls * assumed.log_bytes_per_call / _GB,
        "alarms": assumed.alarms,
        "metrics": assumed.metrics,
        "dashboards": 1,
        "keys": 1,
        "key_requests": assumed.key_requests_per_hour * _HOURS,
        "secrets": 2 * fleet.sites + 1,
        "secret_calls": calls / 100,
        "users": assumed.staff,
    }


def _shards(records: float, measured: Measured, assumed: Assumed) -> int:
    """A shard takes 1,000 records and 1 MB a second."""
    peak = records / _SECONDS * assumed.peak
    return max(1, math.ceil(peak / 1000), math.ceil(peak * measured.record_bytes / 1e6))


def _rounded_up(size: int, step: int) -> int:
    return math.ceil(size / step) * step
