"""Cursors: they lead back to where they came from, and to nothing else."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.api.cursors import CursorError, seal, unseal
from cloud.api.parameters import CURSOR, MAX_CURSOR_CHARS

KEY = bytes(range(32))
POSITIONS = st.dictionaries(st.sampled_from(["pk", "sk", "g1pk", "g1sk"]), st.text(max_size=60), min_size=1)
SCOPES = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=5)


@given(position=POSITIONS.filter(lambda position: "\ud800" not in str(position)), scope=SCOPES)
def test_cursor_leads_back(position: dict[str, str], scope: list[str]) -> None:
    """Whatever the position and the scope."""
    assert unseal(seal(position, scope, KEY), scope, KEY) == position


@given(scope=SCOPES, other=SCOPES)
def test_cursor_of_another_list_is_refused(scope: list[str], other: list[str]) -> None:
    """Two scopes never come to the same: not by moving a character from one part to the next either."""
    cursor = seal({"pk": "a"}, scope, KEY)

    if other != scope:
        with pytest.raises(CursorError):
            unseal(cursor, other, KEY)


@given(place=st.integers(0, 10_000), letter=st.sampled_from(string.ascii_letters + string.digits + "-_"))
def test_cursor_that_was_changed_is_refused(place: int, letter: str) -> None:
    """One character is enough."""
    cursor = seal({"pk": "PERSON#hq#p-1", "sk": "-"}, ["listPeople", "site=hq"], KEY)
    place %= len(cursor) - 1  # the last one has spare bits
    changed = cursor[:place] + letter + cursor[place + 1 :]

    if changed != cursor:
        with pytest.raises(CursorError):
            unseal(changed, ["listPeople", "site=hq"], KEY)


@given(text=st.text(max_size=80))
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    """Of whatever characters."""
    with pytest.raises(CursorError):
        unseal(text, [], KEY)


def test_cursor_under_another_key_is_refused() -> None:
    """Of another environment."""
    with pytest.raises(CursorError):
        unseal(seal({"pk": "a"}, [], KEY), [], bytes(32))


def test_longest_cursor_may_be_sent() -> None:
    """Names of the greatest length, in the index with the longest keys."""
    site, door, device = "s" * 64, "d" * 64, "v" * 64
    event = f"EVENT#2026-03-01T08:00:00.000Z#{device}#{1:010d}#{1:012d}"
    position = {"pk": f"DOOR#{site}#{door}", "sk": event, "g1pk": f"USE#{site}#{door}", "g1sk": event}

    cursor = seal(position, [], KEY)

    assert len(cursor) <= MAX_CURSOR_CHARS
    assert CURSOR.read(cursor) == cursor
