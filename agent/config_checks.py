"""What spans several tables of a configuration: names and pins used twice, bounds that depend on each other.

Works on the file as parsed, before the schema has seen it, so that these problems show beside all others.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.config import DoorConfig
from agent.errors import Problem
from cloud.contract.checks import shown


def cross_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Every problem between tables; parts of the wrong shape are left to the schema."""
    doors = [(place, door) for place, door in enumerate(_list(raw.get("door"))) if isinstance(door, Mapping)]
    yield from _twice(doors)
    yield from _pins(doors)
    known = {name for _, door in doors if isinstance(name := door.get("id"), str)}
    for place, door in doors:
        yield from _timing(place, door)
        yield from _fire(place, door, known)
    yield from _stale(raw.get("allowlist"))


def _twice(doors: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Problem]:
    names = [(f"door.{place}.id", "door id", door.get("id")) for place, door in doors]
    names += [
        (f"door.{place}.reader.{number}.name", "reader name", reader.get("name"))
        for place, door in doors
        for number, reader in enumerate(_list(door.get("reader")))
        if isinstance(reader, Mapping)
    ]
    first: dict[tuple[str, object], str] = {}
    for where, what, name in names:
        if not isinstance(name, str):
            continue
        if (what, name) in first:
            yield Problem(where, f"{what} {shown(name)} is used twice: also at {first[what, name]}")
        first.setdefault((what, name), where)


def _pins(doors: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Problem]:
    first: dict[int, str] = {}
    for place, door in doors:
        inputs = door.get("inputs")
        parts = {f"door.{place}.lock": door.get("lock")}
        if isinstance(inputs, Mapping):
            parts |= {f"door.{place}.inputs.{kind}": part for kind, part in inputs.items()}
        for where, part in parts.items():
            pin = part.get("pin") if isinstance(part, Mapping) else None
            if type(pin) is not int:
                continue
            if pin in first:
                yield Problem(f"{where}.pin", f"pin {shown(pin)} is used twice: also at {first[pin]}.pin")
            first.setdefault(pin, where)


def _timing(place: int, door: Mapping[str, Any]) -> Iterator[Problem]:
    held, warned = (door.get(name, DoorConfig.model_fields[name].default) for name in ("held_open_s", "pre_alarm_s"))
    if isinstance(held, int | float) and isinstance(warned, int | float) and warned >= held:
        what = f"is {shown(warned)}: it warns before held_open_s ({shown(held)}) and must be less"
        yield Problem(f"door.{place}.pre_alarm_s", what)


def _fire(place: int, door: Mapping[str, Any], known: set[str]) -> Iterator[Problem]:
    for number, other in enumerate(_list(door.get("follows_fire_of"))):
        if isinstance(other, str) and (other not in known or other == door.get("id")):
            yield Problem(f"door.{place}.follows_fire_of.{number}", f"{shown(other)} is no other door of this file")


def _stale(allowlist: object) -> Iterator[Problem]:
    if not isinstance(allowlist, Mapping) or allowlist.get("when_stale") != "groups_only":
        return
    for name, why in (("stale_groups", "names who is still admitted"), ("max_age_s", "says when a list is too old")):
        if not allowlist.get(name):
            yield Problem(f"allowlist.{name}", f'is missing: with when_stale = "groups_only" it {why}')


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
