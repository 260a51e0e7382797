"""How stacks coming along are shown."""

import io

import pytest
from rich.console import Console

from agent.cli.cloud_progress import StackTable, line, shown
from cloud.deploy.following import Progress

BEGINS = Progress("cardea-dev", "cardea-dev", "CREATE_IN_PROGRESS", None)
TABLE = Progress("cardea-dev-Data-1", "Table", "CREATE_IN_PROGRESS", None, "AWS::DynamoDB::Table")
MADE = Progress("cardea-dev-Data-1", "Table", "CREATE_COMPLETE", None, "AWS::DynamoDB::Table")
FAILED = Progress("cardea-dev-Data-1", "Table", "CREATE_FAILED", "already exists", "AWS::DynamoDB::Table")


def rendered(*progress: Progress) -> str:
    table, console = StackTable(), Console(file=io.StringIO(), width=120)
    for each in progress:
        table.take(each)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_table_shows_what_is_at_work_and_what_is_done() -> None:
    """A resource moves from the one column to the other."""
    assert "Table" in rendered(BEGINS, TABLE)
    after = rendered(BEGINS, TABLE, MADE)
    assert "Table" not in after
    assert "create in progress" in after


def test_table_shows_why_something_failed() -> None:
    """The reason stands beside the resource."""
    assert "Table: already exists" in rendered(BEGINS, TABLE, FAILED)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (BEGINS, "cardea-dev: create in progress"),
        (TABLE, None),
        (MADE, None),
        (FAILED, "cardea-dev-Data-1: Table: create failed: already exists"),
    ],
)
def test_log_has_a_line_for_stacks_and_failures(progress: Progress, text: str | None) -> None:
    """Hundreds of resources that come out well are no news."""
    assert line(progress) == text


def test_without_a_terminal_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Stdout is for the answer alone."""
    with shown(Console(file=io.StringIO()), quiet=False) as show:
        show(BEGINS)
        show(TABLE)
    assert capsys.readouterr() == ("", "cardea-dev: create in progress\n")


def test_nothing_is_shown_if_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, a program reads both streams."""
    with shown(Console(file=io.StringIO()), quiet=True) as show:
        show(FAILED)
    assert capsys.readouterr() == ("", "")
