"""The function `transform` of the delivery stream: packed records become lines of the archive. Drops no record.

What can't be read, or is not believed, goes as it came under the archive's prefix for errors: in a line nothing tells
who signed it, and what an auditor finds in the archive must be what doors sent.
"""

import base64
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import KinesisFirehoseEvent
from aws_lambda_powertools.utilities.data_classes.kinesis_firehose_event import (
    KinesisFirehoseDataTransformationRecord,
    KinesisFirehoseDataTransformationRecordMetadata,
    KinesisFirehoseDataTransformationResponse,
    KinesisFirehoseRecord,
)

from cloud.adapters.aws import AwsAccess
from cloud.adapters.entities import EntityStore
from cloud.adapters.registered import RegisteredDevices
from cloud.contract.records import Frame, Record
from cloud.domain.archive import to_lines
from cloud.domain.intake import Reason, Refused, believed, is_device, opened
from cloud.domain.outcome import Item
from cloud.domain.times import moment_text
from cloud.handlers.counts import tell_counts
from cloud.handlers.settings import variable

MAX_ANSWER_BYTES: Final = 5_000_000
"""A function answers with 6 MB at most, and base64 and the frame are part of that."""
Find = Callable[[Iterable[str]], Mapping[str, Item]]
"""Finds registered controllers by their names."""

logger = Logger(use_rfc3339=True, utc=True)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answers with one result for each record, in their order; raises CloudError, and the service tries again."""
    return transformed(event, variable(os.environ, "ENVIRONMENT"), _devices().find)


def transformed(event: dict[str, Any], environment: str, find: Find) -> dict[str, Any]:
    """The answer to a delivery."""
    response, failed = KinesisFirehoseDataTransformationResponse(), 0
    records = list(KinesisFirehoseEvent(event).records)
    # What is yet to come may have to be answered as it is.
    size = sum(len(record.data) for record in records)
    for record, read in zip(records, _read(records, find), strict=True):
        size -= len(record.data)
        result = _result(record, read, MAX_ANSWER_BYTES - size)
        size += len(result.data)
        failed += result.result != "Ok"
        response.add_record(result)
    counts = {"records_archived": len(records) - failed, "records_unarchived": failed}
    tell_counts(environment, counts)
    return response.asdict()


@cache
def _devices() -> RegisteredDevices:
    return RegisteredDevices(EntityStore(variable(os.environ, "TABLE"), AwsAccess().dynamodb()))


def _read(records: Sequence[KinesisFirehoseRecord], find: Find) -> Iterator[Record | Refused]:
    """What each record is, or why it is not believed; all devices are asked for at once."""
    frames = [_opened(record) for record in records]
    devices = find({frame.device for frame in frames if isinstance(frame, Frame) and is_device(frame.device)})
    for frame in frames:
        yield frame if isinstance(frame, Refused) else _believed(frame, devices)


def _opened(record: KinesisFirehoseRecord) -> Frame | Refused:
    try:
        return opened(base64.b64decode(record.data))
    except Refused as refused:
        return refused


def _believed(frame: Frame, devices: Mapping[str, Item]) -> Record | Refused:
    if frame.device not in devices:
        return Refused(Reason.UNKNOWN_DEVICE, "the device is not registered")
    try:
        return believed(frame, frame.device, devices[frame.device])
    except Refused as refused:
        return refused
    except Exception as error:  # noqa: BLE001 - a stranger's bytes must not keep others' records out: reported as a fault
        return Refused(Reason.FAULT, type(error).__name__)


def _result(
    record: KinesisFirehoseRecord, read: Record | Refused, room_bytes: int
) -> KinesisFirehoseDataTransformationRecord:
    if isinstance(read, Refused):
        logger.warning("record.not_archived", extra={"record": record.record_id, "reason": read.reason.value})
        return _failed(record)
    # Firehose gives milliseconds.
    lines = to_lines(read, moment_text(record.approximate_arrival_timestamp / 1000))
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
