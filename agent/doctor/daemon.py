"""What the running daemon says of itself, asked over its control socket."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from agent.control_client import ControlClient
from agent.doctor.finding import Area, Finding, Line, Verdict
from agent.doctor.remedies import remedy_of
from agent.doctor.scene import Scene, Told
from agent.errors import AgentError, Unreachable
from agent.version import VERSION

RUNNING: Final = Line(
    Area.DAEMON,
    "running",
    "A daemon answers at the control socket, of this release and for this device. Warns when none is there, fails when "
    "it does not answer.",
    "systemctl start cardea, or cardea run --config FILE; journalctl -u cardea says why it ended.",
)
WELL: Final = Line(
    Area.DAEMON,
    "degraded",
    "The daemon has no degraded reason; one line for each that it has, with its remedy.",
    "See the table of degraded reasons.",
)
BACKLOG: Final = Line(
    Area.DAEMON,
    "backlog",
    "Unsent events are well below the journal's bound, beyond which the oldest are given up. Warns from half of it on.",
    "Bring the door back on the network; see the cloud lines. Or raise journal.max_events and journal.max_mib.",
)
FIRE: Final = Line(
    Area.DAEMON,
    "fire",
    "No door is in its fire state, in which it stands unlocked until a person ends it.",
    "When the fire input is quiet and the building is safe: cardea fire-reset DOOR",
)
LINES: Final = (RUNNING, WELL, BACKLOG, FIRE)

ASK_S: Final = 5.0
"""A daemon that needs longer for its status is not well."""
_BACKLOG_WARNS: Final = 0.5


def ask_status(socket: Path) -> Told:
    """Ask for the status; never raises."""
    try:
        if not socket.exists():
            return Told(socket, None)
        with ControlClient(socket, ASK_S) as client:
            status = client.request("status")["status"]
    except PermissionError:
        return Told(socket, None, f"this user may not look at {socket}")
    except Unreachable as error:
        return Told(socket, None, str(error))
    except (AgentError, KeyError) as error:
        return Told(socket, None, f"it gives no status: {error}")
    return Told(socket, status) if isinstance(status, dict) else Told(socket, None, "its status is no object")


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area."""
    told, config = scene.told, scene.config
    remedy = RUNNING.remedy.replace("FILE", str(scene.file))
    if told.status is None:
        if told.error is None:
            yield RUNNING.warns(f"no daemon: there is no {told.socket}", remedy)
        else:
            yield RUNNING.fails(told.error, f"Is this user root, or in group cardea? Else: {remedy}")
        return
    yield from judge_status(told.status, config.device.id, config.journal.max_events)


def judge_status(status: Mapping[str, Any], device: str, max_events: int) -> Iterator[Finding]:
    """The lines of a status document."""
    version = status.get("version")
    if status.get("device") != device:
        yield RUNNING.warns(
            f"the daemon runs device {status.get('device')}, the configuration is for {device}",
            "Name the daemon's own configuration with --config.",
            by_daemon=True,
        )
    elif version != VERSION:
        yield RUNNING.warns(
            f"the daemon runs release {version}, installed is {VERSION}", "systemctl restart cardea", by_daemon=True
        )
    else:
        yield RUNNING.passes(f"release {version}", by_daemon=True)
    yield from judge_degraded(status)
    yield _backlog(status, max_events)
    burning = [str(door.get("id")) for door in status.get("doors", []) if door.get("fire")]
    if burning:
        yield FIRE.warns(f"fire state: {', '.join(burning)}", by_daemon=True)
    else:
        yield FIRE.passes("no door is in its fire state", by_daemon=True)


def judge_degraded(status: Mapping[str, Any]) -> Iterator[Finding]:
    """A line per degraded reason."""
    reasons = [str(reason) for reason in status.get("degraded", [])]
    for reason in reasons:
        remedy = remedy_of(reason)
        say = WELL.fails if remedy.verdict is Verdict.FAIL else WELL.warns
        yield say(f"{reason}: {remedy.means}", remedy.todo, by_daemon=True)
    if not reasons:
        yield WELL.passes("nothing", by_daemon=True)


def _backlog(status: Mapping[str, Any], max_events: int) -> Finding:
    journal = status.get("journal", {})
    unsent, oldest_s = journal.get("unsent", 0), journal.get("oldest_unsent_s")
    text = f"{unsent} unsent of at most {max_events}"
    if oldest_s is not None:
        text += f", the oldest {oldest_s / 3600:.1f} h old"
    if unsent >= max_events * _BACKLOG_WARNS:
        return BACKLOG.warns(text, by_daemon=True)
    return BACKLOG.passes(text, by_daemon=True)
