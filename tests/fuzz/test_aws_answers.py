"""Answers of Kinesis, DynamoDB and S3 of any bytes, through the real boto3: our errors only, one request, bounded.

What is returned as a list was signed, whatever came with it; what is returned as delivered was numbered.
"""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.aws.bounded import MAX_ANSWER_BYTES
from agent.aws.kinesis import KinesisSink
from agent.aws.lists import DynamoListSource
from agent.aws.session import AwsSession
from agent.errors import Transient, UplinkError
from cloud.contract.allowlist import MAX_SNAPSHOT_BYTES, seal_delta, seal_head, seal_snapshot
from cloud.contract.errors import ContractError
from tests.fuzz.budget import cases
from tests.fuzz.damage import damaged, raw
from tests.rigs.raw_http import RawHttp, endless
from tests.rigs.wire import KEY
from tests.rigs.wire_lists import DELTA, HEAD, SNAPSHOT

SECRETS = ("SECRETSECRET", "TOKENTOKEN", "AKIAFUZZFUZZ")
DELTA_TEXT, DELTA_BYTES = seal_delta(DELTA, KEY)
PUT = json.dumps(
    {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "4959", "ShardId": "shardId-000000000000"}]}
).encode()
REFUSED = json.dumps(
    {"FailedRecordCount": 1, "Records": [{"ErrorCode": "InternalFailure", "ErrorMessage": "no"}]}
).encode()
ITEM = json.dumps({"Item": {"doc": {"S": seal_head(HEAD, KEY)}, "epoch": {"N": "1"}}}).encode()
PAGE = json.dumps(
    {
        "Items": [{"doc": {"S": DELTA_TEXT}, "changes": {"B": base64.b64encode(DELTA_BYTES).decode()}}],
        "Count": 1,
        "ScannedCount": 1,
    }
).encode()
OBJECT = seal_snapshot(SNAPSHOT, KEY)
ERROR = b'{"__type":"com.amazonaws#ProvisionedThroughputExceededException","message":"slow down"}'
XML = b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>none</Message></Error>'
BODIES = {"put": (PUT, REFUSED), "head": (ITEM,), "deltas": (PAGE,), "snapshot": (OBJECT,)}


@dataclass(frozen=True)
class Door:
    """What asks, and the endpoint that answers."""

    endpoint: RawHttp
    calls: dict[str, Callable[[], Any]]

    def ask(self, operation: str) -> Any:
        """What one call gives; an error of ours, in words that may be logged, is None."""
        before = len(self.endpoint.requests)
        for _ in range(5):  # a connection that was kept for another request may be gone
            got = self._call(operation)
            if len(self.endpoint.requests) > before:
                break
        assert len(self.endpoint.requests) == before + 1, "the client asked more than once"
        return got

    def _call(self, operation: str) -> Any:
        try:
            return self.calls[operation]()
        except (UplinkError, ContractError) as error:
            message = str(error)
        assert message.isprintable()
        assert len(message) <= 300
        assert not any(secret in message for secret in SECRETS)
        print(operation, message)  # shown where a test fails
        return None


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """The adapters of one controller, with a short patience."""
    with RawHttp() as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint.url)
        for name, value in zip(
            ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"), SECRETS, strict=True
        ):
            patch.setenv(name, value)
        with AwsSession("eu-central-1", timeout_s=2.0) as session:
            sink = KinesisSink(session, "events", "front")
            source = DynamoListSource(session, table="table", bucket="bucket", site="hq", keys=[KEY.public_key()])

            def deliver() -> str:
                sink.put(b"record")
                return "delivered"

            yield Door(
                endpoint,
                {
                    "put": deliver,
                    "head": source.head,
                    "deltas": lambda: list(source.deltas(1, 1, 2)),
                    "snapshot": lambda: source.snapshot(HEAD),
                },
            )


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer of the service."""
    head = [
        b"HTTP/1.1 " + status,
        b"x-amzn-RequestId: r-1",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def check(operation: str, got: Any) -> None:
    """What was taken is what was signed, or nothing."""
    if operation == "head":
        assert got in (None, HEAD)
    elif operation == "deltas":
        assert got is None or all(delta == DELTA for delta in got)
    elif operation == "snapshot" and got is not None:
        assert (got.version, list(got.items)) == (SNAPSHOT.version, list(SNAPSHOT.items))


@pytest.mark.parametrize("operation", sorted(BODIES))
def test_the_answers_that_are_damaged_below_are_good(door: Door, operation: str) -> None:
    """Else the tests below would only ever see refusals of something else."""
    door.endpoint.answer(answer(BODIES[operation][0]))
    assert door.ask(operation)


statuses = st.sampled_from([b"200 OK", b"200 OK", b"400 Bad Request", b"403 No", b"404 Not Found", b"500 Fault"])
headers = st.lists(
    st.sampled_from(
        [
            b"Content-Encoding: gzip",
            b"Content-Type: application/x-amz-json-1.1",
            b"x-amz-crc32: 5",
            b"x-amz-checksum-crc32: AAAA",
            b"x-amz-checksum-sha256: \xff",
            b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
            b"Retry-After: 99999999",
            b"x-amzn-errortype: Throttling\x1b[2J",
            b"x-amz-id-2: " + b"x" * 5000,
            b"Set-Cookie: a=b",
            b"Connection: Upgrade",
        ]
    ),
    max_size=2,
)


@pytest.mark.parametrize("operation", sorted(BODIES))
@cases(250)
@given(data=st.data(), status=statuses, more=headers)
def test_damaged_bodies_under_whole_heads(
    door: Door, operation: str, data: st.DataObject, status: bytes, more: list[bytes]
) -> None:
    """The service's own words after an accident, in every status."""
    body = data.draw(st.one_of(damaged(*BODIES[operation], ERROR, XML), raw()), label="body")
    door.endpoint.answer(answer(body, *more, status=status))
    check(operation, door.ask(operation))


