"""The device's configuration: its schema with defaults and ranges. Reading and explaining is in configfile."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints

from agent.core.model import ClockPolicy, Direction, StalePolicy
from hardware.settings import Fail, InputSettings, Level, LockSettings, Normally, Pull, ReaderSettings

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
UID_PATTERN = r"^([0-9A-Fa-f]{2}){4,16}$"
REGION_PATTERN = r"^[a-z]{2}(-[a-z]+)+-\d$"
_KEY: Final = re.compile(r"[0-9A-Fa-f]{64}")


def _names_a_file(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("no file's name has a NUL in it")
    if _KEY.fullmatch(path.name):
        raise ValueError("this is a key itself: put it into a file, and the file's name here")
    return path


Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Uid = Annotated[str, StringConstraints(pattern=UID_PATTERN)]
# Strict: "17" and 17.0 are no pins, and what spans several tables compares the values as they are written.
Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
Switch = Annotated[bool, Strict()]
Pin = Annotated[Whole, Field(ge=0, le=27, description="BCM number on the 40-pin header")]
Place = Annotated[Path, AfterValidator(_names_a_file)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


class DeviceConfig(_Table):
    """This controller."""

    id: Name
    site: Name
    state_dir: Place = Path("/var/lib/cardea")
    card_hash_key: Place = Path("card-hash.key")
    """File with the site's card-hash key, 64 hex digits; relative to the state directory."""
    clock: Literal["kernel", "trusted"] = "kernel"
    """When the system's clock is believed. `kernel`: while the kernel says it is synchronised. `trusted`: always (a
    machine with a clock battery)."""
    socket: Place | None = None
    """Control socket; default `control.sock` in the runtime directory."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class _LockConfig(_Table):
    active: Level = Level.HIGH
    """Level that energises the relay."""
    fail: Fail
    """What the lock does without power. No default: the installer says it."""
    strike_s: Number = Field(default=5.0, ge=1.0, le=120.0)
    """How long a grant unlocks."""


class GpioLockConfig(_LockConfig):
    """A lock on a relay at a GPIO pin."""

    driver: Literal["gpio"]
    pin: Pin


class EmulatedLockConfig(_LockConfig):
    """A lock that exists only in the agent."""

    driver: Literal["emulated"]


LockConfig = Annotated[GpioLockConfig | EmulatedLockConfig, Field(discriminator="driver")]


class _InputConfig(_Table):
    normally: Normally
    """Whether the circuit is open or closed while nothing happens."""
    pull: Pull = Pull.UP
    debounce_ms: Whole = Field(default=30, ge=1, le=1000)
    """How long a new state must last to count."""


class GpioInputConfig(_InputConfig):
    """A circuit at a GPIO pin."""

    driver: Literal["gpio"]
    pin: Pin


class EmulatedInputConfig(_InputConfig):
    """A circuit that exists only in the agent."""

    driver: Literal["emulated"]


InputConfig = Annotated[GpioInputConfig | EmulatedInputConfig, Field(discriminator="driver")]


class InputsConfig(_Table):
    """The inputs of a door; each may be left out."""

    contact: InputConfig | None = None
    rex: InputConfig | None = None
    tamper: InputConfig | None = None
    fire: InputConfig | None = None

    def present(self) -> Mapping[str, GpioInputConfig | EmulatedInputConfig]:
        """The inputs that are there, by kind."""
        found = {kind: getattr(self, kind) for kind in ("contact", "rex", "tamper", "fire")}
        return {kind: value for kind, value in found.items() if value is not None}


class _ReaderConfig(_Table):
    name: Name
    direction: Direction
    reread_s: Number = Field(default=0.5, ge=0.0, le=60.0)
    """How long a card must have been away before the same card counts again."""


class PcscReaderConfig(_ReaderConfig):
    """A reader that pcscd knows."""

    driver: Literal["pcsc"]
    match: str = Field(min_length=1, max_length=200)
    """Glob on the reader's PC/SC name."""


class NfcReaderConfig(_ReaderConfig):
    """A reader that nfcpy drives."""

    driver: Literal["nfc"]
    path: str = Field(min_length=3, max_length=200)
    """nfcpy's device path, such as usb:072f:2200, tty:S0:pn532 or udp:localhost:54321."""
    poll_ms: Whole = Field(default=100, ge=20, le=2000)
    """Time between two looks for a card."""


class EmulatedReaderConfig(_ReaderConfig):
    """A reader that is fed through the control socket."""

    driver: Literal["emulated"]


ReaderConfig = Annotated[PcscReaderConfig | NfcReaderConfig | EmulatedReaderConfig, Field(discriminator="driver")]


