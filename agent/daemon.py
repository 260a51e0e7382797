"""The daemon's life: signals, reload, what the service manager is told, exit code. What it consists of is in app."""

import contextlib
import faulthandler
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

import structlog

from agent import logs, process
from agent.app import Agent
from agent.configfile import load
from agent.errors import AgentError, ConfigError
from agent.health import VOUCH_S, Health
from agent.log_writer import LogWriter
from agent.notify import Notifier
from hardware.errors import HardwareError

log = structlog.get_logger(__name__)

_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
DRAIN_S: Final = 0.5
"""At the end, for the last lines; of the five seconds that a stop may take."""


def serve(path: Path) -> int:
    """Run the agent until a signal stops it; the exit code. Raises ConfigError before anything was started."""
    config = load(path)
    process.before_start()
    # Blocked in every thread, from before the first, and waited for in one: a handler would run only when the main
    # thread happens to wake, since the kernel may give a signal to any thread, and one that did not block it dies.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    lines = LogWriter(sys.stdout)
    logs.configure(config.device.log_level, lines)
    # What the threads were doing when the watchdog or a fault in a library ended the process goes to stderr.
    faulthandler.enable()
    try:
        return _serve(path, Agent(config), lines)
    finally:
        lines.drain(time.monotonic() + DRAIN_S)


def _serve(path: Path, agent: Agent, lines: LogWriter) -> int:
    notifier = Notifier()
    taken: queue.SimpleQueue[signal.Signals] = queue.SimpleQueue()
    # Before the agent: where memory ends later, a thread that can't begin holds up or ends whoever wants it.
    threading.Thread(target=_take_signals, args=(taken,), name="signals", daemon=True).start()
    try:
        agent.start()
    except (HardwareError, AgentError) as error:
        log.error("agent.not_started", error=str(error))
        return 1
    process.after_start()
    why = "failed"
    try:
        health = Health(agent, notifier, time.monotonic())
        while (number := _watch_over(health, taken)) is signal.SIGHUP:
            _reload(path, agent, lines)
        why = number.name
    finally:
        try:
            log.info("agent.stopping", signal=why)
            notifier.tell(STOPPING="1", STATUS="stopping")
        finally:  # without memory even words fail: they must not come between the locks and their safe state
            agent.stop(why)
        log.info("agent.stopped")
    return 0


def _watch_over(health: Health, taken: "queue.SimpleQueue[signal.Signals]") -> signal.Signals:
    """Vouch for the agent to the service manager while every worker is alive; the next signal."""
    while True:
        try:
            pause_s = health.look(time.monotonic())
        except Exception as error:  # noqa: BLE001 - reported, if there is memory for words
            # Such as no memory: nobody has vouched, and a failure that stays is the watchdog's. The doors go on.
            _report("health.failed", error)
            pause_s = VOUCH_S
        with contextlib.suppress(queue.Empty):
            return taken.get(timeout=pause_s)


def _take_signals(taken: "queue.SimpleQueue[signal.Signals]") -> None:
    """A thread's body. Python's sigtimedwait would do without, but after SIGSTOP and SIGCONT it returns a signal that
    never came: whatever lay on the stack."""
    while True:
        taken.put(signal.Signals(signal.sigwait(_SIGNALS)))


def _report(event: str, error: Exception) -> None:
    """Log it with its traceback. Never raises: the process ends with this thread, and words take memory."""
    with contextlib.suppress(Exception):
        log.error(event, exc_info=error)


def _reload(path: Path, agent: Agent, lines: LogWriter) -> None:
    """Take the new configuration over, or say why not; the old one stays in force then. Never raises."""
    try:
        _take_over(path, agent, lines)
    except Exception as error:  # noqa: BLE001 - reported, if there is memory for words
        _report("config.reload_failed", error)


def _take_over(path: Path, agent: Agent, lines: LogWriter) -> None:
    try:
        config = load(path)
    except ConfigError as error:
        for problem in error.problems:
            log.error("config.refused", where=problem.where, what=problem.what, hint=problem.hint)
        return
    fixed = agent.reconfigure(config)
    if fixed:
        log.error("config.refused", why="these changes need a restart", where=fixed)
        return
    logs.configure(config.device.log_level, lines)
    log.info("config.reloaded")
