"""A Kinesis endpoint that fails as told: speaks enough of its JSON protocol for PutRecords, keeps what it stored.

with FaultKinesis() as kinesis:
    kinesis.play(THROTTLED_RECORD, STORED_THEN_500)   # the next two requests; after them all goes well
    ...
    assert kinesis.records == ...
"""

import base64
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

MAX_RECORDS = 500
MAX_RECORD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it lies on the stream."""

    stream: str
    partition_key: str
    data: bytes
    sequence_number: str
    sender: str
    """Access key id that signed the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What becomes of one request; the default is that all goes well."""

    stores: bool = True
    """Whether the records without an error of their own are kept, whatever is answered."""
    status: int = 200
    error: str | None = None
    """Refuse the whole request with this code."""
    message: str = "as told by the test"
    record_errors: Mapping[int, str] = field(default_factory=dict)
    """Error codes by position in the request; -1 means every position. The status stays 200."""
    body: bytes | None = None
    """Answer this instead."""
    delay_s: float = 0.0
    """Answer so much later; what is stored is stored before."""
    reset: bool = False
    """Cut the connection instead of an answer."""


OK = Answer()
THROTTLED_RECORD = Answer(record_errors={-1: "ProvisionedThroughputExceededException"})
FAILED_RECORD = Answer(record_errors={-1: "InternalFailure"})
THROTTLED_REQUEST = Answer(stores=False, status=400, error="ProvisionedThroughputExceededException")
INTERNAL_FAILURE = Answer(stores=False, status=500, error="InternalFailure")
STORED_THEN_500 = Answer(status=500, error="InternalFailure")
UNAVAILABLE = Answer(stores=False, status=503, body=b"<html>Service Unavailable</html>")
EXPIRED_TOKEN = Answer(stores=False, status=400, error="ExpiredTokenException")
BAD_SIGNATURE = Answer(
    stores=False,
    status=400,
    error="InvalidSignatureException",
    message="does not match.\n\nx-amz-security-token:SECRET",
)
NO_STREAM = Answer(stores=False, status=400, error="ResourceNotFoundException")
REFUSED = Answer(stores=False, status=400, error="ValidationException")
RESET = Answer(stores=False, reset=True)
STORED_THEN_RESET = Answer(reset=True)
LOGIN_PAGE = Answer(stores=False, body=b"<html>Welcome to the guest network</html>")
NOT_AN_OBJECT = Answer(stores=False, body=b"[1, 2]")
NOT_TEXT = Answer(stores=False, body=b"\xff\xfe\x00")
EMPTY = Answer(stores=False, body=b"")

Entry = Mapping[str, Any]
"""One record of a request: Data (base64), PartitionKey."""
Script = Callable[[Sequence[Entry]], Answer]
Gate = Callable[[Mapping[str, str]], Answer | None]


def _open_gate(_: Mapping[str, str]) -> Answer | None:
    return None


class FaultKinesis:
    """The endpoint, on a free port of the loopback interface; a context manager.

    Args:
        tls: Speak TLS by this; None: plain HTTP.
        gate: Looks at the headers of each request before all else; what it gives is the answer.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, gate: Gate | None = None) -> None:
        self.tls = tls
        self.gate: Gate = gate or _open_gate
        self.is_down = False
        """Cut every connection instead of an answer."""
        self.date_off_s = 0.0
        """How far the Date of its answers is off the truth."""
        self._lock = threading.RLock()  # a script may look at what came so far
        self._queue: deque[Answer] = deque()
        self._otherwise: Script = lambda _: OK
        self._records: list[StoredRecord] = []
        self._numbered = 0
        """Records that were taken away."""
        self._requests = 0
        self._in_flight = 0
        self._most_in_flight = 0
        self._hurry = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fault-kinesis")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hurry.set()
        self._server.shutdown()
        self._thread.join()
        self._server.cut_connections()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def records(self) -> list[StoredRecord]:
        """What is on the streams, in order of arrival."""
        with self._lock:
            return list(self._records)

    @property
    def requests(self) -> int:
        """PutRecords requests that came, whatever became of them."""
        with self._lock:
            return self._requests

    @property
    def most_in_flight(self) -> int:
        """The most requests that were being answered at the same time."""
        with self._lock:
            return self._most_in_flight

    def play(self, *answers: Answer) -> None:
        """Answer the next requests so, each once, after those already queued."""
        with self._lock:
            self._queue.extend(answers)

    def otherwise(self, script: Answer | Script) -> None:
        """Answer so when nothing is queued."""
        with self._lock:
            self._otherwise = script if callable(script) else lambda _: script

    def hurry(self) -> None:
        """Give the delayed answers now, and all later ones at once."""
        self._hurry.set()

    def take_records(self) -> list[StoredRecord]:
        """What came since the last call, in order of arrival; the streams are empty then, and numbers go on."""
        with self._lock:
            taken, self._records = self._records, []
            self._numbered += len(taken)
            return taken

    def forget(self) -> None:
        """As new: empty streams, nothing queued."""
        with self._lock:
            self._queue.clear()
            self._otherwise = lambda _: OK
            self._records.clear()
            self._requests = 0
            self._most_in_flight = 0
            self._hurry.clear()

    def wait(self, delay_s: float) -> None:
        """Take this long, unless somebody hurries."""
        self._hurry.wait(delay_s)

    def take(self, request: Mapping[str, Any], sender: str) -> tuple[Answer, Mapping[str, Any]]:
        """Store what the script lets through; the answer, and the body of a good one."""
        entries = request["Records"]
        stream = str(request.get("StreamName"))
        problem = _problem(entries)
        with self._lock:
            self._requests += 1
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)
            answer = self._queue.popleft() if self._queue else self._otherwise(entries)
            if problem is not None and answer is OK:
                answer = Answer(stores=False, status=400, error=problem)
            results = [self._place(stream, sender, entry, place, answer) for place, entry in enumerate(entries)]
        failed = sum("ErrorCode" in result for result in results)
        return answer, {"FailedRecordCount": failed, "Records": results}

    def answered(self) -> None:
        """A request that was taken is over."""
        with self._lock:
            self._in_flight -= 1

    def _place(self, stream: str, sender: str, entry: Entry, place: int, answer: Answer) -> Mapping[str, str]:
        code = answer.record_errors.get(place, answer.record_errors.get(-1))
        if code is not None:
            return {"ErrorCode": code, "ErrorMessage": answer.message}
        number = f"{49590000000 + self._numbered + len(self._records):056d}"
        if answer.stores:
            data = base64.b64decode(entry["Data"], validate=True)
            self._records.append(StoredRecord(stream, entry["PartitionKey"], data, number, sender))
        return {"SequenceNumber": number, "ShardId": "shardId-000000000000"}


