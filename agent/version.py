"""The one place that holds the version."""

VERSION = "0.1.0"
RELEASED = "2026-11-01T00:00:00+00:00"
"""No clock that is before this is right. Moved on with every release."""
