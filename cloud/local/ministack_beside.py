"""Starts ministack with one thing as it is on AWS: a delivery stream reads its source beside it.

ministack delivers within the call that puts a record, and answers nobody until that is done. A function that transforms
records could so ask the account nothing. Run by the local AWS's own Python, which has none of our packages.
"""

import contextvars
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack import app
from ministack.services import firehose

_deliver = firehose.ingest_from_kinesis_source
# One: records of a shard are delivered in their order.
_beside = ThreadPoolExecutor(1, "delivery")


def _ingest(stream_arn: str, records: list[Any]) -> None:
    # Account and region of a call are context.
    _beside.submit(contextvars.copy_context().run, _deliver, stream_arn, records)


if __name__ == "__main__":
    firehose.ingest_from_kinesis_source = _ingest
    sys.exit(app.main())