def _problem(entries: Sequence[Entry]) -> str | None:
    """What the real service refuses a request for."""
    if not 1 <= len(entries) <= MAX_RECORDS:
        return "ValidationException"
    if any(len(base64.b64decode(entry["Data"])) > MAX_RECORD_BYTES for entry in entries):
        return "InvalidArgumentException"
    return None


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True  # every handler thread is joined
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], kinesis: FaultKinesis) -> None:
        self.kinesis = kinesis
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[Any, Any]:
        """A connection; its handshake is made by the first read, in the thread of the handler."""
        connection, address = super().get_request()
        if self.kinesis.tls is not None:
            connection = self.kinesis.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is nothing to print."""

    def cut_connections(self) -> None:
        """End the connections that clients keep open, so that their threads end."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it is gone already


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_POST(self) -> None:
        """One request of the JSON protocol."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.server.kinesis.is_down:
            self._cut()
            return
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        stopped = self.server.kinesis.gate(dict(self.headers.items()))
        if stopped is not None:
            self._answer(stopped)
            return
        if operation != "PutRecords":
            self._reply(400, _error("UnknownOperationException", operation))
            return
        kinesis = self.server.kinesis
        answer, good = kinesis.take(json.loads(body), _sender(self.headers.get("Authorization", "")))
        try:
            if answer.delay_s:
                kinesis.wait(answer.delay_s)
            self._answer(answer, json.dumps(good).encode())
        finally:
            kinesis.answered()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date of an answer."""
        return super().date_time_string((timestamp or time.time()) + self.server.kinesis.date_off_s)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""

    def _answer(self, answer: Answer, good: bytes = b"") -> None:
        if answer.reset:
            self._cut()
        elif answer.body is not None:
            self._reply(answer.status, answer.body)
        elif answer.error is not None:
            self._reply(answer.status, _error(answer.error, answer.message))
        else:
            self._reply(answer.status, good)

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "00000000-0000-0000-0000-000000000000")
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        """End the connection with RST, as a router that lost its state does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _sender(authorization: str) -> str:
    """The access key id in `AWS4-HMAC-SHA256 Credential=ID/date/region/...`; empty when the request is not signed."""
    return authorization.partition("Credential=")[2].partition("/")[0]


def _error(code: str, message: str) -> bytes:
    return json.dumps({"__type": code, "message": message}).encode()
