"""The report as a whole."""

from collections.abc import Iterator
from pathlib import Path

from agent.doctor.examination import MAX_TEXT, examine
from agent.doctor.finding import Area, Finding, Line, Verdict
from agent.doctor.runner import Check
from agent.doctor.scene import Scene

EMULATED = Path(__file__).parents[4] / "config/emulated.toml"
ONE = Line(Area.READERS, "one", "Looks at one.", "Mend one.")
OTHER = Line(Area.CLOCK, "other", "Looks at the other.", "Mend the other.")


def test_lines_stand_by_area_whatever_check_gave_them() -> None:
    """A check may know something of another area, as the cloud's answer knows the clock."""

    def look(_scene: Scene) -> Iterator[Finding]:
        yield ONE.passes("first")
        yield OTHER.warns("second")
        yield ONE.passes("third")

    report = examine(EMULATED, lambda _: None, checks=[Check(ONE, look)])
    assert [item.what for item in report.findings] == ["second", "first", "third"]
    assert (report.device, report.verdict) == ("hq-demo-1", Verdict.WARN)
    assert report.to_json()["count"] == {"pass": 2, "warn": 1, "fail": 0}


def test_what_a_device_calls_itself_can_not_move_the_terminal() -> None:
    """A reader's name comes from its maker, or from whoever plugged something in."""

    def look(_scene: Scene) -> Iterator[Finding]:
        yield ONE.warns("ACS\x1b[2J\nfail  everything\x07" + "x" * 5000, remedy='match = "\x9b31m"')

    (found,) = examine(EMULATED, lambda _: None, checks=[Check(ONE, look)]).findings
    assert found.what.startswith("ACS?[2J?fail  everything?xxx")
    assert len(found.what) == MAX_TEXT
    assert found.remedy == 'match = "?31m"'
