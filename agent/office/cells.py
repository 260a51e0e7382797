"""Text in cells of a file that people open with a spreadsheet, which would run some of it as a formula.

A cell that begins with one of `RISKY` is written with an apostrophe before it, and read without. An apostrophe is one
of them too, so that every text comes back as it was. Must never change a text that needs no guard.
"""

from typing import Final

_GUARD: Final = "'"
RISKY: Final = frozenset("=+-@\t\r\n＝＋－＠" + _GUARD)
"""What spreadsheets take for the beginning of a formula, with the wide forms that some take for the same."""


def guarded(text: str) -> str:
    """The text as it may stand in a cell."""
    return _GUARD + text if text[:1] in RISKY and text else text


def unguarded(cell: str) -> str:
    """The text of a cell; the inverse of `guarded`, and the cell itself where nothing is guarded."""
    return cell[1:] if cell[:1] == _GUARD and cell[1:2] in RISKY and len(cell) > 1 else cell
