"""What botocore raises, as ours: total, by kind, and without a secret in it."""

import subprocess
import sys

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from agent.aws.errors import MAX_TEXT, Translated, classify, kind_of_code
from agent.errors import FailureKind, Permanent, Transient, UplinkError


def client_error(code: object, status: object = 400, message: object = "words") -> boto.ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(response, "PutRecords")  # type: ignore[arg-type]  # also what no service would answer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("ProvisionedThroughputExceededException"), FailureKind.THROTTLED),
        (client_error("SlowDown", 503), FailureKind.THROTTLED),
        (client_error("Whatever", 429), FailureKind.THROTTLED),
        (client_error("ExpiredTokenException"), FailureKind.CREDENTIALS_OR_CLOCK),
        (client_error("RequestTimeTooSkewed", 403), FailureKind.CREDENTIALS_OR_CLOCK),
        (client_error("AccessDeniedException"), FailureKind.CREDENTIALS_OR_CLOCK),
        (boto.NoCredentialsError(), FailureKind.CREDENTIALS_OR_CLOCK),
        (
            boto.SSLError(
                endpoint_url="https://x", error=OSError("certificate verify failed: certificate is not yet valid")
            ),
            FailureKind.CREDENTIALS_OR_CLOCK,
        ),
        (boto.SSLError(endpoint_url="https://x", error=OSError("wrong version number")), FailureKind.TRANSPORT),
        (boto.EndpointConnectionError(endpoint_url="https://x"), FailureKind.TRANSPORT),
        (boto.ReadTimeoutError(endpoint_url="https://x"), FailureKind.TRANSPORT),
        (boto.ConnectionClosedError(endpoint_url="https://x"), FailureKind.TRANSPORT),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), FailureKind.TRANSPORT),
        (ResponseParserError("no XML"), FailureKind.TRANSPORT),
        (ConnectionResetError(104, "reset"), FailureKind.TRANSPORT),
        (AttributeError("'list' object has no attribute 'get'"), FailureKind.TRANSPORT),
        (client_error("511", 511), FailureKind.TRANSPORT),
        (client_error("InternalFailure", 500), FailureKind.SERVICE),
        (client_error("ResourceNotFoundException"), FailureKind.SERVICE),
        (client_error("NoSuchKey", 404), FailureKind.SERVICE),
        (client_error("NewInTheNextRelease"), FailureKind.SERVICE),
        (boto.NoRegionError(), FailureKind.SERVICE),
        (client_error("ValidationException"), FailureKind.POISON),
        (client_error("413", 413), FailureKind.POISON),
        (boto.ParamValidationError(report="Data: too long"), FailureKind.POISON),
    ],
)
def test_each_failure_has_its_kind(error: Exception, kind: FailureKind) -> None:
    """The kind decides how long to wait; only poison is permanent."""
    ours = classify(error, "PutRecords")
    assert ours is not None
    assert ours.kind is kind
    assert isinstance(ours, Permanent if kind is FailureKind.POISON else Transient)
    assert str(ours).startswith("PutRecords: ")


def test_every_error_code_that_the_stream_declares_is_classified() -> None:
    """Each error that botocore's own model names for PutRecords has a kind that was meant."""
    meant = {
        "AccessDeniedException": FailureKind.CREDENTIALS_OR_CLOCK,
        "DryRunOperationException": FailureKind.SERVICE,
        "InternalFailureException": FailureKind.SERVICE,
        "InvalidArgumentException": FailureKind.POISON,
        "KMSAccessDeniedException": FailureKind.CREDENTIALS_OR_CLOCK,
        "KMSDisabledException": FailureKind.SERVICE,
        "KMSInvalidStateException": FailureKind.SERVICE,
        "KMSNotFoundException": FailureKind.SERVICE,
        "KMSOptInRequired": FailureKind.CREDENTIALS_OR_CLOCK,
        "KMSThrottlingException": FailureKind.THROTTLED,
        "ProvisionedThroughputExceededException": FailureKind.THROTTLED,
        "ResourceNotFoundException": FailureKind.SERVICE,
    }
    from botocore.session import get_session

    model = get_session().get_service_model("kinesis")
    declared = {shape.name for shape in model.operation_model("PutRecords").error_shapes}
    assert declared <= set(meant), "a new release of botocore names an error that nobody thought about"
    assert {code: kind_of_code(code, 400) for code in meant} == meant


_JUNK = st.none() | st.integers() | st.text() | st.booleans()


@given(code=_JUNK, status=st.none() | st.integers(100, 599), message=_JUNK)
def test_any_answer_is_classified(code: object, status: object, message: object) -> None:
    """Whatever a peer writes into an error, the result is one of ours: short, printable, one line."""
    ours = classify(client_error(code, status, message), "PutRecords")
    assert isinstance(ours, UplinkError)
    assert len(str(ours)) <= MAX_TEXT
    assert str(ours).isprintable()


def _all_kinds(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(each for child in root.__subclasses__() for each in _all_kinds(child))]


@pytest.mark.parametrize("kind", _all_kinds(boto.BotoCoreError), ids=lambda kind: kind.__name__)
def test_any_error_of_botocore_is_classified(kind: type[Exception]) -> None:
    """No error that botocore defines gets past, whatever its arguments."""
    error = kind.__new__(kind)
    Exception.__init__(error, "words")
    assert isinstance(classify(error, "PutRecords"), UplinkError)


def test_a_refused_signature_shows_no_token() -> None:
    """The service quotes the canonical request, session token included, below the first line."""
    message = "The request signature we calculated does not match.\n\nx-amz-security-token:SECRET"
    ours = classify(client_error("InvalidSignatureException", 400, message), "PutRecords")
    assert "does not match" in str(ours)
    assert "SECRET" not in str(ours)


def test_what_is_no_failure_of_a_call_passes() -> None:
    """A stop or a lack of memory is not turned into something to retry."""
    with pytest.raises(KeyboardInterrupt), Translated("PutRecords"):
        raise KeyboardInterrupt
    with pytest.raises(MemoryError), Translated("PutRecords"):
        raise MemoryError


def test_the_cause_is_kept() -> None:
    """The vendor's error is the cause of ours."""
    error = client_error("InternalFailure", 500)
    with pytest.raises(Transient) as caught, Translated("PutRecords"):
        raise error
    assert caught.value.__cause__ is error


def test_naming_the_adapters_loads_no_boto3() -> None:
    """A controller without [aws] does not pay for boto3, however the composition root imports."""
    code = (
        "import sys, agent.aws.errors, agent.aws.kinesis, agent.aws.lists, agent.aws.session, agent.runtime.sync\n"
        "import agent.runtime.uplink\n"
        "assert not {'boto3', 'botocore'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
