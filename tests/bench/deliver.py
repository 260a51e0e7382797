"""A process of its own that delivers a journal as the uplink does, or its packed records bare; prints what it took.

`python -m tests.bench.deliver STATE_DIR KEY LIMIT_S [bare]`: the endpoint is found in the environment. The records that
are sent bare are packed before the clock starts.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.aws.kinesis import KinesisSink
from agent.aws.session import AwsSession
from agent.runtime.retry import waits
from agent.runtime.uplink import Uplink
from agent.storage.journal import SqliteJournal
from cloud.contract.records import MAX_EVENTS, pack
from tests.bench.context import logging_to
from tests.rigs.journals import PACKED_BYTES, open_journal
from tests.rigs.running import running
from tests.rigs.waiting import wait_for

STREAM = "events"
_TIMEOUT_S = 10.0


def main() -> None:
    """Deliver all."""
    state_dir, device, limit_s, *bare = sys.argv[1:]
    place, key = Path(state_dir), Ed25519PrivateKey.generate()
    with logging_to(place / "log"), AwsSession("eu-central-1", _TIMEOUT_S) as session, open_journal(place) as journal:
        # The first request opens the connection; whoever counts knows it by its seq.
        sink = KinesisSink(session, STREAM, device)
        sink.put(b'{"seq":0}')
        if bare:
            records = _packed(journal, key)
            took = _taken(lambda: _put(session, device, records))
        else:
            took = _taken(lambda: _deliver(journal, sink, key, float(limit_s)))
    print(json.dumps(took))


def _taken(work: Callable[[], None]) -> dict[str, float]:
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak begins anew
    before_mib = _peak_mib()
    start_s, used_s = time.perf_counter(), time.process_time()
    work()
    took_s, used_s = time.perf_counter() - start_s, time.process_time() - used_s
    return {"took_s": took_s, "used_s": used_s, "grown_mib": _peak_mib() - before_mib}


def _peak_mib() -> float:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _deliver(journal: SqliteJournal, sink: KinesisSink, key: Ed25519PrivateKey, limit_s: float) -> None:
    uplink = Uplink(journal, sink, key, waits=waits(0.1, 60.0), on_state=lambda _: None)
    with running(uplink.run):
        wait_for(lambda: not journal.stats().unsent, "the backlog to be sent", limit_s)


def _packed(journal: SqliteJournal, key: Ed25519PrivateKey) -> list[bytes]:
    records = []
    while batch := journal.next_unsent(MAX_EVENTS, PACKED_BYTES):
        records.append(pack(batch, key))
        journal.mark_sent(batch[0].epoch, batch[0].seq, batch[-1].seq)
    return records


def _put(session: AwsSession, device: str, records: list[bytes]) -> None:
    client = session.kinesis()
    for record in records:
        client.put_records(StreamName=STREAM, Records=[{"Data": record, "PartitionKey": device}])


if __name__ == "__main__":
    main()
