"""Does systemd keep the agent alive, and relock what a dead one leaves open?"""

from collections.abc import Iterator, Mapping
from typing import Final

from agent.doctor.asking import NoAnswer, ask
from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Scene

UNIT: Final = Line(
    Area.SERVICE,
    "unit",
    "cardea.service is installed, is started at boot, and was read anew since it was last changed.",
    "Install cardea.service, then systemctl daemon-reload && systemctl enable --now cardea",
)
WATCHDOG: Final = Line(
    Area.SERVICE,
    "watchdog",
    "systemd ends an agent that hangs (WatchdogSec) and starts it again after any end (Restart=always).",
    "Use the unit that comes with this release: WatchdogSec= and Restart=always.",
)
STOP_HOOK: Final = Line(
    Area.SERVICE,
    "stop hook",
    "After any death of the agent a small program takes the power off every lock on a pin (ExecStopPost): some "
    "libraries leave the pin driven, and a strike open.",
    "Use the unit that comes with this release: ExecStopPost=.",
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
_PROPERTIES: Final = "LoadState,UnitFileState,NeedDaemonReload,WatchdogUSec,Restart,ExecStopPost,NRestarts,ActiveState"
_STARTED_AT_BOOT: Final = ("enabled", "enabled-runtime", "static", "generated", "alias", "indirect")


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area."""
    if not (scene.root / "run/systemd/system").exists():
        yield UNIT.warns(
            "this machine was not started by systemd: nothing restarts a dead agent",
            "Let a supervisor keep it running.",
        )
        return
    try:
        shown = ask(["systemctl", "show", NAME, f"--property={_PROPERTIES}", "--no-pager"], ASK_S)
    except NoAnswer as error:
        yield UNIT.fails(str(error), "systemctl status; restart the machine if systemd itself hangs.")
        return
    yield from judge_unit(parse(shown), on_pins=bool(scene.pins))


def parse(shown: str) -> Mapping[str, str]:
    """What `systemctl show` printed."""
    return {key: value for key, _, value in (line.partition("=") for line in shown.splitlines())}


def judge_unit(unit: Mapping[str, str], *, on_pins: bool) -> Iterator[Finding]:
    """The unit's properties; `on_pins`: whether a lock hangs on a pin."""
    if unit.get("LoadState") != "loaded":
        yield UNIT.warns(f"{NAME} is not installed ({unit.get('LoadState') or 'unknown'})")
        return
    if unit.get("UnitFileState") not in _STARTED_AT_BOOT:
        yield UNIT.warns(f"{NAME} is not started at boot ({unit.get('UnitFileState') or 'unknown'})")
    elif unit.get("NeedDaemonReload") == "yes":
        yield UNIT.warns(f"{NAME} was changed since it was read", "systemctl daemon-reload && systemctl restart cardea")
    else:
        yield UNIT.passes(f"{NAME} is started at boot, now {unit.get('ActiveState')}")
    yield from _judge_keeping(unit)
    if unit.get("ExecStopPost"):
        yield STOP_HOOK.passes("set")
    else:
        say = STOP_HOOK.fails if on_pins else STOP_HOOK.warns
        yield say("none: a dead agent may leave a lock open")
    restarts = unit.get("NRestarts", "0")
    yield RESTARTS.passes("none") if restarts in ("0", "") else RESTARTS.warns(f"{restarts} since the unit was started")


def _judge_keeping(unit: Mapping[str, str]) -> Iterator[Finding]:
    period = unit.get("WatchdogUSec", "")
    if period in ("", "0", "infinity"):
        yield WATCHDOG.warns("no watchdog: an agent that hangs stays")
    elif unit.get("Restart") != "always":
        yield WATCHDOG.warns(f"a dead agent is not always started again (Restart={unit.get('Restart')})")
    else:
        yield WATCHDOG.passes(f"every {period}")
