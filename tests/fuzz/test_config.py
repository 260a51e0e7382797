"""Configuration files of any bytes: a configuration, or every problem in a printable line each; never a traceback."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.configfile import MAX_CONFIG_BYTES, MAX_LINE_BYTES, MAX_PROBLEMS, load
from agent.errors import ConfigError, Problem
from tests.fuzz.budget import cases
from tests.fuzz.damage import damaged, raw

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "config" / "reference.toml").read_bytes()
EMULATED = (ROOT / "config" / "emulated.toml").read_bytes()
SMALL = b"""[device]
id = "d1"
site = "hq"
[[door]]
id = "front"
held_open_s = 30
pre_alarm_s = 5
follows_fire_of = []
[door.lock]
driver = "gpio"
pin = 17
fail = "secure"
[door.inputs.rex]
driver = "gpio"
pin = 27
normally = "open"
[[door.reader]]
name = "in"
direction = "in"
driver = "pcsc"
match = "ACS*"
[allowlist]
when_stale = "groups_only"
stale_groups = ["staff"]
max_age_s = 3600
[aws]
region = "eu-central-1"
stream = "s"
table = "table"
bucket = "bucket"
[emulated.cards]
alice = "04A1B2C3D4E580"
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all cases."""
    return tmp_path_factory.mktemp("config") / "cardea.toml"


def check_problems(problems: Sequence[Problem]) -> None:
    """Each in a printable line of bounded length, and no card's number in it."""
    assert 1 <= len(problems) <= 2 * MAX_PROBLEMS + 1
    for problem in problems:
        for text in (problem.where, problem.what):
            assert text
            assert text.isprintable()
            assert len(text) <= 300
        assert problem.hint is None or problem.hint.isprintable()
        assert "04A1B2" not in problem.what or not problem.where.startswith("emulated.cards")


def check(file: Path, data: bytes) -> bool:
    """Whether the file is taken. What is refused is refused in words, and what is taken can be used."""
    file.write_bytes(data)
    try:
        config = load(file)
    except ConfigError as error:
        check_problems(error.problems)
        return False
    for door in config.door:
        assert 1.0 <= config.lock_settings(door).energised_when_unlocked + door.lock.strike_s <= 121.0
        assert door.pre_alarm_s < door.held_open_s
    pins = [part.pin for part in config.input_settings() if part.pin is not None]
    pins += [pin for door in config.door if (pin := config.lock_settings(door).pin) is not None]
    assert len(pins) == len(set(pins)), "two parts on one pin would drive each other"
    config.reader_settings()
    assert "\0" not in str(config.device.state_dir)
    return True


@cases(800)
@given(damaged(SMALL))
def test_a_damaged_small_configuration_is_explained(file: Path, data: bytes) -> None:
    """Edits in a short file hit a key or a value nearly every time."""
    check(file, data)


@cases(250)
@given(st.one_of(damaged(REFERENCE, EMULATED), raw()))
def test_damaged_shipped_configurations_and_any_bytes_are_explained(file: Path, data: bytes) -> None:
    """What we ship, after an accident; and what is no configuration at all."""
    check(file, data)


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        "true", "0", "-1", "17", "17.0", "1e400", "-inf", "nan", "9" * 400, "0x" + "f" * 600, '""', '"\\u0000"',
        '"\\u001b[2J"', '"front"', '"gpio"', '"emulated"', f'"{"x" * 1000}"', "[]", "[[1], {a = 1}]", "{}",
        "{driver = 'gpio'}", "{driver = 3}", f"{{{'.'.join('a' * 900)} = 1}}", "[" * 250 + "]" * 250, "1979-05-27",
        "1979-05-27T07:32:00.999999Z", "07:32:00", f"'{'ab' * 32}'", '"04A1B2C3D4E58"', "'" + "04" * 16 + "'",
    ]
)  # fmt: skip
LINES = SMALL.decode().splitlines()
PLACES = [number for number, line in enumerate(LINES) if " = " in line]


@cases(800)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=4))
def test_a_value_of_any_type_at_any_place_is_explained(file: Path, changes: list[tuple[int, str]]) -> None:
    """A list for a name, a name for a list, a number beyond its type: each is one problem at its place."""
    lines = list(LINES)
    for place, value in changes:
        lines[place] = f"{lines[place].partition(' = ')[0]} = {value}"
    check(file, "\n".join(lines).encode())


@pytest.mark.parametrize(
    "data",
    [
        SMALL.replace(b"17", b"9" * 2000),
        SMALL.replace(b"17", b"0x" + b"f" * 2000),
        SMALL.replace(b'"front"', b"[1]"),
        SMALL.replace(b"follows_fire_of = []", b"follows_fire_of = [[1], {a = 2}]"),
        SMALL + b'"\\u001b[31mred\\n" = 1\n',
        SMALL.replace(b'id = "d1"', b'id = "d1"\nstate_dir = "a\\u0000b"'),
        SMALL.replace(b'"secure"', b"{" + b".".join([b"a"] * 1000) + b" = 1}"),
        SMALL.replace(b"held_open_s = 30", b'held_open_s = "10"'),
        SMALL.replace(b"pin = 27", b"pin = 17.0"),
        SMALL.replace(b"pin = 27", b'pin = "17"'),
        SMALL.replace(b'"04A1B2C3D4E580"', b'"04A1B2C3D4E58"'),
        SMALL.replace(b'id = "d1"', b'id = "d1"\ncard_hash_key = "' + b"ab" * 32 + b'"'),
    ],
)
def test_what_once_was_a_traceback_or_taken_is_refused_in_words(file: Path, data: bytes) -> None:
    """Found by the tests above, or by reading; kept by name."""
    assert check(file, SMALL)
    assert not check(file, data)


def test_no_file_takes_long_or_much(file: Path) -> None:
    """A file or a line too long is refused before it is parsed: the parts of one key took memory by their square."""
    assert not check(file, SMALL + b"#" * MAX_CONFIG_BYTES)
    assert not check(file, b".".join([b"a"] * MAX_LINE_BYTES) + b" = 1\n")
    assert not check(file, b".".join([b"a"] * (MAX_LINE_BYTES // 2 - 10)) + b" = 1\n")
    assert not check(file, SMALL + b"".join(b"k%d = 1\n" % number for number in range(10_000)))


def test_an_endless_file_is_read_no_further_than_the_limit() -> None:
    """A device such as /dev/zero says that its size is 0."""
    with pytest.raises(ConfigError, match="larger than"):
        load(Path("/dev/zero"))
