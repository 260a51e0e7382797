"""The function `consumer`: takes the doors' records off the stream. Must never log a person, a card or a record."""

import base64
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord

from cloud.adapters.aws import AwsAccess
from cloud.adapters.consumption import Consumption, Taken
from cloud.adapters.consumption_outlets import AlarmTopic, RejectedRecords
from cloud.adapters.consumption_store import ConsumptionStore
from cloud.adapters.entities import EntityStore
from cloud.domain.gathering import Counts
from cloud.domain.intake import Arrival
from cloud.domain.times import moment_text
from cloud.handlers.counts import tell_counts
from cloud.handlers.settings import variable

KEEP_DAYS: Final = 90
"""A quarter: what is older is in the archive, where keeping it costs a tenth."""
Function = Callable[[dict[str, Any]], PartialItemFailureResponse]


def handler(event: dict[str, Any], _context: Any) -> PartialItemFailureResponse:
    """Names the first record that must come again; the service then repeats it and all after it."""
    return _function()(event)


def consumption(environ: Mapping[str, str], access: AwsAccess) -> Consumption:
    """The consumer of an environment; raises CloudError for a variable that is missing."""
    table, dynamodb = variable(environ, "TABLE"), access.dynamodb()
    return Consumption(
        EntityStore(table, dynamodb),
        ConsumptionStore(table, dynamodb),
        RejectedRecords(variable(environ, "REJECTED_BUCKET"), access.s3()),
        AlarmTopic(variable(environ, "ALARMS_TOPIC"), access.sns()),
        keep_days=int(environ.get("CARDEA_EVENT_DAYS") or KEEP_DAYS),
    )


def assemble(environ: Mapping[str, str], access: AwsAccess) -> Function:
    """The function with its clients: made once per process, when the first event comes."""
    environment, consumer = variable(environ, "ENVIRONMENT"), consumption(environ, access)
    logger = Logger(use_rfc3339=True, utc=True)

    def function(event: dict[str, Any]) -> PartialItemFailureResponse:
        taken = consumer.take([_arrival(record) for record in KinesisStreamEvent(event).records])
        _log(logger, taken)
        tell_counts(environment, _told(taken.counts))
        if taken.first_left is None:
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": taken.first_left.sequence}]}

    return function


@cache
def _function() -> Function:
    return assemble(os.environ, AwsAccess())


def _arrival(record: KinesisStreamRecord) -> Arrival:
    # An event id is the shard and the sequence number: shardId-000000000000:4957...
    shard, _, sequence = record.event_id.partition(":")
    return Arrival(
        shard=shard,
        sequence=sequence,
        device=record.kinesis.partition_key,
        data=base64.b64decode(record.kinesis.data),
        arrived_at=moment_text(record.kinesis.approximate_arrival_timestamp),
    )


def _told(counts: Counts) -> dict[str, int]:
    return {
        "events": counts.events,
        "duplicates": counts.duplicates,
        **{f"events_{delay.value}": number for delay, number in counts.late.items()},
        "holes": counts.holes,
        "chain_breaks": counts.chain_breaks,
        "alarms": counts.alarms,
        "records_rejected": counts.rejected,
    }


def _log(logger: Logger, taken: Taken) -> None:
    for rejected in taken.rejected:
        told = {"record": rejected.name, "reason": rejected.reason.value, "kept_as": rejected.kept_as}
        logger.warning("record.rejected", extra=told)
    if taken.first_left is not None:
        logger.error("batch.interrupted", extra={"record": taken.first_left.name, "cause": str(taken.fault)})
    logger.info("batch.taken", extra={"records": len(taken.done), **_told(taken.counts)})
