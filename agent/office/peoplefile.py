"""People in a CSV file: every line of it checked before anything is sent, and written so that it can be read again.

UTF-8, with or without a mark of byte order; columns separated by commas, groups by semicolons. Must never repeat a
card's number in a message.
"""

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from pydantic import ValidationError

from agent.office.cardnumber import card_number
from agent.office.cells import guarded, unguarded
from agent.office.errors import BadInput
from agent.printable import one_line
from cloud.domain.payloads import ImportRow

MAX_FILE_BYTES: Final = 64 << 20
WRITTEN: Final = ("person", "name", "email", "status", "card", "groups", "valid_from", "valid_until")
COLUMNS: Final = (*WRITTEN, "uid")
"""`uid` is a card's number, `card` the keyed hash that stands for it: a line may have one of them."""
_NEEDED: Final = ("person", "name")
_ID_WORDS: Final = "is not an id of letters, digits and _.:- up to 64"
_WORDS: Final[Mapping[str, str]] = {
    "person": _ID_WORDS,
    "groups": f"holds something that {_ID_WORDS}",
    "card": "is not a keyed hash of 32 hex digits; a card's number belongs in the column uid",
    "status": "is neither onboarding nor active",
}
"""What to say where a column's text has not the form of it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line."""

    line: int
    column: str | None
    """None: the line as a whole."""
    text: str

    def words(self, file: str) -> str:
        """One line for people: `people.csv:17: column uid: ...`."""
        column = "" if self.column is None else f"column {self.column}: "
        return one_line(f"{file}:{self.line}: {column}{self.text}")


@dataclass(frozen=True, slots=True)
class PeopleFile:
    """What a file holds: rows as an import takes them, and what is wrong with the other lines."""

    rows: tuple[Mapping[str, Any], ...] = field(repr=False)
    faults: tuple[Fault, ...]


def read_people(data: bytes) -> PeopleFile:
    """Read a file; raises BadInput when its header can't be made out, so that no line can."""
    if len(data) > MAX_FILE_BYTES:
        raise BadInput(f"{len(data)} bytes, {MAX_FILE_BYTES} are read")
    lines = _lines(_decoded(data))
    header = next(lines, None)
    if header is None:
        raise BadInput("line 1: the file is empty; its first line names the columns")
    columns = _columns(header)
    rows: list[Mapping[str, Any]] = []
    faults: list[Fault] = []
    seen: dict[tuple[str, str], int] = {}
    for line in lines:
        row, wrong = _row(line, columns)
        if row is not None and not wrong:
            wrong = list(_twice(line.number, row, seen))
        faults += wrong
        if row is not None and not wrong:
            rows.append(row)
    return PeopleFile(tuple(rows), tuple(faults))


def write_people(people: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    """Write people, each with `groups` and at most one `card`; cells that a spreadsheet would run are guarded."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(WRITTEN)
    for person in people:
        texts = {**person, "groups": ";".join(person.get("groups", ()))}
        writer.writerow([guarded(str(texts.get(column) or "")) for column in WRITTEN])


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    cells: Sequence[str]
    fault: str | None = None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"line {line}: is not UTF-8; save the file as `CSV UTF-8`") from None


def _lines(text: str) -> Iterator[_Line]:
    """The lines that hold something. A quoted cell may run over several: the first counts."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _Line(number, (), f"is not CSV: {error}")
            continue
        if any(cell.strip() for cell in cells):
            yield _Line(number, [unguarded(cell).strip() for cell in cells])


def _columns(header: _Line) -> list[str]:
    names = [name.lower() for name in header.cells]
    where = f"line {header.number}"
    if header.fault is not None:
        raise BadInput(f"{where}: {header.fault}")
    for place, name in enumerate(names, 1):
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, 1)
            hint = f", did you mean {near[0]}?" if near else f"; known are {', '.join(COLUMNS)}"
            hint = "; columns are separated by commas" if ";" in name else hint
            # A file without a header has the number of a card here, which is not to be repeated.
            shown = repr(name) if near else str(place)
            raise BadInput(one_line(f"{where}: column {shown} is not known{hint}"))
        if names.count(name) > 1:
            raise BadInput(f"{where}: column {name} is there twice")
    for name in _NEEDED:
        if name not in names:
            raise BadInput(f"{where}: column {name} is missing")
    return names


def _row(line: _Line, columns: Sequence[str]) -> tuple[Mapping[str, Any] | None, list[Fault]]:
    """A line as an import takes it, and what is wrong with it."""
    if line.fault is not None:
        return None, [Fault(line.number, None, line.fault)]
    if len(line.cells) != len(columns):
        return None, [Fault(line.number, None, f"has {len(line.cells)} cells, the header has {len(columns)}")]
    texts = {name: text for name, text in zip(columns, line.cells, strict=True) if text}
    faults = [Fault(line.number, name, "is empty") for name in _NEEDED if name not in texts]
    row: dict[str, Any] = {"line": line.number, **texts}
    if "groups" in row:
        names = [name.strip() for name in texts["groups"].split(";")]
        row["groups"] = list(dict.fromkeys(name for name in names if name))
    number = row.pop("uid", None)
    faults += _misfits(row, skip=[fault.column for fault in faults])
    if number is not None:
        try:
            row["uid"] = card_number(number)
        except BadInput as error:
            faults.append(Fault(line.number, "uid", str(error)))
        if "card" in row:
            faults.append(Fault(line.number, "uid", "stands beside card, of which it is the number"))
    return row, faults


def _misfits(row: Mapping[str, Any], skip: Sequence[str | None]) -> list[Fault]:
    """What the service would say of a row, which checks it by the same model."""
    try:
        ImportRow.model_validate(row)
    except ValidationError as error:
        found: dict[str, str] = {}
        for detail in error.errors(include_url=False, include_context=False):
            column = str(detail["loc"][0]) if detail["loc"] else "valid_until"
            if column not in skip:
                found.setdefault(column, _words(column, detail["type"], detail["msg"]))
        return [Fault(row["line"], column, text) for column, text in found.items()]
    return []


def _words(column: str, kind: str, message: str) -> str:
    if kind in ("string_pattern_mismatch", "literal_error"):
        if column == "status":
            return f"{_WORDS[column]}; who is inactive is activated with `cardea people activate`"
        return _WORDS[column]
    return message.removeprefix("Value error, ").replace("List should", "should").replace("String should", "should")


def _twice(number: int, row: Mapping[str, Any], seen: dict[tuple[str, str], int]) -> Iterator[Fault]:
    """What another line of the file names already; remembers what this one names."""
    for column in ("person", "card", "uid"):
        if column in row:
            first = seen.setdefault((column, row[column]), number)
            if first != number:
                yield Fault(number, column, f"is in line {first} already")
