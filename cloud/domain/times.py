"""Moments as text with milliseconds: what sorts by time is sorted by this."""

from datetime import UTC, datetime


def moment_text(seconds: float) -> str:
    """RFC 3339 UTC with milliseconds, such as 2026-03-01T08:00:00.250Z."""
    # Rounded first: 0.9996 s would be shown as the second before.
    moment = datetime.fromtimestamp(round(seconds, 3), UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def moment_s(text: str) -> float:
    """Unix seconds; the inverse of `moment_text`. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()
