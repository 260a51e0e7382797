"""The daemon's life: signals, reload, exit code. What the daemon consists of is in app."""

import signal
from pathlib import Path
from typing import Final

import structlog

from agent import logs, process
from agent.app import Agent
from agent.configfile import load
from agent.errors import AgentError, ConfigError
from hardware.errors import HardwareError

log = structlog.get_logger(__name__)

_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


def serve(path: Path) -> int:
    """Run the agent until a signal stops it; the exit code. Raises ConfigError before anything was started."""
    config = load(path)
    logs.configure(config.device.log_level)
    # Blocked in every thread and waited for in this one: a handler would run only when the main thread happens to
    # wake, since the kernel may give a signal to any thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    process.before_start()
    agent = Agent(config)
    try:
        agent.start()
    except (HardwareError, AgentError) as error:
        log.error("agent.not_started", error=str(error))
        return 1
    process.after_start()
    while (number := signal.Signals(signal.sigwait(_SIGNALS))) is signal.SIGHUP:
        _reload(agent, path)
    log.info("agent.stopping", signal=number.name)
    agent.stop(number.name)
    log.info("agent.stopped")
    return 0


def _reload(agent: Agent, path: Path) -> None:
    """Take the new configuration over, or say why not; the old one stays in force then."""
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
    logs.configure(config.device.log_level)
    log.info("config.reloaded")
