"""What a function that handles requests tells: a line for each, and counts. Must never tell what a request contains.

Exceptions are named by their kind and place; the words of those that are not ours may repeat somebody's data.
"""

import traceback
from collections import Counter
from typing import Final

from aws_lambda_powertools import Logger

from cloud.contract.errors import ContractError
from cloud.errors import CloudError
from cloud.handlers.counts import tell_counts
from cloud.requests.ending import End, Report

_COUNTED: Final = {
    End.DONE: "requests_done",
    End.REJECTED: "requests_rejected",
    End.UNREADABLE: "requests_unreadable",
}
_FRAMES: Final = 5


class Telemetry:
    """Log and metrics of one function. Its name comes from POWERTOOLS_SERVICE_NAME, the log's level from
    POWERTOOLS_LOG_LEVEL.
    """

    def __init__(self, environment: str) -> None:
        self._environment = environment
        self._logger = Logger(use_rfc3339=True, utc=True)
        self._counts: Counter[str] = Counter()

    def conflict(self) -> None:
        """Somebody else wrote in between."""
        self._counts["commit_conflicts"] += 1

    def ended(self, report: Report) -> None:
        """A request has its end."""
        if report.end in _COUNTED:
            self._counts[_COUNTED[report.end]] += 1
        self._logger.set_correlation_id(report.request)
        level = self._logger.warning if report.end is End.UNREADABLE else self._logger.info
        level(f"request.{report.end.value}", extra={"type": report.type, "code": report.code})
        self._logger.set_correlation_id(None)

    def routed(self, request: str, kind: str) -> None:
        """A request is on its way to its processor."""
        self._logger.set_correlation_id(request)
        self._logger.info("request.routed", extra={"type": kind})
        self._logger.set_correlation_id(None)

    def failed(self, message_id: str, error: Exception) -> None:
        """A message will be delivered again."""
        told = {"message_id": message_id, "error": type(error).__name__}
        if isinstance(error, CloudError | ContractError):
            told["cause"] = str(error)
        else:
            frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
            told["where"] = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
        self._logger.error("message.failed", extra=told)

    def flush(self) -> None:
        """Tell the counts since the last time."""
        counts, self._counts = self._counts, Counter()
        tell_counts(self._environment, counts)
