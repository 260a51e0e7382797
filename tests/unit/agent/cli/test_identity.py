"""What an installer reads out to whoever registers a controller."""

import json
from pathlib import Path

from click.testing import CliRunner

from agent.cli import main
from agent.storage.keys import load_or_make_device_key

CONFIG = """
[device]
id = "c-1"
site = "hq"
state_dir = "{state}"
[[door]]
id = "front"
[door.lock]
driver = "emulated"
fail = "secure"
"""


def config_in(folder: Path) -> Path:
    path = folder / "cardea.toml"
    path.write_text(CONFIG.format(state=folder / "state"))
    return path


def test_identity_is_the_line_that_registers_it(tmp_path: Path) -> None:
    """With the public half of the key that it signs with, and its doors."""
    (tmp_path / "state").mkdir()
    key = load_or_make_device_key(tmp_path / "state" / "device.key")
    public, private = key.public_key().public_bytes_raw().hex(), key.private_bytes_raw().hex()
    result = CliRunner().invoke(main, ["identity", "--config", str(config_in(tmp_path))])
    assert result.output == f"cardea devices register c-1 --key {public} --door front --site hq\n"
    told = CliRunner().invoke(main, ["identity", "--json", "--config", str(config_in(tmp_path))]).output
    assert json.loads(told) == {"device": "c-1", "site": "hq", "key": public, "doors": ["front"]}
    assert private not in told


def test_controller_that_never_started_has_no_identity(tmp_path: Path) -> None:
    """Nothing is made up by looking."""
    result = CliRunner().invoke(main, ["identity", "--config", str(config_in(tmp_path))])
    assert result.exit_code == 1
    assert "device.key" in result.output
    assert not (tmp_path / "state").exists()
