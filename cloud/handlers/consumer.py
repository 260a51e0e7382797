"""Lambda: takes the doors' records off the stream. Must never log a person, a card or what a record holds."""

import base64
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cloud.adapters.aws import AwsAccess
from cloud.adapters.consumption import Consumption, Taken
from cloud.adapters.consumption_outlets import AlarmTopic, RejectedRecords
from cloud.adapters.consumption_store import ConsumptionStore
from cloud.adapters.entities import EntityStore
from cloud.domain.delays import arrival_text
from cloud.domain.intake import Arrival

KEEP_DAYS: Final = 400
"""More than a year, so that this month can be compared with the same one of the year before."""

logger = Logger(service="consumer")
metrics = Metrics(namespace="Cardea", service="consumer")


@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> PartialItemFailureResponse:
    """Answers with the first record that must come again; the service then repeats it and all after it."""
    arrivals = [_arrival(record) for record in KinesisStreamEvent(event).records]
    taken = _consumption().take(arrivals)
    _report(taken)
    if taken.first_left is None:
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": taken.first_left.sequence}]}


def build(environment: Mapping[str, str], access: AwsAccess) -> Consumption:
    """The consumer of an environment; raises KeyError for a variable that is missing, AwsError."""
    table, dynamodb = environment["CARDEA_TABLE"], access.dynamodb()
    return Consumption(
        EntityStore(table, dynamodb),
        ConsumptionStore(table, dynamodb),
        RejectedRecords(environment["CARDEA_REJECTED_BUCKET"], access.s3()),
        AlarmTopic(environment["CARDEA_ALARMS_TOPIC"], access.sns()),
        keep_days=int(environment.get("CARDEA_EVENT_DAYS", KEEP_DAYS)),
    )


@cache
def _consumption() -> Consumption:
    return build(os.environ, AwsAccess())


def _arrival(record: KinesisStreamRecord) -> Arrival:
    # An event id is the shard and the sequence number: shardId-000000000000:4957...
    shard, _, sequence = record.event_id.partition(":")
    return Arrival(
        shard=shard,
        sequence=sequence,
        device=record.kinesis.partition_key,
        data=base64.b64decode(record.kinesis.data),
        arrived_at=arrival_text(record.kinesis.approximate_arrival_timestamp),
    )


def _report(taken: Taken) -> None:
    counts = taken.counts
    values = {
        "events": counts.events,
        "duplicates": counts.duplicates,
        "rejected": counts.rejected,
        "holes": counts.holes,
        "chain_breaks": counts.chain_breaks,
        "alarms": counts.alarms,
        **{f"late_{delay.value}": number for delay, number in counts.late.items()},
    }
    for name, value in values.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    for rejected in taken.rejected:
        logger.warning("record.rejected", record=rejected.name, reason=rejected.reason.value, kept_as=rejected.kept_as)
    if taken.first_left is not None:
        logger.error("batch.interrupted", record=taken.first_left.name, fault=str(taken.fault))
    logger.info("batch.taken", extra={"done": len(taken.done), **values})
