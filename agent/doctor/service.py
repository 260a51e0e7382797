"""Does systemd keep the agent alive, and relock what a dead one leaves open?"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.doctor.asking import NoAnswer, ask
from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Scene, Unit

UNIT: Final = Line(
    Area.SERVICE,
    "unit",
    "cardea.service is installed, is started at boot, was read anew since it was last changed, and runs or is at rest. "
    "Fails when it has failed.",
    "Run systemd/install.sh of this release, then systemctl enable --now cardea",
)
WATCHDOG: Final = Line(
    Area.SERVICE,
    "watchdog",
    "systemd ends an agent that hangs (WatchdogSec) and starts it again after any end (Restart=always).",
    "Run systemd/install.sh of this release: its unit has WatchdogSec= and Restart=always.",
)
STOP_HOOK: Final = Line(
    Area.SERVICE,
    "stop hook",
    "After any death of the agent a small program takes the power off every lock on a pin (ExecStopPost): some "
    "libraries leave the pin driven, and a strike open. Only cardea-safe counts.",
    "Run systemd/install.sh of this release: it brings the unit and the hook's program.",
)
RESTARTS: Final = Line(
    Area.SERVICE,
    "restarts",
    "systemd did not have to start the agent again since boot.",
    "journalctl -u cardea says why it ended. Report it if it comes again.",
)
LINES: Final = (UNIT, WATCHDOG, STOP_HOOK, RESTARTS)

NAME: Final = "cardea.service"
ASK_S: Final = 8.0
_PROPERTIES: Final = (
    "LoadState,UnitFileState,NeedDaemonReload,WatchdogUSec,Restart,ExecStopPost,NRestarts,ActiveState,"
    "User,SupplementaryGroups"
)
_STARTED_AT_BOOT: Final = ("enabled", "enabled-runtime", "static", "generated", "alias", "indirect")
_WHY: Final = "journalctl -u cardea says why; systemctl status cardea shows what it does now."
_HOOK: Final = "cardea-safe"
_NEVER: Final = ("", "0", "infinity")
_COMMAND: Final = re.compile(r"argv\[\]=([^;]*) ;")


def ask_unit(root: Path) -> Unit:
    """The unit's properties, as systemd has them; never raises."""
    if not (root / "run/systemd/system").exists():
        return Unit(None)
    try:
        return Unit(parse(ask(["systemctl", "show", NAME, f"--property={_PROPERTIES}", "--no-pager"], ASK_S)))
    except NoAnswer as error:
        return Unit(None, str(error))


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area."""
    unit = scene.unit
    if unit.error is not None:
        yield UNIT.fails(unit.error, "systemctl status; restart the machine if systemd itself hangs.")
    elif unit.properties is None:
        yield UNIT.warns(
            "this machine was not started by systemd: nothing restarts a dead agent",
            "Let a supervisor keep it running.",
        )
    else:
        missing = [path for path in hook_files(unit.properties.get("ExecStopPost", "")) if not Path(path).exists()]
        yield from judge_unit(unit.properties, on_pins=bool(scene.pins), missing=missing)


def parse(shown: str) -> Mapping[str, str]:
    """What `systemctl show` printed."""
    return {key: value for key, _, value in (line.partition("=") for line in shown.splitlines())}


def hook_files(value: str) -> list[str]:
    """The files that the stop hook's command needs; what lies in /run is made by the agent."""
    words = " ".join(_COMMAND.findall(value)).split()
    return [word for word in words if word.startswith("/") and not word.startswith("/run/")]


def judge_unit(unit: Mapping[str, str], *, on_pins: bool, missing: Sequence[str] = ()) -> Iterator[Finding]:
    """The unit's properties; `on_pins`: whether a lock hangs on a pin; `missing`: files that the hook lacks."""
    if unit.get("LoadState") != "loaded":
        yield UNIT.warns(f"{NAME} is not installed ({unit.get('LoadState') or 'unknown'})")
        return
    state = unit.get("ActiveState")
    if state == "failed":
        yield UNIT.fails(f"{NAME} has failed", _WHY)
    elif unit.get("UnitFileState") not in _STARTED_AT_BOOT:
        yield UNIT.warns(f"{NAME} is not started at boot ({unit.get('UnitFileState') or 'unknown'})")
    elif unit.get("NeedDaemonReload") == "yes":
        yield UNIT.warns(f"{NAME} was changed since it was read", "systemctl daemon-reload && systemctl restart cardea")
    elif state == "activating":
        yield UNIT.warns(f"{NAME} is being started, and does not serve yet", _WHY)
    else:
        yield UNIT.passes(f"{NAME} is started at boot, now {state}")
    yield from _judge_keeping(unit)
    say = STOP_HOOK.fails if on_pins else STOP_HOOK.warns
    hook = unit.get("ExecStopPost", "")
    if not hook:
        yield say("none: a dead agent may leave a lock open")
    elif not any(Path(file).name == _HOOK for file in hook_files(hook)):
        yield say(f"what runs after a death is not {_HOOK}: a dead agent may leave a lock open")
    elif missing:
        yield say(f"{', '.join(missing)} is not there: a dead agent may leave a lock open")
    else:
        yield STOP_HOOK.passes("set")
    restarts = unit.get("NRestarts", "0")
    yield RESTARTS.passes("none") if restarts in ("0", "") else RESTARTS.warns(f"{restarts} since the unit was started")


def _judge_keeping(unit: Mapping[str, str]) -> Iterator[Finding]:
    period = unit.get("WatchdogUSec", "")
    if period in _NEVER and unit.get("ActiveState") == "inactive":
        yield WATCHDOG.passes("systemd tells it once the unit was started")
    elif period in _NEVER:
        yield WATCHDOG.warns("no watchdog: an agent that hangs stays")
    elif unit.get("Restart") != "always":
        yield WATCHDOG.warns(f"a dead agent is not always started again (Restart={unit.get('Restart')})")
    else:
        yield WATCHDOG.passes(f"every {period}")
