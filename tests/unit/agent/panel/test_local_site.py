"""What the demo takes from the local AWS, and that the door's state is replaced only where that is safe."""

import json
import re
from pathlib import Path

import pytest

from agent.cli.cloud_options import local_devices
from agent.config import Config
from agent.errors import AgentError
from agent.panel.local_site import (
    MARK,
    LocalSite,
    bring_keys,
    device_option,
    door_environment,
    fresh_state,
    read_ready_line,
    without_aws,
)

LINE = {
    "endpoint": "http://127.0.0.1:4566",
    "home": "/tmp/home",
    "environment": {"AWS_REGION": "eu-central-1"},
    "operator_environment": {"AWS_ACCESS_KEY_ID": "test"},
    "epoch": 3,
    "version": 22,
    "api": "http://127.0.0.1:4566/api",
    "site": "hq",
    "pool_id": "eu-central-1_x",
    "client_id": "c",
    "region": "eu-central-1",
    "staff": {"guard": {"name": "guard", "password": "secret", "subject": "s"}},
}


@pytest.fixture
def site(tmp_path: Path) -> LocalSite:
    keys = tmp_path / "home" / "door"
    keys.mkdir(parents=True)
    (keys / "card-hash.key").write_text("11" * 32)
    (keys / "list-verify.pub").write_text("22" * 32)
    variables = {
        "AWS_ACCESS_KEY_ID": "door",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:4566/",
    }
    return LocalSite("http://127.0.0.1:4566", "127.0.0.1", 4566, tmp_path / "home", variables, {}, (3, 22), {}, {})


def config_with(state: Path) -> Config:
    door = {"id": "d", "lock": {"driver": "emulated", "fail": "secure"}}
    return Config.model_validate({"device": {"id": "c", "site": "s", "state_dir": state}, "door": [door]})


def test_ready_line_is_read() -> None:
    """Endpoint in parts, home as a path."""
    site = read_ready_line(json.dumps(LINE))
    assert (site.host, site.port, site.home) == ("127.0.0.1", 4566, Path("/tmp/home"))
    assert site.list_version == (3, 22)
    assert site.office["endpoint_url"] == "http://127.0.0.1:4566"
    assert site.staff == {"guard": ("guard", "secret")}
    assert "secret" not in repr(site)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ready",
        "[]",
        "{}",
        *(json.dumps({**LINE, "endpoint": odd}) for odd in ("https://x:1", "http://x", "x", 1, "")),
    ],
)
def test_odd_ready_line_is_one_clear_error(line: str) -> None:
    """Whatever it says instead."""
    with pytest.raises(AgentError, match="local AWS"):
        read_ready_line(line)


def test_persons_own_account_does_not_get_through(site: LocalSite) -> None:
    """Neither variables nor profile files nor a proxy in front of 127.0.0.1."""
    mine = {"PATH": "/bin", "AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "x", "HTTP_PROXY": "http://proxy"}
    for environment in (without_aws(mine), door_environment(site, mine, "http://127.0.0.1:7")):
        assert "AWS_PROFILE" not in environment
        assert "AWS_SESSION_TOKEN" not in environment
        assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
        assert "127.0.0.1" in environment["NO_PROXY"]
        assert environment["PATH"] == "/bin"


def test_door_reaches_aws_through_the_relay_only(site: LocalSite) -> None:
    """Every endpoint is the relay's; the rest is the site's."""
    environment = door_environment(site, {}, "http://127.0.0.1:7")
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:7"
    assert environment["AWS_ENDPOINT_URL_KINESIS"] == "http://127.0.0.1:7/"
    assert environment["AWS_ACCESS_KEY_ID"] == "door"


def test_new_state_holds_the_sites_keys_for_the_owner_alone(site: LocalSite, tmp_path: Path) -> None:
    """The keys are where the config says, and readable by no other user."""
    state = tmp_path / "state"
    assert fresh_state(config_with(state)) is None
    bring_keys(config_with(state), site)
    assert (state / "card-hash.key").read_text() == "11" * 32
    assert (state / "list-verify.pub").read_text() == "22" * 32
    assert (state / "card-hash.key").stat().st_mode & 0o077 == 0


def test_state_of_an_earlier_demo_is_kept_once(tmp_path: Path) -> None:
    """The one before last goes."""
    state = tmp_path / "state"
    for number in range(3):
        assert fresh_state(config_with(state)) is None
        assert not (state / "journal.db").exists()
        (state / "journal.db").write_text(str(number))
    assert (tmp_path / "state.previous" / "journal.db").read_text() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "state.previous"]


def test_state_that_the_demo_did_not_make_is_never_removed(tmp_path: Path) -> None:
    """It is set aside, each time under a name of its own, and the caller is told."""
    state = tmp_path / "state"
    for number in (1, 2):
        state.mkdir(exist_ok=True)
        (state / MARK).unlink(missing_ok=True)
        (state / "journal.db").write_text(str(number))
        aside = fresh_state(config_with(state))
        assert aside is not None
        assert (aside / "journal.db").read_text() == str(number)
    assert (tmp_path / "state.set-aside-1" / "journal.db").read_text() == "1"


def test_previous_of_another_is_never_removed(tmp_path: Path) -> None:
    """A directory that happens to have the name we would use stays."""
    state, other = tmp_path / "state", tmp_path / "state.previous"
    other.mkdir()
    (other / "mine").write_text("x")
    for _ in range(2):
        fresh_state(config_with(state))
    assert (other / "mine").exists()
    assert (tmp_path / "state.set-aside-1" / MARK).exists()


def test_missing_keys_are_one_clear_error(tmp_path: Path) -> None:
    """As when the local AWS did not write them."""
    site = LocalSite("http://127.0.0.1:1", "127.0.0.1", 1, tmp_path / "empty", {}, {}, (3, 22), {}, {})
    with pytest.raises(AgentError, match="keys can't be brought"):
        bring_keys(config_with(tmp_path / "state"), site)


def test_controller_is_named_with_the_key_that_it_will_sign_with(tmp_path: Path) -> None:
    """The cloud is told of it before the controller starts; its key is made once."""
    config = config_with(tmp_path / "state")
    fresh_state(config)
    option = device_option(config)
    assert re.fullmatch(r"c=[0-9a-f]{64}:d", option)
    assert device_option(config) == option
    assert local_devices((option,))[0].doors == ("d",)
