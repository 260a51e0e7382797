"""botocore goes by the trusted time. These fail when a release of botocore moves what is replaced."""

import ast
import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.aws.kinesis import KinesisSink
from agent.aws.session import MEND_S, REFRESH_S, AwsSession
from agent.core.timekeeping import Answer, Validity
from agent.errors import FailureKind, Transient
from tests.rigs import fault_kinesis as faults
from tests.rigs.credential_server import CredentialServer
from tests.rigs.fault_kinesis import FaultKinesis

TRUE_S = 1_790_000_000.0
RECORD = {"Data": b"x", "PartitionKey": "k"}
SIGNED = "20260921T141320Z"


class FixedClock:
    """A `CloudClock` that a test moves; the boot clock stands at 0."""

    def __init__(self) -> None:
        self.sign_s = self.credentials_s = TRUE_S
        self.heard: list[Answer] = []

    def is_known(self) -> bool:
        return True

    def boot_s(self) -> float:
        return 0.0

    def hear(self, answer: Answer) -> str | None:
        self.heard.append(answer)
        return None

    def to_sign_s(self) -> float:
        return self.sign_s

    def for_credentials_s(self) -> float:
        return self.credentials_s

    def certificate_problem(self, validity: Validity) -> str | None:
        return None

    def system_is_right(self) -> bool:
        return True


class Provider:
    """Gives credentials that are valid for an hour of the test's time."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.calls = 0

    def __call__(self) -> Mapping[str, str]:
        self.calls += 1
        expiry = datetime.fromtimestamp(self.clock.credentials_s + 3600, UTC).isoformat()
        return {"access_key": "AKIA", "secret_key": "s", "token": f"t{self.calls}", "expiry_time": expiry}


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultKinesis]:
    with FaultKinesis() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield endpoint


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


def ask(session: AwsSession) -> None:
    KinesisSink(session, "events", "d1").put(b"record")


def kind(session: AwsSession) -> FailureKind:
    """Of the failure of a call."""
    with pytest.raises(Transient) as caught:
        ask(session)
    return caught.value.kind


def signed_with(request: Any) -> tuple[str, str]:
    """The date of a request, and that of its signature's scope."""
    authorization = request.headers["Authorization"]
    text = authorization.decode() if isinstance(authorization, bytes) else authorization
    date = request.headers["X-Amz-Date"]
    return (date.decode() if isinstance(date, bytes) else date), text.split("/")[1]


def test_every_request_is_signed_with_the_trusted_time(clock: FixedClock, kinesis: FaultKinesis) -> None:
    """Stream, table and bucket; and botocore is as before once the session is closed."""
    seen: list[tuple[str, str]] = []

    def look(request: Any, **_: Any) -> Any:
        """Called by botocore with the finished request; what it gives is taken for the answer."""
        from botocore.awsrequest import AWSResponse
        from botocore.compat import HTTPHeaders

        seen.append(signed_with(request))
        return AWSResponse(request.url, 503, HTTPHeaders(), None)

    with AwsSession("eu-central-1", 5.0, clock=clock) as session:
        asked: Sequence[tuple[Any, Callable[[Any], object]]] = (
            (session.kinesis(), lambda it: it.put_records(StreamName="s", Records=[RECORD])),
            (session.dynamodb(), lambda it: it.get_item(TableName="t", Key={"pk": {"S": "a"}})),
            (session.s3(), lambda it: it.get_object(Bucket="bucket", Key="k")),
        )
        for client, ask_it in asked:
            client.meta.events.register_first("before-send", look)
            with pytest.raises(Exception, match=r"."):
                ask_it(client)
    assert seen == [(SIGNED, SIGNED[:8])] * 3

    auth: Any = importlib.import_module("botocore.auth")
    now_s = auth.get_current_datetime().replace(tzinfo=UTC).timestamp()
    assert abs(now_s - time.time()) < 60


def test_the_signer_of_awscrt_takes_the_time_from_the_same_place() -> None:
    """It can't be loaded without awscrt, so its source is read: the name that is replaced, called in every signer."""
    found = importlib.util.find_spec("botocore")
    assert found is not None
    assert found.origin is not None
    tree = ast.parse(Path(found.origin).with_name("crt").joinpath("auth.py").read_text())
    names = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert "get_current_datetime" in names
    source = ast.dump(tree)
    assert source.count("id='get_current_datetime'") == source.count("attr='AwsSigningConfig'")
    assert "datetime.now" not in ast.unparse(tree)


def test_credentials_are_fetched_anew_by_the_trusted_time(clock: FixedClock, kinesis: FaultKinesis) -> None:
    """Not before, whatever the system's clock shows: two years from now nothing has expired."""
    provider = Provider(clock)
    with AwsSession("eu-central-1", 5.0, clock=clock, fetch=provider) as session:
        ask(session)
        ask(session)
        assert provider.calls == 1
        clock.credentials_s = clock.sign_s = TRUE_S + 3500
        ask(session)
        assert provider.calls == 2


