"""What can go wrong between a member of staff and the API.

OfficeError
|- BadInput            what was asked for is not well-formed: the service would never take it
|- NotSignedIn         there is no token, or none that the service takes
|- Refused             the service understood, and may not or can't do it: role, unknown thing, conflict
|- Rejected            a change was carried out to its end, which is that the rules forbid it
|- Unfinished          a change was taken, and its end was not seen in time
`- ServiceUnreachable  no answer, or none of its own
"""

from collections.abc import Mapping
from typing import Any

from agent.errors import AgentError


class OfficeError(AgentError):
    """Root of all errors of the staff's side."""


class BadInput(OfficeError):  # noqa: N818 - named for what happened
    """What was asked for is not well-formed."""


class NotSignedIn(OfficeError):  # noqa: N818
    """There is no token, or none that the service takes."""


class Refused(OfficeError):  # noqa: N818
    """The service may not or can't do it; `kind` is that of its problem document."""

    def __init__(self, message: str, kind: str) -> None:
        self.kind = kind
        super().__init__(message)


class Rejected(OfficeError):  # noqa: N818
    """The rules forbid a change; `request` is its document, with `code` and `detail`."""

    def __init__(self, message: str, request: Mapping[str, Any]) -> None:
        self.request = request
        super().__init__(message)


class Unfinished(OfficeError):  # noqa: N818
    """A change was taken and its end was not seen in time; `request` is what was last known of it."""

    def __init__(self, message: str, request: Mapping[str, Any]) -> None:
        self.request = request
        super().__init__(message)


class ServiceUnreachable(OfficeError):  # noqa: N818
    """No answer, or none of the service's own."""
