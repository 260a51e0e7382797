"""The demo as a process, with a stand-in for the programs that it starts: order, words, and nothing left behind."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rigs.waiting import wait_for

ROOT = Path(__file__).parents[4]

CARDEA = """#!{python}
# Plays both children: `cloud local --json` and `run --config FILE`.
import json, os, pathlib, signal, subprocess, sys, threading
sys.path.insert(0, {root!r})
here = pathlib.Path({here!r})
role = sys.argv[1]
(here / (role + ".pid")).write_text(str(os.getpid()))
(here / (role + ".env")).write_text(json.dumps(dict(os.environ)))
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
def wait():
    # In steps: the handler runs when the main thread wakes, and the signal may come to another one, or just before.
    while not stop.wait(0.1):
        pass
print("hello from", role, file=sys.stderr, flush=True)
if (here / (role + ".dies")).exists():
    sys.exit("cannot \\x1b[31mgo on")
if role == "cloud":
    # A grandchild that nobody stops in good order.
    child = subprocess.Popen(["sleep", "600"])
    (here / "grandchild.pid").write_text(str(child.pid))
    (here / "door").mkdir(exist_ok=True)
    for name in ("card-hash.key", "list-verify.pub"):
        (here / "door" / name).write_text("00" * 32)
    environment = {{"AWS_ACCESS_KEY_ID": "door", "AWS_ENDPOINT_URL": {endpoint!r}}}
    both = {{"environment": environment, "operator_environment": environment}}
    office = ("api", "site", "pool_id", "client_id", "region")
    both |= {{name: {endpoint!r} if name == "api" else "eu-central-1_x" for name in office}}
    both |= {{"epoch": 1, "version": 1}}
    both |= {{"staff": {{"administrator": {{"name": "administrator", "password": "secret"}}}}}}
    print(json.dumps({{"endpoint": {endpoint!r}, "home": str(here), **both}}), flush=True)
    wait()
else:
    from tests.rigs.stand_in_daemon import StandInDaemon
    with StandInDaemon(here / "control.sock"):
        wait()
with open(here / "stopped", "a") as order:
    order.write(role + "\\n")
"""

DEMO = """
import sys
from pathlib import Path
import click
from agent.cli.common import reports_errors
from agent.panel.demo import DemoSettings, run_demo
here = Path(sys.argv[1])
settings = DemoSettings(config=here / "demo.toml", port=int(sys.argv[2]), folder=here / "logs", cardea=here / "cardea")
reports_errors(lambda: run_demo(settings, click.echo, lambda text: click.echo(text, err=True)))()
"""

CONFIG = """
[device]
id = "hq-demo-1"
site = "hq"
state_dir = "state"
socket = "control.sock"
[[door]]
id = "hq-office"
[door.lock]
driver = "emulated"
fail = "secure"
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        program = tmp_path / "cardea"
        program.write_text(CARDEA.format(python=sys.executable, root=str(ROOT), here=str(tmp_path), endpoint=endpoint))
        program.chmod(0o755)
        (tmp_path / "demo.toml").write_text(CONFIG)
        (tmp_path / "endpoint").write_text(endpoint)
        yield tmp_path


@pytest.fixture
def start(here: Path) -> Iterator[Start]:
    running = []

    def begin(port: int = 0) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", DEMO, str(here), str(port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "AWS_PROFILE": "production"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()
    for file in here.glob("*.pid"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(file.read_text()), signal.SIGKILL)


def alive(here: Path) -> list[str]:
    """The children that still run; zombies do not."""
    found = []
    for file in here.glob("*.pid"):
        with contextlib.suppress(FileNotFoundError):
            state = Path(f"/proc/{file.read_text()}/stat").read_text().rpartition(")")[2].split()[0]
            found += [file.stem] if state != "Z" else []
    return found


