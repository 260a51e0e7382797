"""The functions of the back office before their first event."""

import subprocess
import sys

import pytest

from cloud.errors import CloudError
from cloud.handlers.settings import variable

_PROBE = """
import boto3
import cloud.handlers.{name}
assert boto3.DEFAULT_SESSION is None
"""


@pytest.mark.parametrize("name", ["router", "processor", "snapshots"])
def test_import_makes_no_client_and_needs_no_variable(name: str) -> None:
    """A module that can't be imported fails without a word of ours; a client at import can't be told where to."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(name=name)],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_variable_that_is_missing_or_empty_stops_the_function() -> None:
    """By name: a function that guessed would work on another environment."""
    assert variable({"CARDEA_TABLE": "t"}, "TABLE") == "t"
    for environ in ({}, {"CARDEA_TABLE": ""}):
        with pytest.raises(CloudError, match="CARDEA_TABLE"):
            variable(environ, "TABLE")
