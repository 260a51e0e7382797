"""The daemon's life: signals, reload, exit code. What the daemon consists of is in app."""

import gc
import signal
import sys
from pathlib import Path
from typing import Final

import structlog

from agent import logs
from agent.app import Agent
from agent.configfile import load
from agent.errors import AgentError, ConfigError
from hardware.errors import HardwareError

log = structlog.get_logger(__name__)

_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

_SWITCH_S: Final = 0.0005
"""How long a thread that works may keep the others waiting, such as the sync that reads a list of 20 MB. A tap changes
threads four times, and would wait Python's usual 5 ms each time."""


def serve(path: Path) -> int:
    """Run the agent until a signal stops it; the exit code. Raises ConfigError before anything was started."""
    config = load(path)
    logs.configure(config.device.log_level)
    # Blocked in every thread and waited for in this one: a handler would run only when the main thread happens to
    # wake, since the kernel may give a signal to any thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    sys.setswitchinterval(_SWITCH_S)
    agent = Agent(config)
    try:
        agent.start()
    except (HardwareError, AgentError) as error:
        log.error("agent.not_started", error=str(error))
        return 1
    # What start-up made stays to the end; looking through it at each full collection would hold a tap up.
    gc.freeze()
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
