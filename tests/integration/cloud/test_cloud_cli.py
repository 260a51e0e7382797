"""`cardea cloud deploy`, `status` and `destroy`, as a person or a script calls them."""

import json
from collections.abc import Sequence

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from cloud.adapters.aws import AwsAccess

pytestmark = pytest.mark.system


def called(access: AwsAccess, *arguments: str) -> Result:
    options: Sequence[str] = ("--endpoint-url", access.endpoint or "")
    return CliRunner().invoke(main, ["cloud", *arguments, *options])


def test_environment_lives_and_dies_by_commands(empty_account: AwsAccess) -> None:
    """Each step says what a script needs to know, and nothing else on stdout."""
    environment = ("--env", "cli")
    first = called(empty_account, "deploy", *environment, "--site", "hq=Head office", "--json")
    assert first.exit_code == 0, first.stderr
    told = json.loads(first.stdout)
    assert (told["environment"], told["changed"]) == ("cli", True)
    assert told["outputs"]["TableName"] == "cardea-cli"
    again = json.loads(called(empty_account, "deploy", *environment, "--site", "hq", "--json").stdout)
    assert (again["changed"], again["outputs"]) == (False, told["outputs"])

    shown = called(empty_account, "status", *environment)
    assert shown.exit_code == 0
    assert "cardea-cli-device-hq" in shown.stdout
    assert "ApiUrl" in shown.stdout

    stopped = called(empty_account, "destroy", *environment)
    assert (stopped.exit_code, stopped.stdout) == (0, "")
    assert "cardea-cli: update complete" in stopped.stderr
    assert "does not work: only what holds data is there" in called(empty_account, "status", *environment).stdout

    refused = called(empty_account, "destroy", *environment, "--data")
    assert refused.exit_code == 2
    assert "--yes-delete-environment cli" in refused.stderr
    assert called(empty_account, "destroy", *environment, "--data", "--yes-delete-environment", "cl").exit_code == 2
    assert "cardea-cli" in empty_account.dynamodb().list_tables()["TableNames"]

    erased = called(empty_account, "destroy", *environment, "--data", "--yes-delete-environment", "cli", "--json")
    assert (erased.exit_code, json.loads(erased.stdout)) == (0, {"environment": "cli", "data": True, "locked": {}})
    gone = called(empty_account, "status", *environment)
    assert (gone.exit_code, gone.stderr) == (1, "cardea: cardea-cli: there is no such stack\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--env", "Dev"), "lower-case letters and digits"),
        (("--site", "a b"), "is not ID or ID=NAME"),
        (("--site", "hq", "--zone", "Berlin"), "is no time zone such as"),
        (("--set", "MfaMode"), "is not NAME=VALUE"),
    ],
)
def test_bad_option_is_refused_before_anything_is_called(
    empty_account: AwsAccess, arguments: Sequence[str], message: str
) -> None:
    """With the exit code of bad usage, and what would be right."""
    result = called(empty_account, "deploy", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_parameter_that_the_root_does_not_have_is_refused(empty_account: AwsAccess) -> None:
    """It is named, and nothing of the environment is made but the bucket that it would have been made from."""
    result = called(empty_account, "deploy", "--env", "odd", "--set", "NoSuchThing=1")
    assert result.exit_code == 1
    assert result.stderr.endswith("cardea: cardea-odd: its template has no parameter NoSuchThing\n")


def test_nothing_listens_is_told_apart() -> None:
    """A script can wait and try again."""
    result = CliRunner().invoke(main, ["cloud", "status", "--endpoint-url", "http://127.0.0.1:9"])
    assert result.exit_code == 4
