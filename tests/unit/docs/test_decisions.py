"""docs/decisions.md says what the code does."""

import re

import pytest

from agent.core.model import ClockPolicy, StalePolicy
from cloud.contract.reasons import Reason
from tests.rigs.docs import ADVICE, BLOCKS, ROOT, generated, with_block

PAGE = (ROOT / "docs/decisions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", BLOCKS)
def test_generated_blocks_are_up_to_date(path: str) -> None:
    """If this fails, run `python -m tests.rigs.docs`."""
    assert (ROOT / path).read_text(encoding="utf-8") == generated(path)


def test_every_reason_has_advice() -> None:
    """A guard who meets a new code must find what to do."""
    assert set(ADVICE) == set(Reason)


def test_every_code_in_the_order_of_checks_is_a_reason() -> None:
    """The table by hand names no code that is gone."""
    rows = re.findall(r"^\| \d+ \|.*\| (.*) \|$", PAGE, re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert len(rows) == 10
    assert codes <= {reason.value for reason in Reason}


def test_every_policy_is_explained() -> None:
    """The configuration's values and the page's agree."""
    assert all(f"`{policy.value}`" in PAGE for policy in StalePolicy)
    assert {policy for policy in ClockPolicy if f"| `{policy.value}`" in PAGE} == set(ClockPolicy)


def test_with_block_refuses_a_page_without_the_block() -> None:
    """A lost marker must not pass as up to date."""
    with pytest.raises(ValueError, match="no block 'x'"):
        with_block("text", "x", "y")
    assert with_block("a\n<!-- generated: x -->\nold\n<!-- end -->\nb", "x", "new").splitlines()[2] == "new"
