"""KinesisSink and Uplink against an endpoint that fails as told: nothing is lost, whatever it does."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.aws.kinesis import KinesisSink
from agent.aws.session import AwsSession
from agent.errors import FailureKind, Transient, UplinkError
from agent.ports import Journal
from agent.runtime.retry import waits
from agent.runtime.uplink import Uplink
from agent.storage.journal import SqliteJournal
from cloud.contract.events import Event
from cloud.contract.records import unpack
from tests.rigs import fault_kinesis as faults
from tests.rigs.fault_kinesis import Answer, FaultKinesis
from tests.rigs.memory_ports import DEVICE, MemoryJournal, make_event, make_events
from tests.rigs.running import eventually, running
from tests.rigs.stamps import opened, stamp

KEY = Ed25519PrivateKey.generate()
STREAM = "events"
WAITS = waits(first_s=0.002, max_s=0.02)


@pytest.fixture(scope="module")
def running_kinesis() -> Iterator[FaultKinesis]:
    """The endpoint, found as in production: by the standard variables."""
    with FaultKinesis() as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_KINESIS", endpoint.endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield endpoint


@pytest.fixture
def kinesis(running_kinesis: FaultKinesis) -> FaultKinesis:
    """The endpoint as new."""
    running_kinesis.forget()
    return running_kinesis


@pytest.fixture(scope="module")
def session(running_kinesis: FaultKinesis) -> Iterator[AwsSession]:
    """Clients with a short patience."""
    with AwsSession("eu-central-1", timeout_s=0.3) as opened:
        yield opened


def make_uplink(session: AwsSession, journal: Journal) -> Uplink:
    sink = KinesisSink(session, STREAM, DEVICE)
    return Uplink(journal, sink, KEY, waits=WAITS, on_state=lambda _: None)


def arrived(kinesis: FaultKinesis) -> list[tuple[int, int]]:
    """Places in order of arrival, each once; checks signatures and keys on the way."""
    places: dict[tuple[int, int], None] = {}
    for record in kinesis.records:
        assert (record.stream, record.partition_key) == (STREAM, DEVICE)
        batch = unpack(record.data, [KEY.public_key()])
        places |= {(event.epoch, event.seq): None for event in batch.events}
    return list(places)


def more_requests_than(kinesis: FaultKinesis, seen: int) -> bool:
    return kinesis.requests > seen


FAULTS = {name: value for name, value in vars(faults).items() if isinstance(value, Answer)}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_event_arrives_in_order_through_each_fault(name: str, kinesis: FaultKinesis, session: AwsSession) -> None:
    """Whatever the endpoint does three times in a row, all events arrive, deduplicated in order."""
    kinesis.play(faults.OK, *[FAULTS[name]] * 3)
    events = make_events(450) + make_events(30, epoch=2)
    journal = MemoryJournal(events)
    with running(make_uplink(session, journal).run):
        assert journal.wait_until_sent(20)
    assert arrived(kinesis) == [(event.epoch, event.seq) for event in events]
    assert kinesis.most_in_flight == 1


KINDS = {
    "THROTTLED_RECORD": FailureKind.THROTTLED,
    "FAILED_RECORD": FailureKind.SERVICE,
    "THROTTLED_REQUEST": FailureKind.THROTTLED,
    "INTERNAL_FAILURE": FailureKind.SERVICE,
    "STORED_THEN_500": FailureKind.SERVICE,
    "UNAVAILABLE": FailureKind.SERVICE,
    "EXPIRED_TOKEN": FailureKind.CREDENTIALS_OR_CLOCK,
    "BAD_SIGNATURE": FailureKind.CREDENTIALS_OR_CLOCK,
    "NO_STREAM": FailureKind.SERVICE,
    "REFUSED": FailureKind.POISON,
    "RESET": FailureKind.TRANSPORT,
    "STORED_THEN_RESET": FailureKind.TRANSPORT,
    "LOGIN_PAGE": FailureKind.TRANSPORT,
    "NOT_AN_OBJECT": FailureKind.TRANSPORT,
    "NOT_TEXT": FailureKind.TRANSPORT,
    "EMPTY": FailureKind.TRANSPORT,
}


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - {"OK"}))
def test_each_fault_is_one_request_and_has_its_kind(name: str, kinesis: FaultKinesis, session: AwsSession) -> None:
    """The client retries nothing on its own; what it raises tells how long to wait, and no secret."""
    kinesis.play(FAULTS[name])
    with pytest.raises(UplinkError) as caught:
        KinesisSink(session, STREAM, DEVICE).put(b"record")
    # What credentials that are fetched anew may mend is mended, if it is not too soon after the last time.
    mended = {FailureKind.MENDED} if KINDS[name] is FailureKind.CREDENTIALS_OR_CLOCK else set()
    assert caught.value.kind in {KINDS[name], *mended}
    assert kinesis.requests == 1
    assert "SECRET" not in str(caught.value)


def test_a_closed_session_raises(kinesis: FaultKinesis) -> None:
    """It does not open again behind one's back."""
    with AwsSession("eu-central-1", timeout_s=1.0) as session:
        KinesisSink(session, STREAM, DEVICE).put(b"record")
    with pytest.raises(RuntimeError, match="closed"):
        KinesisSink(session, STREAM, DEVICE).put(b"record")
    session.close()


