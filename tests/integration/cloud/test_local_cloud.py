"""`cardea cloud local`: the whole of it as its users start it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.adapters.aws import AwsAccess, AwsError, aws_errors
from cloud.contract.allowlist import Change, head_key, open_head
from cloud.contract.signing import credential_hash
from cloud.domain.lists import cards
from cloud.errors import LocalAwsError
from cloud.local.demo_site import DEMO_SITE, load_demo_site
from cloud.local.main import LocalCloud, details_for, publisher_for

pytestmark = pytest.mark.system

COMMAND = [sys.executable, "-c", "from agent.cli import main; main()", "cloud", "local"]


@contextmanager
def started(home: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process; gone at the end."""
    process = subprocess.Popen(
        [*COMMAND, "--home", str(home), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def door_access(details: dict[str, Any]) -> AwsAccess:
    environment = details["environment"]
    return AwsAccess(
        environment["AWS_ENDPOINT_URL"],
        environment["AWS_REGION"],
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_local_cloud_is_ready_soon_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Ready is one JSON document; a door's key reads a list that its files verify; at the end nothing is left."""
    with started(tmp_path, "--json") as process:
        assert process.stdout is not None
        details = json.loads(process.stdout.readline())
        public = bytes.fromhex((Path(details["door_dir"]) / "list-verify.pub").read_text())
        partition, sort = head_key(details["site"])
        item = (
            door_access(details)
            .dynamodb()
            .get_item(TableName=details["table"], Key={"pk": {"S": partition}, "sk": {"S": sort}}, ConsistentRead=True)[
                "Item"
            ]
        )
        head = open_head(item["doc"]["S"], [Ed25519PublicKey.from_public_bytes(public)])
        assert (head.site, head.epoch, head.version) == (details["site"], details["epoch"], details["version"])
        door_access(details).s3().get_object(Bucket=details["bucket"], Key=head.snapshot_key)
        process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
        assert (process.returncode, rest, errors) == (0, "", "")
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        "epoch", "lock", "local-aws.log", "keys/card-hash.key", "keys/list-sign.key", "keys/list-verify.pub",
        "door/card-hash.key", "door/list-verify.pub",
    }  # fmt: skip


def test_variables_for_a_door_are_for_a_shell_and_private(tmp_path: Path) -> None:
    """A shell that reads `door.env` has the door's variables; nobody else of the machine can read them."""
    with LocalCloud(tmp_path) as details:
        path = Path(details.door_env)
        assert path.stat().st_mode & 0o777 == 0o600
        shell = subprocess.run(
            ["sh", "-c", '. "$0" && env', path],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        found = dict(line.split("=", 1) for line in shell.stdout.splitlines())
        assert found.items() >= dict(details.environment).items()
        assert details.environment["AWS_SECRET_ACCESS_KEY"] not in repr(details)


def test_card_can_be_revoked_in_a_running_local_cloud(tmp_path: Path) -> None:
    """Another process finds the running one by its folder, and publishes with the site's key."""
    with started(tmp_path, "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        publisher = publisher_for(tmp_path)
        current = publisher.current()
        assert current is not None
        head, items = current
        assert cards(items) == 15
        key = bytes.fromhex((tmp_path / "keys" / "card-hash.key").read_text())
        alice = credential_hash(key, load_demo_site(DEMO_SITE, key).cards["alice"])
        changed = publisher.change([Change("card", alice, {**items["card", alice], "status": "revoked"})])
        assert (changed.epoch, changed.version) == (head.epoch, head.version + 1)


def test_restart_keeps_keys_and_raises_the_epoch(tmp_path: Path) -> None:
    """A door that remembers the run before takes the list of this one, and needs no new keys."""
    with LocalCloud(tmp_path) as first:
        keys = (tmp_path / "door" / "list-verify.pub").read_text()
    # As if the clock had been set back, or the restart had taken less than a second.
    (tmp_path / "epoch").write_text(str(first.epoch + 1000))
    with LocalCloud(tmp_path) as second:
        assert second.epoch == first.epoch + 1001
        assert (tmp_path / "door" / "list-verify.pub").read_text() == keys
        assert second.environment["AWS_SECRET_ACCESS_KEY"] != first.environment["AWS_SECRET_ACCESS_KEY"]


def test_second_local_cloud_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """It would take the first one's files away; the first one goes on."""
    with LocalCloud(tmp_path) as details:
        with pytest.raises(LocalAwsError, match="another local cloud runs in"):
            LocalCloud(tmp_path).__enter__()
        assert details_for(tmp_path)["endpoint"] == details.endpoint


def test_death_of_the_local_aws_ends_the_command(tmp_path: Path) -> None:
    """It says so and fails, instead of pretending to be ready for ever."""
    with started(tmp_path, "--json") as process:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["endpoint"].rpartition(":")[2])
        os.kill(_listener(process.pid, port), signal.SIGKILL)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 1
        assert "the local AWS has died" in errors
        assert errors.count("\n") == 1


def test_no_local_cloud_is_said_so(tmp_path: Path) -> None:
    """Asking for a publisher where none runs names the folder."""
    with pytest.raises(LocalAwsError, match=str(tmp_path)):
        publisher_for(tmp_path)


def test_door_key_of_a_stopped_local_cloud_is_worthless(tmp_path: Path) -> None:
    """The user that it belonged to is gone with the run that made it."""
    with LocalCloud(tmp_path / "a") as first:
        pass
    with LocalCloud(tmp_path / "b") as second:
        stale = AwsAccess(
            second.endpoint,
            second.region,
            first.environment["AWS_ACCESS_KEY_ID"],
            first.environment["AWS_SECRET_ACCESS_KEY"],
        )
        with pytest.raises(AwsError), aws_errors():
            stale.dynamodb().get_item(TableName=second.table, Key={"pk": {"S": "HEAD#hq"}, "sk": {"S": "-"}})


def _listener(parent: int, port: int) -> int:
    """The child of `parent` that is the local AWS."""
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            if f"GATEWAY_PORT={port}".encode() in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
                return child
    raise AssertionError("no local AWS found")
