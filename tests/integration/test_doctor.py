"""The self-test on real parts: disks, journals, a running daemon, a terminal."""

import hashlib
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.doctor.finding import Area
from tests.rigs import site
from tests.rigs.daemon import CARDEA
from tests.rigs.doctor import controller, doctor, run
from tests.rigs.journals import fill
from tests.rigs.waiting import wait_for

OTHER_USER = 12345
KEYS_OF_A_USED_ONE = {**site.KEYS, "device.key": "11" * 32}


@contextmanager
def _mounted(place: Path, *options: str) -> Iterator[None]:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", *options, "tmpfs", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"this test mounts a small disk and needs root: {done.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def _content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_new_controller_passes_before_its_first_start(tmp_path: Path) -> None:
    """The installer runs it before the daemon ever ran: keys in place, nothing else, and nothing fails."""
    told = doctor(controller(tmp_path).config)
    assert told.failed() == set()
    assert told.code == (0 if told.report["verdict"] != "fail" else 1)
    assert told.report["device"] == "test-door-1"
    assert told.report["daemon"] is False
    assert told.line("daemon", "running")["verdict"] == "warn"
    assert told.line("cloud", "endpoint")["what"].startswith("off:")


def test_report_is_the_documented_document(tmp_path: Path) -> None:
    """Programs read it: its keys, its areas in order, its verdicts, and a remedy on whatever does not pass."""
    told = doctor(controller(tmp_path).config)
    assert list(told.report) == ["config", "device", "daemon", "verdict", "count", "findings"]
    findings = told.report["findings"]
    assert {tuple(item) for item in findings} == {("area", "name", "verdict", "what", "remedy", "by_daemon")}
    order = [area.value for area in Area]
    places = [order.index(item["area"]) for item in findings]
    assert places == sorted(places)
    assert set(places) == set(range(len(order)))
    assert all((item["remedy"] is None) == (item["verdict"] == "pass") for item in findings)
    assert sum(told.report["count"].values()) == len(findings)
    assert told.report["verdict"] in ("warn", "fail")


def test_running_daemon_is_asked_and_left_alone(tmp_path: Path) -> None:
    """Its lines are marked as its own, no event and no log line comes of it, and it works on."""
    daemon = controller(tmp_path)
    site.install(daemon.state_dir, site.items())
    with daemon:
        # It is ready a moment before it has said so.
        wait_for(lambda: daemon.log_lines("agent.started"), "its own words to be in the log")
        before, logged = daemon.events(), daemon.log_text()
        told = doctor(daemon.config)
        assert daemon.events() == before
        assert daemon.log_text() == logged
        assert daemon.tap(site.ALICE)["decision"] == "granted"
    assert told.report["daemon"] is True
    assert told.failed() == set()
    assert all(item["by_daemon"] for item in told.lines("daemon"))
    assert [item["what"] for item in told.lines("readers", "reader")] == ["front-in: emulated", "front-in: ready"]
    assert re.search(r"\d+ events, whole", told.line("journal", "journal")["what"])


def test_degraded_reasons_come_with_their_remedies(tmp_path: Path) -> None:
    """A daemon without keys and without a list says so, and each line says what to do."""
    daemon = controller(tmp_path, keys={})
    with daemon:
        told = doctor(daemon.config)
        status = run([*CARDEA, "status", "--config", str(daemon.config)])
    lines = told.lines("daemon", "degraded")
    reasons = {item["what"].partition(":")[0] for item in lines}
    assert reasons == {"no_card_hash_key", "no_list_verify_key", "no_allowlist"}
    assert all(item["verdict"] == "fail" and item["remedy"] and item["by_daemon"] for item in lines)
    # `cardea status` shows the same words.
    assert all(f"  {item['what']} {item['remedy']}\n" in status.stdout for item in lines)


def test_daemon_that_hangs_is_told_in_time(tmp_path: Path) -> None:
    """A stopped daemon accepts a connection and never answers."""
    daemon = controller(tmp_path)
    with daemon:
        daemon.signal(signal.SIGSTOP)
        told = doctor(daemon.config)
        daemon.signal(signal.SIGCONT)
    line = told.line("daemon", "running")
    assert line["verdict"] == "fail"
    assert "did not answer in time" in line["what"]
    assert told.code == 1


def test_missing_and_open_keys_are_told(tmp_path: Path) -> None:
    """No key: fail with where it belongs. A key that everybody may read: fail with the command that mends it."""
    daemon = controller(tmp_path)
    (daemon.state_dir / "list-verify.pub").unlink()
    (daemon.state_dir / "card-hash.key").chmod(0o644)
    told = doctor(daemon.config)
    assert told.failed() == {("identity", "card-hash key"), ("identity", "list-verify keys")}
    assert told.code == 1
    assert told.line("identity", "card-hash key")["remedy"] == f"chmod 600 {daemon.state_dir}/card-hash.key"
    assert site.KEYS["card-hash.key"] not in json.dumps(told.report)


def test_device_key_that_is_gone_is_told(tmp_path: Path) -> None:
    """With a journal there was a key: a new one in its place would break the device's history."""
    daemon = controller(tmp_path)
    fill(daemon.state_dir, 5)
    told = doctor(daemon.config)
    assert told.failed() == {("identity", "device key")}
    assert not (daemon.state_dir / "device.key").exists()


@pytest.mark.system
def test_read_only_state_directory_is_told(tmp_path: Path) -> None:
    """As a file system that the kernel turned read-only after an error."""
    daemon = controller(tmp_path, keys={})
    with _mounted(daemon.state_dir, "-o", "ro,size=64m"):
        told = doctor(daemon.config)
    assert any("read-only" in item["what"] for item in told.lines("disk", "file system"))
    assert told.line("disk", "flush")["verdict"] == "fail"
    assert "Read-only" in told.line("disk", "flush")["what"]


@pytest.mark.system
def test_full_disk_is_told(tmp_path: Path) -> None:
    """Not a byte left: no space, and a file can't be written."""
    daemon = controller(tmp_path, keys={})
    with _mounted(daemon.state_dir, "-o", "size=1m,mode=750"):
        with (daemon.state_dir / "ballast").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        told = doctor(daemon.config)
        assert [path.name for path in daemon.state_dir.iterdir()] == ["ballast"]
    assert {("disk", "free space")} <= told.failed()
    assert told.line("disk", "free space")["what"] == "0 MiB free"
    assert told.line("disk", "flush")["verdict"] == "fail"
    assert "No space left" in told.line("disk", "flush")["what"]


def test_damaged_journal_is_told_and_kept(tmp_path: Path) -> None:
    """The break is named; the file stays as it is, for the agent to rescue."""
    daemon = controller(tmp_path, keys=KEYS_OF_A_USED_ONE)
    fill(daemon.state_dir, 300)
    path = daemon.state_dir / "journal.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(2048))
    before = path.read_bytes()
    told = doctor(daemon.config)
    assert told.failed() == {("journal", "journal")}
    assert "broken" in told.line("journal", "journal")["what"]
    assert path.read_bytes() == before


@pytest.mark.system
def test_whole_journal_is_left_as_it_is(tmp_path: Path) -> None:
    """A journal at rest is read. Root's look leaves nothing that would keep the service's own account out."""
    daemon = controller(tmp_path, keys=KEYS_OF_A_USED_ONE)
    fill(daemon.state_dir, 300)
    for path in (daemon.state_dir, *daemon.state_dir.iterdir()):
        os.chown(path, OTHER_USER, OTHER_USER)
    before = _content(daemon.state_dir)
    told = doctor(daemon.config)
    assert told.line("journal", "journal")["what"] == "300 events, whole"
    after = _content(daemon.state_dir)
    assert {name: after[name] for name in before} == before
    # SQLite's own, which every reader of a journal at rest leaves; the agent opens them again.
    assert set(after) - set(before) <= {"journal.db-shm", "journal.db-wal"}
    owners = {path.stat().st_uid for path in daemon.state_dir.iterdir()}
    assert owners == {OTHER_USER}


def test_set_aside_database_waits_for_a_person(tmp_path: Path) -> None:
    """A warning, with what to do; no failure."""
    daemon = controller(tmp_path)
    (daemon.state_dir / "set-aside" / "1").mkdir(parents=True)
    told = doctor(daemon.config)
    line = told.line("disk", "set aside")
    assert (line["verdict"], told.failed()) == ("warn", set())
    assert "1 in set-aside/: 1" in line["what"]


@pytest.mark.parametrize(
    ("offset", "expected"), [("@2001-01-01 00:00:00", "before this release"), ("+60y", "years after")]
)
@pytest.mark.system
def test_clock_that_can_not_be_right_is_told(tmp_path: Path, offset: str, expected: str) -> None:
    """A controller that woke up in another year."""
    told = doctor(controller(tmp_path).config, prefix=["faketime", "-f", offset])
    line = told.line("clock", "plausible")
    assert line["verdict"] == "fail"
    assert expected in line["what"]


def test_check_that_hangs_is_bounded(tmp_path: Path) -> None:
    """A key file that never gives a byte: its check fails with what hung, all others are there, the command ends."""
    daemon = controller(tmp_path)
    (daemon.state_dir / "card-hash.key").unlink()
    os.mkfifo(daemon.state_dir / "card-hash.key", 0o600)
    told = doctor(daemon.config)
    assert told.failed() == {("identity", "device key")}
    assert "this check hangs" in told.line("identity", "device key")["what"]
    assert {item["area"] for item in told.report["findings"]} == {area.value for area in Area}


@pytest.mark.system
def test_user_without_rights_is_told_to_come_back_as_root() -> None:
    """What can't be looked at is a warning; the controller is not at fault."""
    # Not in pytest's own folder, which nobody else may enter.
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        daemon = controller(Path(home))
        daemon.config.chmod(0o644)
        closed = Path(home) / "closed"
        closed.mkdir(mode=0o700)
        daemon.config.write_text(daemon.config.read_text().replace('"control.sock"', '"closed/control.sock"'))
        prefix = ["setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups"]
        told = doctor(daemon.config, prefix=prefix)
    assert "the check itself broke" not in json.dumps(told.report)
    # Where there is no service account, the agent would run as who asks: that this one can't write is a fault.
    assert told.failed() <= {("disk", "state directory"), ("daemon", "running")}
    assert told.line("daemon", "running")["what"] == f"this user may not look at {closed}/control.sock"
    for area, name in (("identity", "device key"), ("disk", "flush"), ("journal", "journal")):
        (line,) = [item for item in told.lines(area, name) if item["verdict"] != "pass"]
        assert (line["verdict"], line["remedy"]) == ("warn", "Run the self-test as root.")


def test_piped_text_is_plain_and_a_line_each(tmp_path: Path) -> None:
    """No colour, no progress, no trailing blanks, no line broken however long: grep finds what it looks for."""
    daemon = controller(tmp_path / ("long " * 40).strip(), keys={})
    done = run([*CARDEA, "doctor", "--config", str(daemon.config)], {"TERM": "xterm-256color", "COLUMNS": "40"})
    assert done.returncode == 1
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert not re.search(r"[ \t]$", done.stdout, re.MULTILINE)
    assert re.search(
        rf"^  fail  card-hash key +{re.escape(str(daemon.state_dir))}/card-hash.key is not there", done.stdout, re.M
    )
    assert done.stdout.splitlines()[-1].startswith("test-door-1: ")


@pytest.mark.system
def test_terminal_gets_colours_and_no_line_wider_than_it(tmp_path: Path) -> None:
    """80 columns, through a pseudo-terminal."""
    daemon = controller(tmp_path, keys={})
    command = f"stty cols 80; {' '.join(map(_quoted, CARDEA))} doctor --config {daemon.config}"
    done = run(["script", "-qec", command, "/dev/null"], {"TERM": "xterm-256color"})
    assert done.returncode == 1
    assert "\x1b[31mfail" in done.stdout
    report = done.stdout[done.stdout.index("configuration\x1b") :]
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", report)
    # A path is not broken, so that it can be copied.
    wide = [line for line in plain.splitlines() if len(line) > 80 and str(tmp_path) not in line]
    assert not wide


def _quoted(word: str) -> str:
    return f"'{word}'"
