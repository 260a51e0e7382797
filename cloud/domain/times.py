"""Moments as text with milliseconds: what sorts by time is sorted by this."""

from datetime import UTC, datetime


def moment_text(seconds: float) -> str:
    """RFC 3339 UTC with milliseconds, such as 2026-03-01T08:00:00.250Z."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def moment_s(text: str) -> float:
    """Unix seconds; the inverse of `moment_text`. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()
