"""Checks run side by side, each within its time."""

import threading
from collections.abc import Iterator
from pathlib import Path

from agent.configfile import load
from agent.doctor.finding import Area, Finding, Line, Verdict
from agent.doctor.runner import BROKEN, HUNG, NOT_ALLOWED, Check, run
from agent.doctor.scene import Scene, Told, Unit, service_account

ROOT = Path(__file__).parents[4]
ONE = Line(Area.DISK, "one", "Looks at one.", "Mend one.")
OTHER = Line(Area.GPIO, "other", "Looks at the other.", "Mend the other.")


def _scene() -> Scene:
    file = ROOT / "config/emulated.toml"
    return Scene(file=file, config=load(file), told=Told(Path("none"), None), account=service_account(Unit(None)))


def _fine(_scene: Scene) -> Iterator[Finding]:
    yield ONE.passes("fine")


def test_findings_come_in_the_order_of_the_checks() -> None:
    """Whichever check is done first: a report is read from top to bottom."""
    gate = threading.Event()

    def late(_scene: Scene) -> Iterator[Finding]:
        gate.wait(10)
        yield OTHER.warns("late")

    def early(_scene: Scene) -> Iterator[Finding]:
        gate.set()
        yield ONE.passes("early")

    found = run([Check(OTHER, late), Check(ONE, early)], _scene(), lambda _: None)
    assert [item.what for item in found] == ["late", "early"]


def test_check_that_hangs_is_a_failed_line_with_what_hung() -> None:
    """The others' lines are there all the same, and the run ends."""
    never = threading.Event()

    def hangs(_scene: Scene) -> Iterator[Finding]:
        never.wait()
        yield OTHER.passes("never said")

    found = run([Check(OTHER, hangs, within_s=0.2), Check(ONE, _fine)], _scene(), lambda _: None)
    never.set()
    assert [(item.name, item.verdict) for item in found] == [("other", Verdict.FAIL), ("one", Verdict.PASS)]
    assert "no answer within 0.2 s" in found[0].what
    assert found[0].remedy == HUNG


def test_check_that_breaks_is_a_failed_line() -> None:
    """A fault of ours is told, not swallowed, and costs no other line."""

    def breaks(_scene: Scene) -> Iterator[Finding]:
        yield OTHER.passes("half")
        raise ValueError("no\nway")

    found = run([Check(OTHER, breaks), Check(ONE, _fine)], _scene(), lambda _: None)
    assert [item.what for item in found] == ["half", "the check itself broke: ValueError: no way", "fine"]
    assert found[1].remedy == BROKEN


def test_what_this_user_may_not_look_at_is_a_warning() -> None:
    """Somebody without the right is told to come back as root, not that the controller is at fault."""

    def may_not(_scene: Scene) -> Iterator[Finding]:
        raise PermissionError(13, "Permission denied", "/var/lib/cardea/device.key")

    (found,) = run([Check(OTHER, may_not)], _scene(), lambda _: None)
    assert (found.verdict, found.remedy) == (Verdict.WARN, NOT_ALLOWED)
    assert "/var/lib/cardea/device.key" in found.what


def test_progress_tells_what_still_runs() -> None:
    """A person who waits sees for what."""
    gate, told = threading.Event(), []

    def late(_scene: Scene) -> Iterator[Finding]:
        gate.wait(10)
        yield OTHER.passes("late")

    def progress(areas: object) -> None:
        told.append(areas)
        if areas == ["gpio"]:
            gate.set()

    run([Check(ONE, _fine), Check(OTHER, late)], _scene(), progress)
    assert told[0] == ["disk", "gpio"]
    assert told[-1] == ["gpio"]
