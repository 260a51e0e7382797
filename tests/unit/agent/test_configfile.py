"""The configuration: every fault at once, each with its place; the reference file is complete."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agent.config import Config
from agent.configfile import _models_in, load
from agent.errors import ConfigError, Problem

ROOT = Path(__file__).parents[3]

GOOD = """
[device]
id = "d1"
site = "hq"
state_dir = "state"
[[door]]
id = "front"
[door.lock]
driver = "gpio"
pin = 17
fail = "secure"
[[door.reader]]
name = "in"
direction = "in"
driver = "pcsc"
match = "ACS*"
"""


def problems(tmp_path: Path, text: str) -> dict[str, Problem]:
    """What is wrong with a file, by place."""
    path = tmp_path / "cardea.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return {problem.where: problem for problem in caught.value.problems}


def test_load_accepts_a_good_file_and_places_relative_paths_beside_it(tmp_path: Path) -> None:
    """A state directory given relatively is beside the file, wherever the daemon was started."""
    path = tmp_path / "cardea.toml"
    path.write_text(GOOD)
    config = load(path)
    assert config.device.state_dir == tmp_path / "state"
    assert config.lock_settings(config.door[0]).pin == 17


@pytest.mark.parametrize("name", ["emulated.toml", "reference.toml"])
def test_shipped_configurations_are_good(name: str) -> None:
    """What we ship can be run."""
    load(ROOT / "config" / name)


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    """Faults of different kinds in different tables do not hide each other."""
    text = GOOD.replace('id = "front"', 'id = "front"\nheld_open_s = 4').replace('fail = "secure"', 'fale = "secure"')
    text = text.replace('match = "ACS*"', 'mach = "ACS*"') + '[door.inputs.rex]\ndriver = "gpio"\nnormally = "opened"\n'
    found = problems(tmp_path, text)
    assert set(found) == {
        "door.0.held_open_s",
        "door.0.pre_alarm_s",
        "door.0.lock.fail",
        "door.0.lock.fale",
        "door.0.reader.0.match",
        "door.0.reader.0.mach",
        "door.0.inputs.rex.pin",
        "door.0.inputs.rex.normally",
    }
    assert found["door.0.lock.fale"].hint == "did you mean 'fail'?"
    assert found["door.0.inputs.rex.normally"].hint == "did you mean 'open'?"


def test_a_pin_used_twice_is_reported_at_its_second_use(tmp_path: Path) -> None:
    """Two parts on one pin would drive each other."""
    found = problems(tmp_path, GOOD + '[door.inputs.rex]\ndriver = "gpio"\npin = 17\nnormally = "open"\n')
    assert "door.0.lock.pin" in found["door.0.inputs.rex.pin"].what


def test_an_unknown_driver_is_named_with_the_known_ones(tmp_path: Path) -> None:
    """A typo in a driver's name gets the name that was meant."""
    found = problems(tmp_path, GOOD.replace('driver = "pcsc"', 'driver = "pscs"'))
    assert "pcsc, nfc, emulated" in found["door.0.reader.0.driver"].what
    assert found["door.0.reader.0.driver"].hint == "did you mean 'pcsc'?"


def test_a_missing_driver_is_named(tmp_path: Path) -> None:
    """The table alone does not say what to use."""
    assert problems(tmp_path, GOOD.replace('driver = "gpio"\n', ""))["door.0.lock.driver"].what == "is missing"


def test_names_used_twice_are_reported(tmp_path: Path) -> None:
    """A reader's name is its address; two of one name could not be told apart."""
    again = GOOD[GOOD.index("[[door]]") :].replace('"gpio"\npin = 17', '"emulated"')
    assert {"door.1.id", "door.1.reader.0.name"} <= set(problems(tmp_path, GOOD + again))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("device = 3", "device"),
        ("[device", "file"),
        ("", "device"),
        ("door = [3]", "door.0"),
        (GOOD + "[allowlist]\nwhen_stale = 'groups_only'\n", "allowlist.stale_groups"),
        (GOOD.replace('id = "front"', 'id = "front"\nfollows_fire_of = ["back"]'), "door.0.follows_fire_of.0"),
        (GOOD + '[emulated.cards]\nalice = "04"\n', "emulated.cards.alice"),
    ],
)
def test_faults_are_found_where_they_are(tmp_path: Path, text: str, where: str) -> None:
    """Wrong shapes end in a place and words, never in a traceback."""
    assert where in problems(tmp_path, text)


def test_an_absent_file_is_one_problem(tmp_path: Path) -> None:
    """No file: said in the system's words."""
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml")


def _keys(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = list(_models_in(field.annotation))
        if not inner:
            yield f"{path}{name}"
        for part in inner:
            yield from _keys(part, f"{path}{name}.")


def _written(table: Any, path: str = "") -> Iterator[str]:
    for name, value in table.items():
        for part in value if isinstance(value, list) and value else [value]:
            if isinstance(part, dict) and name != "cards":
                yield from _written(part, f"{path}{name}.")
            else:
                yield f"{path}{name}"


def test_the_reference_file_names_every_key_with_its_default() -> None:
    """An installer finds every key in reference.toml, and a commented-out line is the default."""
    text = (ROOT / "config" / "reference.toml").read_text()
    uncommented = re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.M)
    assert set(_written(tomllib.loads(uncommented))) == set(_keys(Config))
    shown = tomllib.loads(uncommented)
    for name, field in {
        ("journal", "max_events"): 250_000,
        ("journal", "max_mib"): 256,
        ("uplink", "max_wait_s"): 60.0,
        ("allowlist", "poll_s"): 30.0,
    }.items():
        assert shown[name[0]][name[1]] == field
    door = Config.model_validate(tomllib.loads(text)).door[0]
    for key in ("held_open_s", "pre_alarm_s", "relock_on_open", "rex_unlocks", "rex_unlock_s"):
        assert shown["door"][0][key] == getattr(door, key)
