"""Read a configuration file and explain everything that is wrong with it, all at once. Never guesses a value."""

import difflib
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agent.config import NAME_PATTERN, REGION_PATTERN, UID_PATTERN, Config
from agent.config_checks import cross_problems
from agent.errors import ConfigError, Problem

MAX_CONFIG_BYTES = 1 << 20
_PATTERNS = {
    NAME_PATTERN: "letters, digits, - and _, at most 64, beginning with a letter or digit",
    UID_PATTERN: "a card's UID is 4 to 16 bytes in hex",
    REGION_PATTERN: "a region looks like eu-central-1",
}


def load(path: Path) -> Config:
    """The checked configuration; relative paths are relative to the file. Raises ConfigError with every problem."""
    raw = _read(path)
    problems = list(cross_problems(raw))
    config: Config | None = None
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=True)
        # A door list whose doors all have faults is not short of doors.
        problems += [_explain(fault, raw) for fault in faults if not (fault["type"] == "too_short" and fault["input"])]
    if problems or config is None:
        raise ConfigError(str(path), sorted(set(problems), key=lambda problem: (problem.where, problem.what)))
    base = path.resolve().parent
    device = config.device
    placed = {"state_dir": base / device.state_dir, "socket": None if device.socket is None else base / device.socket}
    return config.model_copy(update={"device": device.model_copy(update=placed)})


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(str(path), [Problem("file", f"is larger than {MAX_CONFIG_BYTES} bytes")])
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(str(path), [Problem("file", error.strerror or str(error))]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(str(path), [Problem("file", f"is not TOML: {error}")]) from error


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
        return Problem(where, f"is {tag!r}, not one of {', '.join(allowed)}", _similar(tag, allowed))
    if kind in ("enum", "literal_error"):
        allowed = [part.strip(" '") for part in str(fault["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        return Problem(where, f"is {given!r}, not one of {', '.join(allowed)}", _similar(str(given), allowed))
    message = _PATTERNS.get(fault.get("ctx", {}).get("pattern", ""), fault["msg"][0].lower() + fault["msg"][1:])
    shown = "" if isinstance(given, Mapping | list) else f"is {given!r}: "
    return Problem(where, f"{shown}{message}")


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