def lines_until(process: "subprocess.Popen[str]", start: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(start):
            return lines
    raise AssertionError(f"no line {start!r}: {lines} {process.communicate()}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_runs_until_a_signal_and_leaves_nothing(here: Path, start: Start, number: signal.Signals) -> None:
    """`ready:` comes first and is true; the door stops before its cloud; no process and no socket is left."""
    demo = start()
    lines = lines_until(demo, "logs:")
    port = int(lines[0].removeprefix("ready: http://127.0.0.1:").removesuffix("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    endpoint = (here / "endpoint").read_text()
    assert lines[1].endswith(f"tap alice --reader turnstile-in --config {here}/demo.toml")
    assert f"  export AWS_ENDPOINT_URL={endpoint}" in lines
    assert sorted(alive(here)) == ["cloud", "grandchild", "run"]
    demo.send_signal(number)
    assert demo.wait(10) == 0
    assert alive(here) == []
    assert (here / "stopped").read_text().split() == ["run", "cloud"]
    assert "hello from run" in (here / "logs" / "agent.log").read_text()


def test_door_sees_the_relay_and_no_account_of_the_person(here: Path, start: Start) -> None:
    """The endpoint is not the local AWS itself, and the profile did not get through."""
    lines_until(start(), "logs:")
    environment = (here / "run.env").read_text()
    assert (here / "endpoint").read_text() not in environment
    assert "AWS_ENDPOINT_URL" in environment
    assert "production" not in environment
    assert "production" not in (here / "cloud.env").read_text()


def test_children_die_with_a_killed_demo(here: Path, start: Start) -> None:
    """SIGKILL gives the demo no chance to stop them; they are told nevertheless."""
    demo = start()
    lines_until(demo, "logs:")
    demo.kill()
    wait_for(lambda: not {"cloud", "run"} & set(alive(here)), "both children gone")
    assert sorted((here / "stopped").read_text().split()) == ["cloud", "run"]


@pytest.mark.parametrize(("role", "name"), [("cloud", "cardea cloud local"), ("run", "cardea run")])
def test_child_that_can_not_start_is_reported(here: Path, start: Start, role: str, name: str) -> None:
    """Its name, its exit code and the end of its log, with nothing that a terminal would obey."""
    (here / f"{role}.dies").touch()
    _, errors = (demo := start()).communicate(timeout=20)
    assert demo.returncode == 1
    assert f"cardea: {name} ended with exit code 1; " in errors
    assert "\n  hello from" in errors
    assert "cannot  [31mgo on" in errors
    assert "Traceback" not in errors
    assert alive(here) == []


def test_child_that_dies_later_ends_the_demo(here: Path, start: Start) -> None:
    """With exit code 1, and the other child is stopped."""
    demo = start()
    lines_until(demo, "logs:")
    os.kill(int((here / "run.pid").read_text()), signal.SIGKILL)
    _, errors = demo.communicate(timeout=20)
    assert demo.returncode == 1
    assert "cardea: cardea run ended with signal SIGKILL" in errors
    assert alive(here) == []


def test_port_in_use_is_one_line_and_starts_nothing(here: Path, start: Start) -> None:
    """It is looked at before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start(port)
        _, errors = demo.communicate(timeout=20)
    assert demo.returncode == 1
    assert f"cardea: port {port} of 127.0.0.1 can't be used: Address already in use\n" in errors
    assert not (here / "cloud.pid").exists()


def test_daemon_that_runs_already_is_not_taken_for_ours(here: Path, start: Start) -> None:
    """It would answer in the place of the demo's own."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(here / "control.sock"))
        other.listen()
        _, errors = (demo := start()).communicate(timeout=20)
    assert demo.returncode == 1
    assert f"a daemon is running at {here}/control.sock already" in errors
    assert not (here / "cloud.pid").exists()


def test_bad_configuration_is_explained(here: Path, start: Start) -> None:
    """As every command does, with exit code 2."""
    (here / "demo.toml").write_text(CONFIG.replace("secure", "sekure"))
    _, errors = (demo := start()).communicate(timeout=20)
    assert demo.returncode == 2
    assert "sekure" in errors
