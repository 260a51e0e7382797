"""The harness of the soak run: whatever a part comes to, exit code, JSON and page say it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rigs import soak_parts
from tests.rigs.long_run import LongRun, Progress
from tests.soak.__main__ import BLOCK, PAGE, main
from tests.soak.parts import PARTS, Part

Run = Callable[[float, int, Progress, Path], LongRun]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with an empty block."""
    path = tmp_path / "page.md"
    path.write_text(f"# Ours\n<!-- generated: {BLOCK} -->\nold\n<!-- end -->\nby hand\n", encoding="utf-8")
    return path


def soak(tmp_path: Path, page: Path, *arguments: str, **parts: Run) -> int:
    """The whole command over these parts, each with a promised length of 10."""
    made = {name: Part(name, f"Title of {name}", "things", 10, run) for name, run in parts.items()}
    return main([*arguments, "--out", str(tmp_path / "out" / "soak.json")], parts=made, page=page)


def parts_of(tmp_path: Path) -> dict[str, dict[str, object]]:
    """What the JSON holds, by part."""
    found = json.loads((tmp_path / "out" / "soak.json").read_text(encoding="utf-8"))
    return {part["name"]: part for part in found["parts"]}


def test_a_full_run_writes_json_and_page(tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, seed and machine stand there; what a part left in its folder is gone."""
    assert soak(tmp_path, page, "--seed", "7", one=soak_parts.good, two=soak_parts.good) == 0
    part = parts_of(tmp_path)["one"]
    assert (part["seed"], part["problems"], part["asked"]) == (7, [], 10)
    written = page.read_text(encoding="utf-8")
    assert "old" not in written
    assert written.endswith("by hand\n")
    assert '| Title of one | 10 things | 1 s | none | `make soak SOAK="--one 10 --seed 7"` |' in written
    assert "| things | 1,234 |" in written
    assert "| faults of the stream met | 5 of 2 kinds |" in written
    assert "every promise was kept" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["soak.json"]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (soak_parts.broken, "event 7 is | missing"),
        (soak_parts.failing, "RuntimeError: no pcscd"),
        (soak_parts.dying, "the process ended with 3"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--side-by-side",)])
def test_a_promise_that_was_not_kept_ends_with_1_and_the_seed(
    tmp_path: Path, page: Path, run: Run, words: str, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also when the part, or its process, ended with an error; the other parts run all the same."""
    assert soak(tmp_path, page, "--seed", "7", *more, bad=run, one=soak_parts.good) == 1
    parts = parts_of(tmp_path)
    assert parts["bad"]["problems"] == [words]
    assert parts["one"]["problems"] == []
    assert "repeat it with: python -m tests.soak --bad 10 --seed 7" in capsys.readouterr().out
    assert "| **1** |" in page.read_text(encoding="utf-8")


def test_a_short_run_publishes_nothing_and_keeps_the_full_one(tmp_path: Path, page: Path) -> None:
    """Parts may be run on their own; a part that was named runs alone."""
    assert soak(tmp_path, page, "--one", "10", one=soak_parts.good, two=soak_parts.good) == 0
    before = page.read_text(encoding="utf-8")
    assert "| Title of two | 10 things | | not run yet | `make soak` |" in before
    assert soak(tmp_path, page, "--one", "2", "--two", "2", one=soak_parts.good, two=soak_parts.good) == 0
    assert page.read_text(encoding="utf-8") == before
    assert {name: part["asked"] for name, part in parts_of(tmp_path).items()} == {"one": 10, "two": 2}


@pytest.mark.parametrize("arguments", [("--one", "0"), ("--one", "-1"), ("--one", "nan"), ("--three", "1")])
def test_a_wrong_call_is_refused(tmp_path: Path, page: Path, arguments: tuple[str, ...]) -> None:
    """A typing error must not pass as a run of nothing."""
    with pytest.raises(SystemExit) as ended:
        soak(tmp_path, page, *arguments, one=soak_parts.good)
    assert ended.value.code == 2


def test_the_page_has_its_block_and_every_part_its_name() -> None:
    """A full run must be able to write its table at the end of its hours."""
    assert f"<!-- generated: {BLOCK} -->" in PAGE.read_text(encoding="utf-8")
    assert all(name == part.name for name, part in PARTS.items())