class DoorConfig(_Table):
    """One door: its lock, readers and inputs, and how it behaves."""

    id: Name
    lock: LockConfig
    reader: tuple[ReaderConfig, ...] = ()
    inputs: InputsConfig = InputsConfig()
    held_open_s: Number = Field(default=30.0, ge=5.0, le=3600.0)
    """Open longer than this is an alarm."""
    pre_alarm_s: Number = Field(default=5.0, ge=0.0, le=600.0)
    """Warn this long before that alarm; less than `held_open_s`."""
    relock_on_open: Switch = True
    """Lock as soon as the door opens, so that nobody follows through a door that falls shut."""
    rex_unlocks: Switch = True
    """False where the exit button itself cuts the lock's power and the agent only has to know of it."""
    rex_unlock_s: Number = Field(default=5.0, ge=1.0, le=120.0)
    clock_unknown: ClockPolicy = ClockPolicy.UNTIMED_ONLY
    """What the door does with timed rights while it does not know the time."""
    follows_fire_of: tuple[Name, ...] = ()
    """Doors whose fire input releases this door too."""


class AllowListConfig(_Table):
    """Which list to trust, and what to do with an old one."""

    verify_keys: tuple[Place, ...] = Field(default=(Path("list-verify.pub"),), min_length=1, max_length=2)
    """Files with the site's public keys, 64 hex digits; relative to the state directory. Two, to rotate."""
    poll_s: Number = Field(default=30.0, ge=1.0, le=3600.0)
    max_age_s: Number | None = Field(default=None, ge=60.0)
    """None: a list never grows too old."""
    when_stale: StalePolicy = StalePolicy.CARRY_ON
    stale_groups: tuple[str, ...] = ()
    """With `when_stale = "groups_only"`: who is still admitted."""


class JournalConfig(_Table):
    """Bounds of the journal."""

    max_events: Whole = Field(default=250_000, ge=1_000, le=10_000_000)
    max_mib: Whole = Field(default=256, ge=1, le=16_384)


class UplinkConfig(_Table):
    """Waits between attempts to reach the cloud: capped exponential with full jitter."""

    first_wait_s: Number = Field(default=0.1, gt=0.0, le=10.0)
    max_wait_s: Number = Field(default=60.0, ge=1.0, le=3600.0)
    timeout_s: Number = Field(default=10.0, ge=1.0, le=120.0)


class AwsConfig(_Table):
    """Names in the account. Endpoints and credentials come from the standard AWS_* variables."""

    region: str = Field(pattern=REGION_PATTERN)
    stream: str = Field(min_length=1, max_length=128)
    table: str = Field(min_length=3, max_length=255)
    bucket: str = Field(min_length=3, max_length=63)


class EmulatedConfig(_Table):
    """Names for cards, so that a person can say `cardea tap alice`. Emulated readers only."""

    cards: Mapping[Name, Uid] = Field(default_factory=dict)


class Config(_Table):
    """One controller with its doors. Made by `configfile.load`, which also checks what spans several tables."""

    device: DeviceConfig
    door: tuple[DoorConfig, ...] = Field(min_length=1)
    allowlist: AllowListConfig = AllowListConfig()
    journal: JournalConfig = JournalConfig()
    uplink: UplinkConfig = UplinkConfig()
    aws: AwsConfig | None = None
    """Left out: the door works alone and keeps its events."""
    emulated: EmulatedConfig = EmulatedConfig()

    def path(self, path: Path) -> Path:
        """A key file's place: relative ones are in the state directory."""
        return self.device.state_dir / path

    def lock_settings(self, door: DoorConfig) -> LockSettings:
        """What the lock's driver needs."""
        lock = door.lock
        pin = lock.pin if isinstance(lock, GpioLockConfig) else None
        return LockSettings(name=door.id, driver=lock.driver, fail=lock.fail, pin=pin, active=lock.active)

    def input_settings(self) -> tuple[InputSettings, ...]:
        """What the input drivers need; an input's name is `<door>.<kind>`."""
        return tuple(
            InputSettings(
                name=f"{door.id}.{kind}",
                driver=part.driver,
                normally=part.normally,
                debounce_s=part.debounce_ms / 1000,
                pin=part.pin if isinstance(part, GpioInputConfig) else None,
                pull=part.pull,
            )
            for door in self.door
            for kind, part in door.inputs.present().items()
        )

    def reader_settings(self) -> tuple[ReaderSettings, ...]:
        """What the reader drivers need."""
        return tuple(
            ReaderSettings(
                name=reader.name,
                driver=reader.driver,
                reread_s=reader.reread_s,
                match=reader.match if isinstance(reader, PcscReaderConfig) else None,
                path=reader.path if isinstance(reader, NfcReaderConfig) else None,
                poll_s=reader.poll_ms / 1000 if isinstance(reader, NfcReaderConfig) else 0.0,
            )
            for door in self.door
            for reader in door.reader
        )

    def card(self, text: str) -> bytes | None:
        """The UID of a card given by name or in hex; None if it is neither."""
        text = self.emulated.cards.get(text, text)
        return bytes.fromhex(text) if re.fullmatch(UID_PATTERN, text) else None
