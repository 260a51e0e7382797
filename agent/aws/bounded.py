"""Bounds what botocore does not: the size of an answer, the time that it takes as a whole, and where it may lead.

botocore's timeouts are for the next byte only, it holds an answer in memory up to its end, and its S3 client follows
redirects, signing anew for wherever they lead and, when every answer is one, until the stack is full. An endpoint that
is broken, or is not AWS, must cost a controller neither its memory nor its uplink.
"""

import time
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from agent.aws.errors import failure
from agent.errors import FailureKind

T = TypeVar("T")

MAX_ANSWER_BYTES: Final = 8 << 20
"""A page of the table is 1 MiB, half as much again in base64; every other answer is a few lines. A snapshot is
bounded by who reads it."""
ANSWER_TIMEOUTS: Final = 6
"""An answer may take so many times the timeout for one byte of it."""
_PIECE_BYTES: Final = 1 << 16


def bounded(client: T, timeout_s: float) -> T:
    """The same client of boto3, its HTTP session wrapped. botocore has no public place for that."""
    endpoint: Any = vars(client)["_endpoint"]
    endpoint.http_session = _BoundedHttp(endpoint.http_session, timeout_s * ANSWER_TIMEOUTS)
    return client


class _BoundedHttp:
    """botocore's HTTP session, whose answers end."""

    def __init__(self, inner: Any, answer_s: float) -> None:
        self._inner = inner
        self._answer_s = answer_s
        self._streamed: Any = None

    def send(self, request: Any) -> Any:
        """Send a request; raises what botocore raises, and Transient for a redirect and an answer beyond its bounds."""
        until_s = time.monotonic() + self._answer_s
        self._let_go()
        is_streamed = request.stream_output
        request.stream_output = True  # not to be read to its end yet
        response = self._inner.send(request)
        if 300 <= response.status_code < 400:
            response.raw.close()
            raise failure(FailureKind.TRANSPORT, f"a redirect ({response.status_code}), which is not followed")
        if not is_streamed or response.status_code >= 300:
            response.raw = _BoundedBody(response.raw, until_s)
        if is_streamed:
            self._streamed = response.raw
        else:
            _ = response.content  # reads it
        return response

    def close(self) -> None:
        """Close the connections."""
        self._let_go()
        self._inner.close()

    def _let_go(self) -> None:
        """Close the body of the last streamed answer: botocore leaves it open where it can't read the head."""
        streamed, self._streamed = self._streamed, None
        if streamed is not None:
            streamed.close()


class _BoundedBody:
    """As much of urllib3's response as botocore asks of one that it reads at once."""

    def __init__(self, inner: Any, until_s: float) -> None:
        self._inner = inner
        self._until_s = until_s

    def stream(self) -> Iterator[bytes]:
        """The body in pieces, as they come; raises Transient beyond the bounds."""
        left_bytes = MAX_ANSWER_BYTES
        # read1: `read` would wait for a whole piece, and each byte of it may take as long as the timeout.
        while piece := self._inner.read1(_PIECE_BYTES):
            left_bytes -= len(piece)
            if left_bytes < 0 or time.monotonic() > self._until_s:
                self._inner.close()
                what = f"above {MAX_ANSWER_BYTES} bytes" if left_bytes < 0 else "not over in time"
                raise failure(FailureKind.TRANSPORT, f"an answer {what}")
            yield piece

    def close(self) -> None:
        """Let the connection go."""
        self._inner.close()