def test_no_endpoint_is_a_transport_fault(kinesis: FaultKinesis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:9")
    with AwsSession("eu-central-1", timeout_s=1.0) as session, pytest.raises(Transient) as caught:
        KinesisSink(session, STREAM, DEVICE).put(b"record")
    assert caught.value.kind is FailureKind.TRANSPORT


def test_a_slow_answer_is_given_up_and_sent_again(kinesis: FaultKinesis, session: AwsSession) -> None:
    """An answer that comes after the read timeout makes a duplicate, and loses nothing."""
    kinesis.play(Answer(delay_s=2.0), Answer(stores=False, delay_s=2.0))
    journal = MemoryJournal(make_events(3))
    with running(make_uplink(session, journal).run):
        assert journal.wait_until_sent(20)
    assert arrived(kinesis) == [(1, 1), (1, 2), (1, 3)]
    assert len(kinesis.records) == 2


def test_a_storm_of_faults_converges(kinesis: FaultKinesis, session: AwsSession) -> None:
    """With every second request failing in one way or another, a backlog arrives whole and in order."""
    kinesis.play(*[answer for fault in FAULTS.values() for answer in (fault, faults.OK)])
    events = make_events(5000)
    journal = MemoryJournal(events)
    with running(make_uplink(session, journal).run):
        assert journal.wait_until_sent(30)
    assert arrived(kinesis) == [(1, event.seq) for event in events]


def test_what_happens_while_a_record_is_in_flight_goes_together(kinesis: FaultKinesis, session: AwsSession) -> None:
    """The first event is sent at once; those that come before its answer share the next record."""
    kinesis.play(Answer(delay_s=0.15))
    journal = MemoryJournal([make_event(1)])
    with running(make_uplink(session, journal).run):
        eventually(lambda: kinesis.requests == 1)
        for seq in range(2, 12):
            journal.add(make_event(seq))
        assert journal.wait_until_sent(10)
    sizes = [len(unpack(record.data, None).events) for record in kinesis.records]
    assert sizes == [1, 10]


def test_a_stop_does_not_wait_for_a_hanging_answer(kinesis: FaultKinesis) -> None:
    """The worker ends at a stop while the endpoint keeps it waiting, and never goes without a heartbeat."""
    kinesis.otherwise(Answer(delay_s=30.0))
    journal = MemoryJournal([make_event(1)])
    with AwsSession("eu-central-1", timeout_s=20.0) as session:
        with running(make_uplink(session, journal).run) as worker:
            eventually(lambda: kinesis.requests == 1)
            beats = len(worker.beats)
            eventually(lambda: len(worker.beats) >= beats + 2)
        assert worker.longest_silence_s() < 5.0
        kinesis.hurry()
        eventually(lambda: all(thread.name != "uplink-put" for thread in threading.enumerate()))
    assert journal.sent == []


def test_a_journal_on_disk_arrives_through_faults_and_restarts(
    kinesis: FaultKinesis, session: AwsSession, tmp_path: Path
) -> None:
    """With the real journal, and the worker stopped and started in between, the chain arrives unbroken."""
    kinesis.otherwise(lambda _: [faults.STORED_THEN_500, faults.OK, faults.THROTTLED_RECORD][kinesis.requests % 3])
    for _ in range(3):
        with SqliteJournal(tmp_path, device=DEVICE, site="hq", stamp=stamp) as journal:
            for _ in range(100):
                journal.append(opened(), 5.0)
            seen = kinesis.requests
            with running(make_uplink(session, journal).run):
                eventually(partial(more_requests_than, kinesis, seen))
    with (
        SqliteJournal(tmp_path, device=DEVICE, site="hq", stamp=stamp) as journal,
        running(make_uplink(session, journal).run),
    ):
        eventually(lambda: journal.stats().unsent == 0)
    events: dict[int, Event] = {}
    for record in kinesis.records:
        events |= {event.seq: event for event in unpack(record.data, [KEY.public_key()]).events}
    assert sorted(events) == list(range(1, 301))
    assert all(events[seq + 1].prev == events[seq].chain_hash() for seq in range(1, 300))
