"""The function `transform` of the delivery stream: packed records become lines of the archive. Drops no record.

What can't be read goes, as it came, under the archive's prefix for errors.
"""

import base64
import os
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import KinesisFirehoseEvent
from aws_lambda_powertools.utilities.data_classes.kinesis_firehose_event import (
    KinesisFirehoseDataTransformationRecord,
    KinesisFirehoseDataTransformationRecordMetadata,
    KinesisFirehoseDataTransformationResponse,
    KinesisFirehoseRecord,
)

from cloud.contract.errors import ContractError
from cloud.domain.archive import to_lines
from cloud.domain.times import moment_text
from cloud.handlers.counts import tell_counts
from cloud.handlers.settings import variable

MAX_ANSWER_BYTES: Final = 5_000_000
"""A function answers with 6 MB at most, and base64 and the frame are part of that."""

logger = Logger(use_rfc3339=True, utc=True)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answers with one result for each record, in their order; raises CloudError without CARDEA_ENVIRONMENT."""
    environment = variable(os.environ, "ENVIRONMENT")
    response, failed = KinesisFirehoseDataTransformationResponse(), 0
    records = list(KinesisFirehoseEvent(event).records)
    # What is yet to come may have to be answered as it is.
    size = sum(len(record.data) for record in records)
    for record in records:
        size -= len(record.data)
        result = _transformed(record, MAX_ANSWER_BYTES - size)
        size += len(result.data)
        failed += result.result != "Ok"
        response.add_record(result)
    counts = {"records_archived": len(records) - failed, "records_unarchived": failed}
    tell_counts(environment, counts)
    return response.asdict()


def _transformed(record: KinesisFirehoseRecord, room_bytes: int) -> KinesisFirehoseDataTransformationRecord:
    try:
        # Firehose gives milliseconds.
        lines = to_lines(base64.b64decode(record.data), moment_text(record.approximate_arrival_timestamp / 1000))
    except ContractError as error:
        logger.warning("record.unreadable", extra={"record": record.record_id, "cause": str(error)})
        return _failed(record)
    data = base64.b64encode(lines.data).decode("ascii")
    if len(data) > room_bytes:
        # Never with the buffer that the stack sets; what does not fit is kept as it came.
        logger.error("record.without_room", extra={"record": record.record_id, "bytes": len(data)})
        return _failed(record)
    metadata = KinesisFirehoseDataTransformationRecordMetadata(partition_keys={"site": lines.site, "dt": lines.day})
    return KinesisFirehoseDataTransformationRecord(
        record_id=record.record_id, result="Ok", data=data, metadata=metadata
    )


def _failed(record: KinesisFirehoseRecord) -> KinesisFirehoseDataTransformationRecord:
    return KinesisFirehoseDataTransformationRecord(
        record_id=record.record_id, result="ProcessingFailed", data=record.data
    )
