"""Peers that are measured beside ours. Each is a script for an environment of its own, `build/peers`: none of them is
a dependency, and no module here is imported by ours but this one."""

from pathlib import Path

from tests.bench.context import ROOT

_PYTHON = ROOT / "build/peers/bin/python"


def python() -> Path:
    """The peers' Python; raises RuntimeError with the remedy when it is not installed."""
    if not _PYTHON.exists():
        raise RuntimeError("the peers are not installed: make build/peers/.ready")
    return _PYTHON
