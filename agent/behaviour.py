"""From the configuration to what the core asks for: how each door behaves and decides. Plain translation, no rule."""

from agent.config import Config, DoorConfig
from agent.core.door import DoorSettings
from agent.core.model import DecisionSettings


def door_settings(door: DoorConfig) -> DoorSettings:
    """How the door behaves."""
    return DoorSettings(
        id=door.id,
        strike_s=door.lock.strike_s,
        rex_unlocks=door.rex_unlocks,
        rex_unlock_s=door.rex_unlock_s,
        held_open_s=door.held_open_s,
        pre_alarm_s=door.pre_alarm_s,
        relock_on_open=door.relock_on_open,
        has_contact=door.inputs.contact is not None,
    )


def decision_settings(config: Config, door: DoorConfig) -> DecisionSettings:
    """The door's own choices about deciding."""
    return DecisionSettings(
        clock_policy=door.clock_unknown,
        max_list_age_s=config.allowlist.max_age_s,
        stale_policy=config.allowlist.when_stale,
        stale_groups=frozenset(config.allowlist.stale_groups),
    )
