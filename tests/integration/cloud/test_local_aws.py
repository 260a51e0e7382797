"""The local AWS process: it starts, is private to this machine, and never outlives its parent."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from cloud.errors import LocalAwsError
from cloud.local.server import LocalAws

pytestmark = pytest.mark.system


def _until(condition: Callable[[], bool], limit_s: float = 10.0) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def _group_members(group: int) -> list[int]:
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            members.append(int(stat.parent.name))
    return members


def _listeners(pid: int) -> set[str]:
    """Local addresses that a process listens on, as `ip:port` in the kernel's hex."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(entry.readlink()))
        except FileNotFoundError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in inodes:
                found.add(columns[1])
    return found


def test_local_aws_answers_and_listens_on_loopback_only(tmp_path: Path) -> None:
    """Clients get an answer, and no other address of the machine does."""
    with LocalAws(tmp_path) as aws:
        environment = aws.environment()
        identity = boto3.client(
            "sts",
            endpoint_url=aws.endpoint,
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        ).get_caller_identity()
        assert identity["Arn"].endswith(":root")
        port = int(aws.endpoint.rpartition(":")[2])
        assert aws._process is not None
        listeners = set().union(*(_listeners(pid) for pid in _group_members(aws._process.pid)))
        assert listeners == {f"0100007F:{port:04X}"}


def test_local_aws_stop_leaves_nothing_but_its_log(tmp_path: Path) -> None:
    """After stop no process of the group and no temporary file is left; a second stop is no error."""
    aws = LocalAws(tmp_path)
    aws.start()
    assert aws._process is not None
    group = aws._process.pid
    aws.stop()
    aws.stop()
    assert _until(lambda: not _group_members(group))
    assert not aws.running
    assert [path.name for path in tmp_path.iterdir()] == ["local-aws.log"]
    with pytest.raises(LocalAwsError, match="not running"):
        _ = aws.endpoint


def test_local_aws_dies_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed outright leaves no local AWS behind."""
    script = (
        "import sys, time; from pathlib import Path; from cloud.local.server import LocalAws\n"
        "aws = LocalAws(Path(sys.argv[1])); aws.start(); print(aws._process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())
        assert len(_group_members(group)) >= 2
        parent.send_signal(signal.SIGKILL)
    assert _until(lambda: not _group_members(group))


def test_local_aws_refuses_a_port_in_use(tmp_path: Path) -> None:
    """A port that somebody else listens on is named, at once."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LocalAwsError, match=f"port {port} is in use"):
            LocalAws(tmp_path, port).start()


def test_local_aws_that_dies_at_once_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends before it is ready is reported with the place of its log, without waiting for long."""
    monkeypatch.setenv("CARDEA_LOCALAWS_BIN", "/bin/false")
    began = time.monotonic()
    with pytest.raises(LocalAwsError, match=r"local-aws\.log"):
        LocalAws(tmp_path).start()
    assert time.monotonic() - began < 5


def test_local_aws_missing_names_the_make_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its environment the error says in one line what to run."""
    monkeypatch.setenv("CARDEA_LOCALAWS_BIN", str(tmp_path / "absent"))
    with pytest.raises(LocalAwsError, match="make localaws") as caught:
        LocalAws(tmp_path).start()
    assert "\n" not in str(caught.value)
