"""Puts packed records on the stream. Must never take a record for delivered that the stream did not number."""

from agent.aws.errors import failure, kind_of_code
from agent.aws.session import AwsSession
from agent.errors import FailureKind


class KinesisSink:
    """`agent.ports.EventSink` over one Kinesis stream; one record per request, keyed by device to keep its order."""

    def __init__(self, session: AwsSession, stream: str, device: str) -> None:
        self._session = session
        self._stream = stream
        self._device = device

    def put(self, record: bytes) -> None:
        """Return once the stream has numbered the record; raises Transient, Permanent.

        A record whose answer got lost may be on the stream all the same: consumers drop duplicates by the events'
        place.
        """
        client = self._session.kinesis()
        with self._session.call("PutRecords"):
            answer = client.put_records(
                StreamName=self._stream, Records=[{"Data": record, "PartitionKey": self._device}]
            )
            results = answer.get("Records", [])
            result = results[0] if len(results) == 1 else {}
            # A request is answered with 200 even when no record of it was taken.
            code, message = str(result.get("ErrorCode") or ""), str(result.get("ErrorMessage", ""))
            number = result.get("SequenceNumber")
            # botocore takes the answer's values as they are, whatever their type.
            numbered = isinstance(number, str) and bool(number) and not answer.get("FailedRecordCount")
        if code:
            raise failure(kind_of_code(code), f"PutRecords: {code}: {message}")
        if not numbered:
            # Also what a captive portal's "200, here is a login page" comes to: botocore reads it as an empty answer.
            raise failure(FailureKind.TRANSPORT, "PutRecords: the answer numbers no record")