def test_a_provider_of_the_standard_chain_goes_by_the_trusted_time(
    clock: FixedClock, kinesis: FaultKinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a container's: botocore makes its credentials without asking for a clock."""
    with CredentialServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        clock.credentials_s = time.time()
        with AwsSession("eu-central-1", 5.0, clock=clock) as session:
            ask(session)
            assert server.issued == 1
            server.lifetime_s = 3 * 3600
            clock.credentials_s += 3500
            ask(session)
            assert server.issued == 2


def test_a_cache_of_credentials_goes_by_the_trusted_time(clock: FixedClock, kinesis: FaultKinesis) -> None:
    """The cache of an assumed role is botocore's own, and asks a function of its module."""
    from botocore.credentials import CachedCredentialFetcher

    class Role(CachedCredentialFetcher):
        fetched = 0

        def _create_cache_key(self) -> str:
            return "role"

        def _get_credentials(self) -> Mapping[str, Any]:
            self.fetched += 1
            expiry = datetime.fromtimestamp(clock.credentials_s + 3600, UTC).isoformat()
            given = {"AccessKeyId": "AKIA", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": expiry}
            return {"Credentials": given}

    role = Role()
    with AwsSession("eu-central-1", 5.0, clock=clock) as session:
        ask(session)
        role.fetch_credentials()
        role.fetch_credentials()
        assert role.fetched == 1
        clock.credentials_s += 3600
        role.fetch_credentials()
        assert role.fetched == 2


def test_a_refusal_after_which_the_time_is_known_is_mended(clock: FixedClock, kinesis: FaultKinesis) -> None:
    """Signed anew at once; but two endpoints that disagree do not make us try without a pause."""
    now_s = [100.0]
    with AwsSession("eu-central-1", 5.0, clock=clock, monotonic=lambda: now_s[0]) as session:

        def learn(_: object) -> faults.Answer:
            clock.sign_s += 1000
            return faults.BAD_SIGNATURE

        kinesis.gate = learn
        assert kind(session) is FailureKind.MENDED
        assert kind(session) is FailureKind.CREDENTIALS_OR_CLOCK
        with pytest.raises(Transient) as caught, session.call("GetItem"):  # another worker's call
            session.dynamodb().get_item(TableName="t", Key={"pk": {"S": "a"}})
        assert caught.value.kind is FailureKind.MENDED
        now_s[0] += MEND_S
        assert kind(session) is FailureKind.MENDED


@pytest.mark.parametrize(
    "code",
    ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "RequestTimeTooSkewed"],
)
def test_refused_credentials_are_fetched_anew_once(code: str, clock: FixedClock, kinesis: FaultKinesis) -> None:
    """At once, and then not again for a while: fresh ones that are refused are no matter of age."""
    now_s = [100.0]
    provider = Provider(clock)
    with AwsSession("eu-central-1", 5.0, clock=clock, fetch=provider, monotonic=lambda: now_s[0]) as session:
        ask(session)
        kinesis.otherwise(faults.Answer(stores=False, status=400, error=code))
        assert kind(session) is FailureKind.MENDED
        assert kind(session) is FailureKind.CREDENTIALS_OR_CLOCK
        assert provider.calls == 2
        now_s[0] += REFRESH_S
        assert kind(session) is FailureKind.MENDED
        kinesis.otherwise(faults.OK)
        ask(session)
        assert provider.calls == 3


def test_credentials_that_worked_and_are_refused_again_are_fetched_anew_again(
    clock: FixedClock, kinesis: FaultKinesis
) -> None:
    """Revoked twice in a row: the long wait is for fresh ones that never worked."""
    now_s = [100.0]
    provider = Provider(clock)
    with AwsSession("eu-central-1", 5.0, clock=clock, fetch=provider, monotonic=lambda: now_s[0]) as session:
        for calls in (1, 2, 3):
            ask(session)
            assert provider.calls == calls
            kinesis.play(faults.EXPIRED_TOKEN)
            assert kind(session) is FailureKind.MENDED
            now_s[0] += MEND_S


def test_a_refusal_that_nothing_mends_is_left_to_a_person(clock: FixedClock, kinesis: FaultKinesis) -> None:
    """No right to write is no matter of time or age."""
    with AwsSession("eu-central-1", 5.0, clock=clock) as session:
        kinesis.otherwise(faults.Answer(stores=False, status=400, error="AccessDeniedException"))
        assert kind(session) is FailureKind.CREDENTIALS_OR_CLOCK


def test_fresh_credentials_that_are_old_by_our_clock_do_not_kill_the_worker(
    clock: FixedClock, kinesis: FaultKinesis
) -> None:
    """botocore raises a plain RuntimeError for them."""

    def stale() -> Mapping[str, str]:
        return {**Provider(clock)(), "expiry_time": "2026-01-01T00:00:00Z"}

    with AwsSession("eu-central-1", 5.0, clock=clock, fetch=stale) as session:
        assert kind(session) is FailureKind.MENDED
        assert kind(session) is FailureKind.CREDENTIALS_OR_CLOCK


def test_plain_http_never_teaches_the_time(clock: FixedClock, kinesis: FaultKinesis) -> None:
    """Anybody on the network could have written it."""
    with AwsSession("eu-central-1", 5.0, clock=clock) as session:
        ask(session)
    assert clock.heard == []
