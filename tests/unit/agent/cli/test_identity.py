"""What an installer reads out to whoever registers a controller."""

import json
import os
from pathlib import Path

import pytest
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


def test_identity_can_be_made_before_the_first_start(tmp_path: Path) -> None:
    """So that a controller is registered before it sends anything; once there, it stays."""
    config = str(config_in(tmp_path))
    missing = CliRunner().invoke(main, ["identity", "--make", "--config", config])
    assert (missing.exit_code, "install the service first" in missing.output) == (1, True)
    (tmp_path / "state").mkdir()
    first = CliRunner().invoke(main, ["identity", "--make", "--config", config])
    assert first.exit_code == 0
    assert (tmp_path / "state" / "device.key").stat().st_mode & 0o777 == 0o600
    for options in ([], ["--make"]):
        assert CliRunner().invoke(main, ["identity", *options, "--config", config]).output == first.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_key_is_not_made_for_a_daemon_that_could_not_read_it(tmp_path: Path) -> None:
    """The folder belongs to who runs the daemon; nobody else leaves a key there."""
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 65534, 65534)
    result = CliRunner().invoke(main, ["identity", "--make", "--config", str(config_in(tmp_path))])
    assert (result.exit_code, "belongs to another user" in result.output) == (1, True)
    assert list((tmp_path / "state").iterdir()) == []


def test_controller_that_never_started_has_no_identity(tmp_path: Path) -> None:
    """Nothing is made up by looking."""
    result = CliRunner().invoke(main, ["identity", "--config", str(config_in(tmp_path))])
    assert result.exit_code == 1
    assert "device.key" in result.output
    assert not (tmp_path / "state").exists()
