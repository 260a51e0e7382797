"""90 days of a busy door without a network, then the network: memory stays flat, and what is new does not wait."""

import base64
import gc
import gzip
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.aws.kinesis import KinesisSink
from agent.aws.session import AwsSession
from agent.runtime.retry import waits
from agent.runtime.uplink import Uplink
from agent.storage.journal_file import JournalSettings
from agent.storage.journal_rescue import open_journal as open_file
from cloud.contract.events import ALARMS
from cloud.contract.records import MAX_EVENTS, unpack
from tests.rigs.fault_kinesis import Answer, Entry, FaultKinesis
from tests.rigs.journals import open_journal
from tests.rigs.running import running
from tests.rigs.stamps import forced, opened, stamp
from tests.rigs.waiting import wait_for

_DAYS, _A_DAY = 90, 2000
_STORED = _DAYS * _A_DAY
_ALARM_EVERY = 20_000
_LIVE_EVERY = 100
"""Requests between two live events while the backlog drains."""
_WARM_REQUESTS = 100
"""Until then libraries, caches and pools fill up."""
_GROWTH_KIB = 12 * 1024
_CHECKED_EVERY = 50
"""Records of which one is checked to the last byte."""
_TAKEN = Answer(stores=False)
_KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultKinesis]:
    """The endpoint, found as in production: by the standard variables."""
    with FaultKinesis() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", endpoint.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield endpoint


@pytest.mark.timeout(900)
def test_ninety_days_stored_are_drained_in_flat_memory_and_what_is_new_passes_them(
    tmp_path: Path, kinesis: FaultKinesis
) -> None:
    """180,000 events arrive once and whole; alarms go first, and a live event within two records of its making."""
    _store(tmp_path)
    arrivals = _Arrivals()
    kinesis.otherwise(arrivals.take)
    sizes: list[int] = []
    live: list[tuple[int, int]] = []
    with open_journal(tmp_path) as journal, AwsSession("eu-central-1", 30.0) as session:
        uplink = Uplink(
            journal, KinesisSink(session, "events", "door-1"), _KEY, waits=waits(0.01, 0.1), on_state=lambda _: None
        )
        with running(uplink.run):
            for milestone in range(_WARM_REQUESTS, _STORED // MAX_EVENTS, _LIVE_EVERY):
                wait_for(lambda: arrivals.requests >= milestone, f"record {milestone}", 300)  # noqa: B023 - used at once
                sizes.append(_resident_kib())
                event = journal.append(opened(), 30.0)
                live.append((event.seq, arrivals.requests))
            wait_for(lambda: journal.stats().unsent == 0, "the end of the backlog", 300)
        sizes.append(_resident_kib())
    assert arrivals.record_of.keys() == set(range(1, _STORED + len(live) + 1))
    assert arrivals.again == 0
    assert max(sizes) - sizes[0] < _GROWTH_KIB, sizes
    # Of those stored, the alarms are on the stream before all others.
    alarms = {seq for seq in arrivals.alarms if seq <= _STORED}
    assert len(alarms) == _STORED // _ALARM_EVERY
    last_alarm = max(arrivals.record_of[seq] for seq in alarms)
    assert last_alarm <= len(alarms)
    # Each live one passes the backlog: at most the record in flight and one that was being made go before it.
    assert len(live) > 5
    for seq, requests in live:
        assert arrivals.record_of[seq] <= requests + 2, (seq, requests, arrivals.record_of[seq])
        assert arrivals.record_of[seq] < arrivals.requests


def _store(state_dir: Path) -> None:
    settings = JournalSettings(state_dir, "door-1", "hq", stamp, 250_000, 256 << 20)
    with closing(open_file(settings)) as file:
        for first in range(0, _STORED, 1000):
            numbers = range(first, first + 1000)
            file.write([forced() if number % _ALARM_EVERY == _ALARM_EVERY // 2 else opened() for number in numbers])
        file.checkpoint()


class _Arrivals:
    """What is on the stream: of each event, which record brought it."""

    def __init__(self) -> None:
        self.record_of: dict[int, int] = dict.fromkeys(range(1, _STORED + 1), 0)
        self.alarms: list[int] = []
        self.again = 0
        """Events that came more than once."""
        self.requests = 0

    def take(self, entries: Sequence[Entry]) -> Answer:
        """The endpoint's script; keeps no record, so that what grows is the door's."""
        data = base64.b64decode(entries[0]["Data"])
        self.requests += 1
        if self.requests % _CHECKED_EVERY == 0:
            unpack(data, [_KEY.public_key()])
        document = json.loads(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)
        for event in document["events"]:
            self.again += self.record_of.get(event["seq"], 0) > 0
            self.record_of[event["seq"]] = self.requests
            if event["type"] in ALARMS:
                self.alarms.append(event["seq"])
        return _TAKEN


def _resident_kib() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
