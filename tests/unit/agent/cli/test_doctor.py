"""`cardea doctor` on a configuration that can't be used: nothing else is looked at."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from agent.cli import main

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """The command silences the logs of its process, which here is that of all tests."""
    yield
    structlog.reset_defaults()


def _bad(tmp_path: Path) -> Path:
    text = (ROOT / "config/emulated.toml").read_text(encoding="utf-8")
    path = tmp_path / "bad.toml"
    path.write_text(text.replace('fail = "secure"', "fial = 1"), encoding="utf-8")
    return path


def test_bad_configuration_is_shown_as_its_problems(tmp_path: Path) -> None:
    """Exit code 2, each problem a line of the report with its hint."""
    done = CliRunner().invoke(main, ["doctor", "--config", str(_bad(tmp_path)), "--json"])
    assert done.exit_code == 2
    report = json.loads(done.output)
    assert (report["device"], report["daemon"], report["verdict"]) == (None, False, "fail")
    assert {(item["area"], item["name"]) for item in report["findings"]} == {("configuration", "file")}
    whats = [item["what"] for item in report["findings"]]
    assert "door.1.lock.fial: is not a key of this table (did you mean 'fail'?)" in whats


def test_bad_configuration_in_text(tmp_path: Path) -> None:
    """The same for a person, with one remedy below them all."""
    done = CliRunner().invoke(main, ["doctor", "--config", str(_bad(tmp_path))])
    assert done.exit_code == 2
    lines = done.output.splitlines()
    assert lines[0] == "configuration"
    assert lines[1].startswith("  fail  file  door.1.lock.fail: is missing")
    assert sum("->" in line for line in lines) == 1
    assert lines[-1] == f"{tmp_path}/bad.toml: 0 pass, 0 warn, 2 fail"


def test_missing_file_and_bad_usage_end_with_2(tmp_path: Path) -> None:
    """As with every command."""
    missing = CliRunner().invoke(main, ["doctor", "--config", str(tmp_path / "nowhere.toml")])
    assert (missing.exit_code, "No such file" in missing.output) == (2, True)
    assert CliRunner().invoke(main, ["doctor", "--nonsense"]).exit_code == 2


def test_help_has_an_example() -> None:
    """As every command."""
    done = CliRunner().invoke(main, ["doctor", "--help"])
    assert done.exit_code == 0
    assert "cardea doctor --json" in done.output
