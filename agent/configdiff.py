"""Which changes of a configuration need a restart: whatever a thread or a pin was built from."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from agent.config import Config

LIVE: Final = frozenset(
    {
        "device.log_level",
        "door.held_open_s",
        "door.pre_alarm_s",
        "door.relock_on_open",
        "door.rex_unlocks",
        "door.rex_unlock_s",
        "door.clock_unknown",
        "door.lock.strike_s",
        "allowlist.max_age_s",
        "allowlist.when_stale",
        "allowlist.stale_groups",
    }
)
"""Keys that a running agent takes over, without the numbers of list entries."""


def needs_restart(old: Config, new: Config) -> list[str]:
    """The dotted paths of changes that a running agent can't take over; empty when it can take over all."""
    return [path for path in _differences(old.model_dump(), new.model_dump()) if _general(path) not in LIVE]


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, f"{path}.{place}")
    elif old != new:
        yield path


def _general(path: str) -> str:
    return ".".join(step for step in path.split(".") if not step.isdigit())
