"""The function `transform` of the delivery stream: packed records become lines of the archive. Drops no record.

What can't be read, or is not believed, goes as it came under the archive's prefix for errors: in a line nothing tells
who signed it, and what an auditor finds in the archive must be what doors sent.
"""

import base64
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, Protocol

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
from cloud.contract.records import Record
from cloud.domain.archive import to_lines
from cloud.domain.intake import Reason, Refusal, Refused, believed, is_device, opened
from cloud.domain.outcome import Item
from cloud.domain.times import moment_text
from cloud.handlers.counts import tell_counts
from cloud.handlers.settings import variable

MAX_ANSWER_BYTES: Final = 5_000_000
"""A function answers with 6 MB at most, and base64 and the frame are part of that."""


class Find(Protocol):
    """Finds registered controllers by their names."""

    def __call__(self, names: Iterable[str], *, fresh: bool = False) -> Mapping[str, Item]:
        """Those that are registered, or were a moment ago; `fresh`: that are now. Raises CloudError."""


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


def _read(records: Sequence[KinesisFirehoseRecord], find: Find) -> Iterator[Record | Refusal]:
    """What each record is, or why it is not believed; all devices are asked for at once.

    Each is opened a second time for it: opened records of a whole delivery at once could fill the memory. A controller
    may have got a key or a door a moment ago, so it is asked for anew before a record of it is refused: once for each,
    since strangers can pose as any.
    """
    names = [_device(record) for record in records]
    devices = dict(find({name for name in names if is_device(name)}))
    remembered = set(devices)
    for record, name in zip(records, names, strict=True):
        read = _believed(record, devices)
        if isinstance(read, Refusal) and name in remembered:
            remembered.remove(name)
            del devices[name]
            devices.update(find([name], fresh=True))
            read = _believed(record, devices)
        yield read


def _device(record: KinesisFirehoseRecord) -> str:
    """Who a record claims to be from; empty when it names nobody or can't be opened."""
    try:
        return opened(base64.b64decode(record.data)).device
    except Refused:
        return ""


def _believed(record: KinesisFirehoseRecord, devices: Mapping[str, Item]) -> Record | Refusal:
    try:
        frame = opened(base64.b64decode(record.data))
        if frame.device not in devices:
            return Refusal(Reason.UNKNOWN_DEVICE, "the device is not registered")
        return believed(frame, frame.device, devices[frame.device])
    except Refused as refused:
        return refused.refusal
    except Exception as error:  # noqa: BLE001 - a stranger's bytes must not keep others' records out: reported as a fault
        return Refusal(Reason.FAULT, type(error).__name__)


def _result(
    record: KinesisFirehoseRecord, read: Record | Refusal, room_bytes: int
) -> KinesisFirehoseDataTransformationRecord:
    if isinstance(read, Refusal):
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
