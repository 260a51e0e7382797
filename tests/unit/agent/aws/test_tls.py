"""TLS by the trusted time: which certificates are taken, and what teaches the time."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.aws.kinesis import KinesisSink
from agent.aws.session import AwsSession
from agent.core.timekeeping import Answer, Timekeeping, Validity, advance, answer_problem, certificate_problem, hear
from agent.errors import FailureKind, Transient
from tests.rigs.certificates import YEAR_S, Authority
from tests.rigs.fault_kinesis import FaultKinesis

DAY_S = 86_400.0


class Clock:
    """A `CloudClock` over the real rules, with a system's clock as the test says.

    Args:
        known_off_s: The time is known, and so far off the truth; None: not known.
    """

    def __init__(self, known_off_s: float | None = None) -> None:
        told_s = None if known_off_s is None else time.time() + known_off_s
        self.time = advance(Timekeeping(), self.boot_s(), told_s)
        self.right = False
        """Whether OpenSSL may judge dates by the system's clock."""

    def is_known(self) -> bool:
        return self.time.told is not None

    def boot_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def hear(self, answer: Answer) -> str | None:
        problem = answer_problem(self.time, answer)
        if problem is None:
            self.time = advance(hear(self.time, answer), self.boot_s(), None)
        return problem

    def to_sign_s(self) -> float:
        return time.time()

    def for_credentials_s(self) -> float:
        return time.time()

    def certificate_problem(self, validity: Validity) -> str | None:
        return certificate_problem(self.time, self.boot_s(), validity)

    def system_is_right(self) -> bool:
        return self.right

    def off_s(self) -> float | None:
        """How far the told time is off the truth."""
        told = self.time.told
        return None if told is None else told.at(self.boot_s()) - time.time()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def put(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Callable[[FaultKinesis, Clock], None]:
    """One request."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))

    def put(kinesis: FaultKinesis, clock: Clock) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", kinesis.endpoint)
        with AwsSession("eu-central-1", 5.0, clock=clock) as session:
            KinesisSink(session, "events", "d1").put(b"record")

    return put


Put = Callable[[FaultKinesis, Clock], None]


def refused(put: Put, kinesis: FaultKinesis, clock: Clock) -> FailureKind:
    """What a request that must not be taken fails with; nothing arrived, nothing was learned."""
    before = clock.time
    with pytest.raises(Transient, match=r"certificate|hostname") as caught:
        put(kinesis, clock)
    assert clock.time == before
    return caught.value.kind


@pytest.fixture
def kinesis(authority: Authority) -> Iterator[FaultKinesis]:
    with FaultKinesis(authority.server()) as endpoint:
        yield endpoint


def test_an_answer_over_tls_teaches_the_time(kinesis: FaultKinesis, put: Put) -> None:
    """Within a second or so."""
    clock = Clock()
    put(kinesis, clock)
    off_s = clock.off_s()
    assert off_s is not None
    assert abs(off_s) < 5.0


def test_a_connection_that_is_kept_teaches_too(authority: Authority, put: Put, kinesis: FaultKinesis) -> None:
    """Every answer does, not the first alone."""
    clock = Clock()
    with AwsSession("eu-central-1", 5.0, clock=clock) as session, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", kinesis.endpoint)
        KinesisSink(session, "events", "d1").put(b"record")
        clock.time = Timekeeping()
        KinesisSink(session, "events", "d1").put(b"record")
    assert clock.off_s() is not None


@pytest.mark.parametrize("system_is_right", [False, True])
def test_a_stranger_is_refused_whatever_the_time(
    *, system_is_right: bool, tmp_path: Path, authority: Authority, put: Put
) -> None:
    """Of another authority, or for another host: only the dates are judged differently."""
    for known_off_s in (None, 0.0):
        clock = Clock(known_off_s)
        clock.right = system_is_right
        for context in (Authority(tmp_path / f"other-{known_off_s}").server(), authority.server(host="example.org")):
            with FaultKinesis(context) as stranger:
                refused(put, stranger, clock)
                assert stranger.records == []


@pytest.mark.parametrize("system_is_right", [False, True])
@pytest.mark.parametrize(("from_s", "until_s"), [(-YEAR_S, -DAY_S), (DAY_S, YEAR_S)])
def test_a_known_time_judges_the_dates(
    *, from_s: float, until_s: float, system_is_right: bool, authority: Authority, put: Put
) -> None:
    """Expired, or not yet valid; by OpenSSL where the system's clock is right, by us where it is not."""
    clock = Clock(0.0)
    clock.right = system_is_right
    with FaultKinesis(authority.server(from_s=from_s, until_s=until_s)) as server:
        assert refused(put, server, clock) is FailureKind.CREDENTIALS_OR_CLOCK
        assert server.records == []


@pytest.mark.parametrize("system_is_right", [False, True])
def test_the_whole_chain_is_judged(
    *, system_is_right: bool, tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that is valid under an authority that has expired is refused, as OpenSSL does."""
    authority = Authority(tmp_path, until_s=-DAY_S)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    clock = Clock(0.0)
    clock.right = system_is_right
    with FaultKinesis(authority.server()) as server:
        refused(put, server, clock)
        assert server.records == []


def test_a_known_time_is_what_counts_not_the_systems_clock(authority: Authority, put: Put) -> None:
    """A certificate that is valid by the trusted time alone is taken."""
    with FaultKinesis(authority.server(from_s=DAY_S, until_s=YEAR_S)) as server:
        server.date_off_s = 2 * DAY_S
        put(server, Clock(2 * DAY_S))
        assert len(server.records) == 1


def test_before_the_time_is_known_an_expired_certificate_must_lie_to_be_taken(authority: Authority, put: Put) -> None:
    """It expired yesterday: honest about the time, it is refused, and so is a lie from before the release."""
    with FaultKinesis(authority.server(from_s=-4 * YEAR_S, until_s=-DAY_S)) as server:
        assert refused(put, server, Clock()) is FailureKind.CREDENTIALS_OR_CLOCK
        server.date_off_s = -3 * YEAR_S
        refused(put, server, Clock())
    with FaultKinesis(authority.server(from_s=-4 * YEAR_S, until_s=-2 * YEAR_S)) as server:
        server.date_off_s = -3 * YEAR_S
        refused(put, server, Clock())


def test_an_odd_date_of_a_certificate_that_was_judged_stops_nothing(kinesis: FaultKinesis, put: Put) -> None:
    """The time is known, so the certificate is good: the record is delivered, and the time stays."""
    clock = Clock(0.0)
    kinesis.date_off_s = 30 * YEAR_S
    put(kinesis, clock)
    off_s = clock.off_s()
    assert off_s is not None
    assert abs(off_s) < 5.0
    assert len(kinesis.records) == 1


def test_without_verification_nothing_is_learned(
    kinesis: FaultKinesis, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody has switched verification off, anybody can be the server."""
    import botocore.session

    clock = Clock()
    monkeypatch.setenv("AWS_ENDPOINT_URL", kinesis.endpoint)
    with AwsSession("eu-central-1", 5.0, clock=clock) as session:
        session.kinesis()
        client: Any = botocore.session.get_session().create_client("kinesis", region_name="eu-central-1", verify=False)
        with pytest.warns(Warning, match="Unverified"):
            client.put_records(StreamName="s", Records=[{"Data": b"x", "PartitionKey": "k"}])
        client.close()
    assert clock.off_s() is None


def test_the_time_is_learned_before_the_first_request(kinesis: FaultKinesis, put: Put) -> None:
    """By a request that carries nothing; and not asked for where it is known."""
    with AwsSession("eu-central-1", 5.0, clock=(clock := Clock())) as session, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", kinesis.endpoint)
        session.learn_time()
        assert clock.off_s() is not None
        before = clock.time
        session.learn_time()
        assert clock.time == before
    assert kinesis.requests == 0


def test_the_time_is_not_asked_for_over_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is even asked: the way to the cloud is not held up for it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with AwsSession("eu-central-1", 5.0, clock=Clock()) as session:
        session.learn_time()
