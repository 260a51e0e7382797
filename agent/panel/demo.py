"""The whole system on this machine: local AWS, a relay that can be cut, the agent with emulated doors, the panel.

Started in this order and stopped in the reverse. Must never reach an AWS account, and never leave a process behind.
"""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

from agent.configfile import load
from agent.control_client import ControlClient
from agent.errors import AgentError, ControlError, Unreachable
from agent.panel.children import Child
from agent.panel.local_site import (
    LocalSite,
    bring_keys,
    device_option,
    door_environment,
    fresh_state,
    read_ready_line,
    without_aws,
)
from agent.panel.relay import Relay
from agent.panel.server import PanelServer, listen
from agent.panel.staff import staff_profile
from agent.panel.walk import walk
from agent.places import default_socket

LOCAL_AWS_S: Final = 90.0
"""It deploys the stacks; seconds on a laptop, more on a loaded machine."""
AGENT_S: Final = 30.0
LOOK_S: Final = 0.05
WATCH_S: Final = 0.25
MAX_LINE_BYTES: Final = 64 * 1024

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """What the demo is run with."""

    config: Path
    port: int
    folder: Path = Path("build/demo")
    """Logs of the children, and the keys of the local site."""
    walk: bool = False
    """Whether to show the way of a card once it is ready: linked, admitted, stolen, refused."""
    cardea: Path = field(default_factory=lambda: Path(sys.executable).with_name("cardea"))
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class _StopAsked(Exception):  # noqa: N818 - not an error
    """A signal asked for the end."""


class _Signals:
    """Turns signals into an exception at the places that wait, so that nothing is interrupted half-way."""

    def __init__(self) -> None:
        # SimpleQueue.put is reentrant: safe in a signal handler.
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Within, SIGINT, SIGTERM and SIGHUP ask for the end."""
        before = {
            number: signal.signal(number, self._remember) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait(self, for_s: float) -> None:
        """Let time pass; raises _StopAsked."""
        with contextlib.suppress(queue.Empty):
            self._asked.get(timeout=for_s)
            raise _StopAsked

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._asked.put(number)


class _Office:
    """What the staff do once all runs; beside the rest, so that a signal need not wait for it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._failure: AgentError | None = None
        threading.Thread(target=self._run, name="office", daemon=True).start()

    def check(self) -> None:
        """Raise what went wrong, once it has."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._work()
        except AgentError as failure:
            self._failure = failure
        except Exception as error:  # noqa: BLE001 - a thread's boundary: told as the demo's failure
            self._failure = AgentError(f"the staff's part failed: {type(error).__name__}: {error}")


def run_demo(settings: DemoSettings, say: Say, progress: Say) -> None:
    """Run until a signal asks for the end. `say` gets what the person needs, `progress` what happens meanwhile.

    Raises ConfigError, and AgentError with one line (and the end of a log) when something can't start or has died.
    """
    signals = _Signals()
    with signals.taken(), contextlib.ExitStack() as running, contextlib.suppress(_StopAsked):
        running.callback(progress, "stopped")
        listener = listen(settings.port)
        running.callback(listener.close)
        config = load(settings.config)
        socket = config.device.socket or default_socket(settings.environment)
        _refuse_second(socket)
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

        aside = fresh_state(config)
        if aside is not None:
            progress(f"the door's old state is now in {aside}")
        progress("starting the local AWS with the demo site")
        answer = settings.folder / "local-aws.json"
        local = Child(
            "cardea cloud local",
            [
                *(str(settings.cardea), "cloud", "local", "--json", "--home", str(settings.folder / "site")),
                *("--device", device_option(config)),
            ],
            without_aws(settings.environment),
            settings.folder / "local-aws.log",
            output=answer,
        )
        running.enter_context(local)
        site = read_ready_line(_first_line(answer, local, signals))

        relay = running.enter_context(Relay(site.host, site.port))
        bring_keys(config, site)

        progress("starting the door controller")
        agent = Child(
            "cardea run",
            [str(settings.cardea), "run", "--config", str(settings.config)],
            door_environment(site, settings.environment, f"http://127.0.0.1:{relay.port}"),
            settings.folder / "agent.log",
        )
        running.enter_context(agent)
        status = _wait_ready(socket, agent, local, signals, site.list_version)

        panel = running.enter_context(PanelServer(socket, listener, relay))
        say(f"ready: http://127.0.0.1:{panel.port}/")
        for line in _addresses(settings, site, status, own_socket=config.device.socket is not None):
            say(line)
        running.callback(progress, "stopping")
        office = _Office(partial(_open_office, settings, site, socket, say))
        while True:
            signals.wait(WATCH_S)
            local.check()
            agent.check()
            office.check()


def _open_office(settings: DemoSettings, site: LocalSite, socket: Path, say: Say) -> None:
    profile = staff_profile(site, settings.folder)
    say(f"staff: export CARDEA_PROFILE={_short(profile)}; {_short(settings.cardea)} people list")
    if settings.walk:
        walk(profile, socket, say)


def _refuse_second(socket: Path) -> None:
    """A daemon that runs already would answer in the place of ours."""
    try:
        ControlClient(socket, timeout_s=2.0).close()
    except Unreachable:
        return
    raise AgentError(f"a daemon is running at {socket} already; stop it first")


def _first_line(file: Path, child: Child, signals: _Signals) -> str:
    """The first whole line of the file; raises AgentError when the child ends or takes too long."""
    give_up_s = time.monotonic() + LOCAL_AWS_S
    while time.monotonic() < give_up_s:
        child.check()
        with file.open("rb") as written:
            line, end, _ = written.read(MAX_LINE_BYTES).partition(b"\n")
        if end:
            return line.decode(errors="replace")
        signals.wait(LOOK_S)
    raise AgentError(f"{child.name} was not ready within {LOCAL_AWS_S:g} s; see {child.log}")


def _wait_ready(socket: Path, agent: Child, local: Child, signals: _Signals, wanted: tuple[int, int]) -> dict[str, Any]:
    """The status of a door that would open for a card: readers ready, the demo site's allow-list there."""
    give_up_s = time.monotonic() + AGENT_S
    why = "it did not answer"
    while time.monotonic() < give_up_s:
        agent.check()
        local.check()
        try:
            with ControlClient(socket, timeout_s=5.0) as client:
                status: dict[str, Any] = client.request("status")["status"]
            listed = status["allowlist"]
            if status["ready"] and (listed["epoch"] or 0, listed["version"] or 0) >= wanted:
                return status
            why = "it has no allow-list" if status["ready"] else "a reader is not ready"
        except ControlError as error:
            why = str(error)
        signals.wait(LOOK_S)
    raise AgentError(f"{agent.name} was not ready within {AGENT_S:g} s: {why}; see {agent.log}")


def _addresses(
    settings: DemoSettings, site: LocalSite, status: Mapping[str, Any], *, own_socket: bool
) -> Sequence[str]:
    """What a person can do now."""
    lines = []
    reader = next((reader["name"] for reader in status["readers"] if reader["driver"] == "emulated"), None)
    if status["cards"] and reader is not None:
        where = f" --config {settings.config}" if own_socket else ""
        lines.append(f"try:   {_short(settings.cardea)} tap {status['cards'][0]} --reader {reader}{where}")
    lines.append("local AWS, for boto3 and the AWS command line:")
    lines += [f"  export {name}={value}" for name, value in sorted(site.operator_environment.items())]
    lines.append(f"logs:  {settings.folder}/*.log; Ctrl-C stops everything")
    return lines


def _short(path: Path) -> str:
    """Relative to where the person is, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
