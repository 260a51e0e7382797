"""Lambda of the delivery stream: turns packed records into lines for the archive. Must never drop a record.

What can't be read goes, as it came, under the archive's prefix for errors.
"""

import base64
from typing import Any, Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import KinesisFirehoseEvent
from aws_lambda_powertools.utilities.data_classes.kinesis_firehose_event import (
    KinesisFirehoseDataTransformationRecord,
    KinesisFirehoseDataTransformationRecordMetadata,
    KinesisFirehoseDataTransformationResponse,
    KinesisFirehoseRecord,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from cloud.contract.errors import ContractError
from cloud.domain.archive import to_lines
from cloud.domain.delays import arrival_text

MAX_ANSWER_BYTES: Final = 5_000_000
"""A function answers with 6 MB at most, and base64 and the frame are part of that."""

logger = Logger(service="transform")
metrics = Metrics(namespace="Cardea", service="transform")


@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answers with one result for each record, in their order."""
    response, size, failed = KinesisFirehoseDataTransformationResponse(), 0, 0
    for record in KinesisFirehoseEvent(event).records:
        result = _transformed(record, MAX_ANSWER_BYTES - size)
        size += len(result.data)
        failed += result.result != "Ok"
        response.add_record(result)
    metrics.add_metric(name="archived_records", unit=MetricUnit.Count, value=len(response.records) - failed)
    metrics.add_metric(name="unarchived_records", unit=MetricUnit.Count, value=failed)
    return response.asdict()


def _transformed(record: KinesisFirehoseRecord, room_bytes: int) -> KinesisFirehoseDataTransformationRecord:
    try:
        # Firehose gives milliseconds.
        lines = to_lines(base64.b64decode(record.data), arrival_text(record.approximate_arrival_timestamp / 1000))
    except ContractError as error:
        logger.warning("record.unreadable", record=record.record_id, error=str(error))
        return _failed(record)
    data = base64.b64encode(lines.data).decode("ascii")
    if len(data) > room_bytes:
        # Never with the buffer that the stack sets; what does not fit is kept as it came.
        logger.error("record.without_room", record=record.record_id, bytes=len(data))
        return _failed(record)
    metadata = KinesisFirehoseDataTransformationRecordMetadata(partition_keys={"site": lines.site, "dt": lines.day})
    return KinesisFirehoseDataTransformationRecord(
        record_id=record.record_id, result="Ok", data=data, metadata=metadata
    )


def _failed(record: KinesisFirehoseRecord) -> KinesisFirehoseDataTransformationRecord:
    return KinesisFirehoseDataTransformationRecord(
        record_id=record.record_id, result="ProcessingFailed", data=record.data
    )
