"""Translates what botocore raises into our errors. Must never let a peer's text through whole: it may hold a token."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

from agent.errors import FailureKind, Permanent, Transient, UplinkError

MAX_TEXT: Final = 200
"""Characters of a peer's message that are kept."""

_THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "KMSThrottlingException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
_CREDENTIALS_OR_CLOCK: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "KMSAccessDeniedException",
        "KMSOptInRequired",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
_MENDABLE: Final = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
"""Of these, what a right clock or fresh credentials can mend; the others want a person."""
_POISON: Final = frozenset(
    {
        "EntityTooLarge",
        "InvalidArgumentException",
        "RequestEntityTooLargeException",
        "SerializationException",
        "ValidationError",
        "ValidationException",
    }
)
_KIND_OF_STATUS: Final = {
    401: FailureKind.CREDENTIALS_OR_CLOCK,
    403: FailureKind.CREDENTIALS_OR_CLOCK,
    407: FailureKind.TRANSPORT,  # a proxy wants its own credentials
    408: FailureKind.TRANSPORT,
    413: FailureKind.POISON,
    429: FailureKind.THROTTLED,
    502: FailureKind.TRANSPORT,
    504: FailureKind.TRANSPORT,
    511: FailureKind.TRANSPORT,  # a captive portal
}
_CERTIFICATE_TIME: Final = ("certificate is not yet valid", "certificate has expired", "certificate was not valid at")
_STILL_EXPIRED: Final = "refreshed credentials are still expired"
"""botocore's words, in a plain RuntimeError, for fresh credentials that are old by our clock."""

# What botocore's parsers let escape when a body is JSON, but not the shape it should be, or no text at all.
_UNREADABLE: Final = (AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError)


def kind_of_code(code: str, status: int = 200) -> FailureKind:
    """The kind of an error code of AWS; for a code that is not known, of the HTTP status."""
    if code in _THROTTLED:
        return FailureKind.THROTTLED
    if code in _CREDENTIALS_OR_CLOCK:
        return FailureKind.CREDENTIALS_OR_CLOCK
    if code in _POISON:
        return FailureKind.POISON
    return _KIND_OF_STATUS.get(status, FailureKind.SERVICE)


def failure(kind: FailureKind, text: str) -> UplinkError:
    """Our error of this kind; `text` may come from a peer and is made safe to log."""
    safe = first_line(text)
    return Permanent(safe) if kind is FailureKind.POISON else Transient(safe, kind)


def first_line(text: str) -> str:
    """One printable line of at most MAX_TEXT characters.

    The first line only: a refused signature is answered with the canonical request, session token included, further
    down.
    """
    line = text.strip().partition("\n")[0]
    return "".join(char if char.isprintable() else " " for char in line)[:MAX_TEXT].rstrip()


def classify(error: BaseException, doing: str) -> UplinkError | None:
    """Our error for what a call of botocore raised; None for what is no failure of a call (a stop, no memory)."""
    # Imported here: a controller without [aws] never loads it.
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        code = str(answer.get("Code") or "no code")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return failure(kind_of_code(code, status), f"{doing}: {code}: {answer.get('Message', '')}")
    text = f"{doing}: {type(error).__name__}: {error}"
    if isinstance(error, BotoCoreError):
        return failure(_kind_of_local(error), text)
    if isinstance(error, RuntimeError) and _STILL_EXPIRED in str(error):
        return failure(FailureKind.CREDENTIALS_OR_CLOCK, text)
    # urllib3's own pass through botocore where a body is read after its head was taken for good.
    if isinstance(error, OSError | ResponseParserError | HTTPError):
        return failure(FailureKind.TRANSPORT, text)
    if isinstance(error, _UNREADABLE):
        # Without the error's own text: it may quote the answer.
        return failure(FailureKind.TRANSPORT, f"{doing}: the answer can't be read ({type(error).__name__})")
    return None


def mendable(error: BaseException) -> bool:
    """Whether a right clock or fresh credentials could make good what a call of botocore raised."""
    from botocore.exceptions import ClientError, NoCredentialsError

    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") in _MENDABLE
    return isinstance(error, NoCredentialsError) or (isinstance(error, RuntimeError) and _STILL_EXPIRED in str(error))


def _kind_of_local(error: Exception) -> FailureKind:
    """The kind of an error that botocore raised without an answer of the service."""
    from botocore import exceptions as boto

    credentials = (
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.MetadataRetrievalError,
        boto.NoAuthTokenError,
        boto.TokenRetrievalError,
        boto.ProfileNotFound,
        boto.SSOError,
    )
    transport = (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError)
    if isinstance(error, boto.SSLError) and any(words in str(error) for words in _CERTIFICATE_TIME):
        return FailureKind.CREDENTIALS_OR_CLOCK
    if isinstance(error, credentials):
        return FailureKind.CREDENTIALS_OR_CLOCK
    if isinstance(error, transport):
        return FailureKind.TRANSPORT
    if isinstance(error, boto.ParamValidationError | boto.ValidationError):
        return FailureKind.POISON
    return FailureKind.SERVICE


class Translated(AbstractContextManager[None]):
    """Around one call of botocore, and nothing else: what it raises leaves as ours.

    `doing` names the operation, such as `PutRecords`.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise ours from theirs."""
        if error is not None and (ours := classify(error, self._doing)) is not None:
            raise ours from error
