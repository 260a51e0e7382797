"""A backlog delivered: from the journal on disk through the uplink to an endpoint in another process."""

import os
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.aws.kinesis import KinesisSink
from agent.aws.session import AwsSession
from agent.runtime.retry import waits
from agent.runtime.uplink import Uplink
from cloud.contract.records import MAX_EVENTS, pack
from tests.bench.context import Context, logging_to
from tests.bench.endpoint import endpoint
from tests.bench.result import Better, Figure, Row, at_least, measure
from tests.rigs.journals import PACKED_BYTES, fill, open_journal
from tests.rigs.running import running
from tests.rigs.waiting import wait_for

PER_S = 10_000.0
_STREAM = "events"
_DEVICE = "door-1"
_LIMIT_S = 120.0
_TIMEOUT_S = 10.0


def run(context: Context) -> Sequence[Row]:
    """The uplink and the bare requests in turns."""
    count = context.rounds(20_000, 2_000)
    filled = context.folder()
    fill(filled, count)
    key = Ed25519PrivateKey.generate()
    prepared = _prepared(context, filled, key)
    ours: list[float] = []
    used: list[float] = []
    bare: list[float] = []
    with logging_to(context.folder() / "log"):
        for _ in range(context.rounds(5, 1)):
            took_s, used_s = _deliver_s(_copy(context, filled), key, len(prepared))
            ours.append(count / took_s)
            used.append(count / used_s)
            bare.append(count / _put_s(prepared))
    rate = measure(f"{count:,} stored events delivered", "events/s", ours, Better.MORE)
    return [
        Row(
            rate,
            measure("bare PutRecords of the same prepared records", "events/s", bare, Better.MORE),
            (at_least("median", "events/s", PER_S, rate.median),),
            (
                f"by processor time alone: {statistics.median(used):,.0f} events/s",
                f"{len(prepared)} records of up to {MAX_EVENTS} events, one in flight",
            ),
        )
    ]


def _copy(context: Context, filled: Path) -> Path:
    place = context.folder()
    shutil.copyfile(filled / "journal.db", place / "journal.db")
    return place


def _prepared(context: Context, filled: Path, key: Ed25519PrivateKey) -> list[bytes]:
    records = []
    with open_journal(_copy(context, filled)) as journal:
        while batch := journal.next_unsent(MAX_EVENTS, PACKED_BYTES):
            records.append(pack(batch, key))
            journal.mark_sent(batch[0].epoch, batch[0].seq, batch[-1].seq)
    return records


def _deliver_s(state_dir: Path, key: Ed25519PrivateKey, records: int) -> tuple[float, float]:
    """Seconds by the clock and of the processor until all is acknowledged; connection and library are there before."""
    with endpoint() as cloud, _variables(cloud.variables), AwsSession("eu-central-1", _TIMEOUT_S) as session:
        sink = KinesisSink(session, _STREAM, _DEVICE)
        sink.put(b"warm")
        with open_journal(state_dir) as journal:
            uplink = Uplink(journal, sink, key, waits=waits(0.1, 60.0), on_state=lambda _: None)
            start_s, start_used_s = time.perf_counter(), time.process_time()
            with running(uplink.run):
                wait_for(lambda: not journal.stats().unsent, "the backlog to be sent", _LIMIT_S)
                took_s, used_s = time.perf_counter() - start_s, time.process_time() - start_used_s
        took = cloud.finish() - 1
        assert took >= records, f"{took} records arrived, {records} were to"
    return took_s, used_s


def _put_s(records: Sequence[bytes]) -> float:
    with endpoint() as cloud, _variables(cloud.variables), AwsSession("eu-central-1", _TIMEOUT_S) as session:
        sink = KinesisSink(session, _STREAM, _DEVICE)
        sink.put(b"warm")
        client = session.kinesis()
        start = time.perf_counter()
        for record in records:
            client.put_records(StreamName=_STREAM, Records=[{"Data": record, "PartitionKey": _DEVICE}])
        return time.perf_counter() - start


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """boto3 finds endpoint and credentials in the environment, here as in production."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


FIGURE = Figure("delivery", "Delivering a backlog", run)