@pytest.mark.parametrize("operation", sorted(BODIES))
@cases(150)
@given(data=st.data())
def test_damaged_answers_from_the_first_byte(door: Door, operation: str, data: st.DataObject) -> None:
    """Status line, headers, lengths and chunks that are not true."""
    body = BODIES[operation][0]
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    whole = (answer(body), answer(ERROR, status=b"400 Bad"), chunked, chunked.replace(b"200 OK", b"404 No"))
    door.endpoint.answer(data.draw(st.one_of(damaged(*whole), raw()), label="answer"))
    check(operation, door.ask(operation))


ODD = {
    "an error code that is no string": answer(b'{"Records":[{"ErrorCode":{"a":1}}]}'),
    "a number that is no string": answer(b'{"Records":[{"SequenceNumber":true}]}'),
    "an attribute that is null": answer(b'{"Item":{"doc":null},"Items":[{"doc":null}]}'),
    "an item that is null": answer(b'{"Items":[null],"Item":{}}'),
    "nesting without an end": answer(b'{"Item":' + b"[" * 100_000),
    "a refusal in broken chunks": b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
    "a length beyond all bounds": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc",
    "a gzip bomb": answer(gzip.compress(bytes(64 << 20)), b"Content-Encoding: gzip"),
    "an XML bomb": answer(
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Error><Code>&b;</Code></Error>',
        status=b"404 No",
    ),
}


@pytest.mark.parametrize("operation", sorted(BODIES))
@pytest.mark.parametrize("what", sorted(ODD))
def test_odd_answers_are_errors_of_ours(door: Door, what: str, operation: str) -> None:
    """Found by the tests above, or by reading; kept by name."""
    door.endpoint.answer(ODD[what])
    assert door.ask(operation) in (None, [])


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary", b"308 Permanent"])
@pytest.mark.parametrize("operation", sorted(BODIES))
def test_a_redirect_is_followed_by_nobody(door: Door, operation: str, status: bytes) -> None:
    """Credentials go where the configuration says; S3's client asked 81 times before it gave up."""
    with RawHttp() as elsewhere:
        where = (b"Location: %s/" % elsewhere.url.encode(), b"x-amz-bucket-region: us-west-2")
        elsewhere.answer(answer(BODIES[operation][0]))
        door.endpoint.answer(answer(b"", *where, status=status))
        assert door.ask(operation) is None
        assert elsewhere.requests == []


@pytest.mark.parametrize("status", [b"200 OK", b"404 No"])
@pytest.mark.parametrize("operation", sorted(BODIES))
def test_an_answer_without_an_end_is_read_no_further_than_the_limit(door: Door, operation: str, status: bytes) -> None:
    """Once it filled the memory."""
    door.endpoint.answer(endless(b"x" * 65_536, b"HTTP/1.1 " + status + b"\r\nx-amzn-RequestId: r-1\r\n\r\n"))
    assert door.ask(operation) is None
    limit = MAX_SNAPSHOT_BYTES if operation == "snapshot" else MAX_ANSWER_BYTES
    assert door.endpoint.sent_bytes < 2 * limit


def test_an_answer_of_one_byte_at_a_time_ends(door: Door) -> None:
    """Each byte comes within the timeout; the whole must too."""
    with AwsSession("eu-central-1", timeout_s=0.2) as session:
        door.endpoint.answer(endless(b" ", pause_s=0.02))
        with pytest.raises(Transient, match="not over in time"):
            KinesisSink(session, "events", "front").put(b"record")


def test_pages_without_an_end_end(door: Door) -> None:
    """An endpoint that always promises another page holds the sync no longer than a few."""
    door.endpoint.answer(answer(b'{"Items":[],"LastEvaluatedKey":{"pk":{"S":"a"},"sk":{"S":"b"}}}'))
    before = len(door.endpoint.requests)
    with pytest.raises(Transient, match="nothing on it"):
        door.calls["deltas"]()
    assert len(door.endpoint.requests) - before < 20
