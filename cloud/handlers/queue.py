"""How a function takes messages from a queue: each for itself, and those that failed are delivered again."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from cloud.handlers.telemetry import Telemetry


def answer(event: dict[str, Any], context: Any, telemetry: Telemetry, take: Callable[[str], None]) -> dict[str, Any]:
    """Hand the body of each message to `take`; whatever it raises makes that message, and no other, a failure."""

    def record_handler(record: SQSRecord) -> None:
        try:
            take(record.body)
        except Exception as error:
            telemetry.failed(record.message_id, error)
            raise

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    try:
        return dict(process_partial_response(event, record_handler, processor, context))
    finally:
        telemetry.flush()
