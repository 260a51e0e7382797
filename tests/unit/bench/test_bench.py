"""The harness of the benchmarks: whatever a figure comes to, JSON and Markdown say it. No figure of ours is timed."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench import runner
from tests.bench.__main__ import BLOCK, PAGE, main
from tests.bench.context import Context
from tests.bench.registry import FIGURES
from tests.bench.report import compared
from tests.bench.result import Better, Figure, Row, at_least, at_most, measure


def tiny(context: Context) -> Sequence[Row]:
    """A floor that we lose to, and a peer that we beat."""
    (context.folder() / "file").write_text("here")
    slow, fast = [0.2] * 99 + [0.9], [0.1] * 100
    return [
        Row(measure("tap", "ms", slow), measure("floor", "ms", fast), (at_most("p99", "ms", 0.5, 0.2),), ("a note",)),
        Row(
            measure("events", "events/s", [10.0, 20.0, 30.0], Better.MORE),
            measure("peer", "events/s", [10.0], Better.MORE),
            (at_least("median", "events/s", 25.0, 20.0),),
        ),
    ]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with an empty block."""
    path = tmp_path / "page.md"
    path.write_text(f"# Ours\n<!-- generated: {BLOCK} -->\nold\n<!-- end -->\nby hand\n", encoding="utf-8")
    return path


def run(tmp_path: Path, page: Path, *more: str) -> int:
    """The whole command over the one tiny figure, without the large site."""
    figures = {"tiny": Figure("tiny", "Tiny", tiny)}
    return main([*more, "--out", str(tmp_path / "bench.json")], figures=figures, page=page, cards=0)


def test_a_run_writes_json_with_verdicts_and_a_table(
    tmp_path: Path, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Losses and missed targets stand there like the others, with the machine they came from."""
    assert run(tmp_path, page, "--attempts", "1") == 0
    found = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert found["machine"]["python"]
    (figure,) = found["figures"]
    tap, events = figure["rows"]
    assert (tap["ours"]["median"], tap["ours"]["p99"], tap["ours"]["samples"]) == (0.2, 0.2, 100)
    assert (tap["ratio"], tap["targets"][0]["met"]) == (2.0, True)
    assert (events["ours"]["p99"], events["targets"][0]["met"]) == (10.0, False)
    written = page.read_text(encoding="utf-8")
    assert "old" not in written
    assert written.endswith("by hand\n")
    assert "2.00 x, slower" in written
    assert "2.00 x, faster" in written
    rows = [line for line in written.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {9, 5}
    assert "1 of 2 targets met; missed: events (median)." in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_short_run_leaves_the_page_alone(tmp_path: Path, page: Path) -> None:
    """Numbers that are no measure must not be published."""
    before = page.read_bytes()
    assert run(tmp_path, page, "--quick") == 0
    assert page.read_bytes() == before
    assert json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["quick"]


def test_an_unknown_figure_is_refused(tmp_path: Path, page: Path) -> None:
    """A typing error must not pass as a run of nothing."""
    with pytest.raises(SystemExit):
        run(tmp_path, page, "tinny")


@pytest.mark.parametrize(
    ("unit", "ours", "beside", "words"),
    [
        ("ms", 1.0, 2.0, "0.50 x, faster"),
        ("MiB", 3.0, 2.0, "1.50 x, more"),
        ("events/s", 1.0, 2.0, "0.50 x, slower"),
        ("s", 2.0, 2.0, "the same"),
        ("s", 2.0, 0.0, "no ratio: one of them is nothing"),
    ],
)
def test_a_comparison_says_which_way_it_went(unit: str, ours: float, beside: float, words: str) -> None:
    """More is not always worse."""
    assert compared(Row(measure("a", unit, [ours]), measure("b", unit, [beside]))) == words


def test_the_page_has_its_block_and_every_figure_its_name() -> None:
    """A full run must be able to write its table at the end of its minutes."""
    assert f"<!-- generated: {BLOCK} -->" in PAGE.read_text(encoding="utf-8")
    assert all(name == figure.name for name, figure in FIGURES.items())


@pytest.mark.parametrize(("long_s", "attempts"), [(60.0, 3), (-1.0, 1)])
def test_a_disturbed_figure_is_repeated_unless_it_takes_long(tmp_path: Path, long_s: float, attempts: int) -> None:
    """A full run must end; what was disturbed says so."""
    ran: list[int] = []

    def counted(context: Context) -> Sequence[Row]:
        ran.append(1)
        return tiny(context)

    context = Context(tmp_path, quick=False, say=lambda _: None, cards=0)
    nothing_is_quiet = -1.0
    figures = [Figure("tiny", "Tiny", counted)]
    (outcome,) = runner.run(figures, context, 3, quiet=nothing_is_quiet, long_s=long_s)
    assert (len(ran), outcome.attempts, outcome.disturbed) == (attempts, attempts, True)
