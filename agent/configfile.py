"""Read a configuration file and explain everything that is wrong with it, all at once. Never guesses a value."""

import difflib
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from agent.config import NAME_PATTERN, REGION_PATTERN, UID_PATTERN, Config
from agent.config_checks import cross_problems
from agent.errors import ConfigError, Problem
from cloud.contract.checks import shown

MAX_CONFIG_BYTES: Final = 1 << 17
MAX_LINE_BYTES: Final = 2048
"""tomllib takes memory and time with the square of the parts of a dotted key, and a key is on one line."""
MAX_DEPTH: Final = 16
"""The schema needs six."""
MAX_PROBLEMS: Final = 100
"""Of a file that is no configuration at all; the rest is a number."""
_PATTERNS = {
    NAME_PATTERN: "letters, digits, - and _, at most 64, beginning with a letter or digit",
    UID_PATTERN: "a card's UID is 4 to 16 bytes in hex",
    REGION_PATTERN: "a region looks like eu-central-1",
}


def load(path: Path) -> Config:
    """The checked configuration; relative paths are relative to the file. Raises ConfigError with every problem."""
    raw = _read(path)
    spanning = list(cross_problems(raw))
    problems, more = spanning[:MAX_PROBLEMS], max(0, len(spanning) - MAX_PROBLEMS)
    config: Config | None = None
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=True)
        # A door list whose doors all have faults is not short of doors.
        meant = [fault for fault in faults if not (fault["type"] == "too_short" and fault["input"])]
        more += max(0, len(meant) - MAX_PROBLEMS)
        problems += [_explain(fault, raw) for fault in meant[:MAX_PROBLEMS]]
    if problems or config is None:
        found = sorted(set(problems), key=lambda problem: (problem.where, problem.what))
        raise ConfigError(str(path), [*found, *([Problem("file", f"and {more} more")] if more else [])])
    base = path.resolve().parent
    device = config.device
    placed = {"state_dir": base / device.state_dir, "socket": None if device.socket is None else base / device.socket}
    return config.model_copy(update={"device": device.model_copy(update=placed)})


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(str(path), [Problem("file", error.strerror or str(error))]) from error
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(str(path), [Problem("file", f"is larger than {MAX_CONFIG_BYTES} bytes")])
    lines = data.split(b"\n")
    long = next((number for number, line in enumerate(lines, start=1) if len(line) > MAX_LINE_BYTES), None)
    if long is not None:
        raise ConfigError(str(path), [Problem("file", f"line {long} is longer than {MAX_LINE_BYTES} bytes")])
    try:
        raw = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: also an integer of thousands of digits
        raise ConfigError(str(path), [Problem("file", f"is not TOML: {error}")]) from error
    if _is_too_deep(raw):
        raise ConfigError(str(path), [Problem("file", f"has values more than {MAX_DEPTH} levels deep")])
    return raw


def _is_too_deep(raw: Any) -> bool:
    """Whether values are nested so deep that those who walk them, our vendors included, could run out of stack."""
    level = [raw]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    return bool(level)


def _explain(fault: Any, raw: Mapping[str, Any]) -> Problem:
    """One line for a person out of one of the validator's errors."""
    steps = _real_steps(fault["loc"], raw)
    where = ".".join(str(step) for step in steps) or "file"
    kind, given = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        return Problem(where, "is not a key of this table", _similar(str(steps[-1]), _known_keys(steps[:-1], raw)))
    if kind == "missing":
        return Problem(where, "is missing", _similar_sibling(steps, raw))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        allowed = [part.strip(" '") for part in str(fault.get("ctx", {}).get("expected_tags", "")).split(",")]
        where += ".driver"
        if kind == "union_tag_not_found":
            return Problem(where, "is missing", f"one of {', '.join(sorted(allowed))}" if allowed != [""] else None)
        tag = str(fault["ctx"]["tag"])
        return Problem(where, f"is {shown(tag)}, not one of {', '.join(allowed)}", _similar(tag, allowed))
    if kind in ("enum", "literal_error"):
        allowed = [part.strip(" '") for part in str(fault["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        hint = _similar(given, allowed) if isinstance(given, str) else None
        return Problem(where, f"is {shown(given)}, not one of {', '.join(allowed)}", hint)
    if kind == "value_error":
        return Problem(where, str(fault["ctx"]["error"]))
    pattern = fault.get("ctx", {}).get("pattern", "")
    message = _PATTERNS.get(pattern, fault["msg"][0].lower() + fault["msg"][1:])
    # What may be a card's number is not repeated: a reload writes its problems to the log.
    hidden = pattern == UID_PATTERN or isinstance(given, Mapping | list)
    return Problem(where, message if hidden else f"is {shown(given)}: {message}")


def _real_steps(loc: tuple[int | str, ...], raw: Mapping[str, Any]) -> list[int | str]:
    """The path as written in the file: the validator puts the names of union members in between."""
    steps: list[int | str] = []
    for place, step in enumerate(loc):
        table = _at(steps, raw)
        is_tag = isinstance(table, Mapping) and step not in table and table.get("driver") == step
        if not (is_tag and place + 1 < len(loc)):
            steps.append(step)
    return steps


def _known_keys(steps: list[int | str], raw: Mapping[str, Any]) -> list[str]:
    """The keys that the schema knows at this place of the file."""
    models: list[type[BaseModel]] = [Config]
    for step in steps:
        if isinstance(step, str):
            fields = [model.model_fields[step] for model in models if step in model.model_fields]
            models = [found for field in fields for found in _models_in(field.annotation)]
    table = _at(steps, raw)
    if isinstance(table, Mapping) and len(models) > 1:
        models = [model for model in models if _is_for(model, table.get("driver"))] or models
    return sorted({name for model in models for name in model.model_fields})


def _is_for(model: type[BaseModel], driver: object) -> bool:
    field = model.model_fields.get("driver")
    return field is not None and driver in typing.get_args(field.annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for part in typing.get_args(annotation):
            yield from _models_in(part)


def _similar(given: str, known: list[str]) -> str | None:
    close = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else None


def _similar_sibling(steps: list[int | str], raw: Mapping[str, Any]) -> str | None:
    """A key that is there but unknown and looks like the missing one."""
    table = _at(steps[:-1], raw)
    if not isinstance(table, Mapping):
        return None
    known = _known_keys(steps[:-1], raw)
    close = difflib.get_close_matches(str(steps[-1]), [key for key in table if key not in known], n=1, cutoff=0.6)
    return f"did you mean it by {close[0]!r}?" if close else None


def _at(steps: list[int | str], raw: Any) -> Any:
    """What stands at this place of the file; None if nothing does."""
    for step in steps:
        there = step in raw if isinstance(raw, Mapping) else isinstance(raw, list) and step in range(len(raw))
        if not there:
            return None
        raw = raw[step]
    return raw
