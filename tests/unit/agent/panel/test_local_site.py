"""What the demo takes from the local AWS, and where it puts the keys."""

import json
from pathlib import Path

import pytest

from agent.config import Config
from agent.errors import AgentError
from agent.panel.local_site import LocalSite, door_environment, give_keys, read_ready_line, without_aws

LINE = {
    "endpoint": "http://127.0.0.1:4566",
    "home": "/tmp/home",
    "environment": {"AWS_REGION": "eu-central-1"},
    "operator_environment": {"AWS_ACCESS_KEY_ID": "test"},
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
    return LocalSite("http://127.0.0.1:4566", "127.0.0.1", 4566, tmp_path / "home", variables, {})


def config_with(state: Path) -> Config:
    door = {"id": "d", "lock": {"driver": "emulated", "fail": "secure"}}
    return Config.model_validate({"device": {"id": "c", "site": "s", "state_dir": state}, "door": [door]})


def test_ready_line_is_read() -> None:
    """Endpoint in parts, home as a path."""
    site = read_ready_line(json.dumps(LINE))
    assert (site.host, site.port, site.home) == ("127.0.0.1", 4566, Path("/tmp/home"))


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


def test_keys_are_put_in_place_for_the_owner_alone_and_memory_stays(site: LocalSite, tmp_path: Path) -> None:
    """The keys are where the config says, readable by no other user; the journal of the last run is untouched."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "journal.db").write_text("events")
    for _ in range(2):
        give_keys(config_with(state), site)
    assert (state / "card-hash.key").read_text() == "11" * 32
    assert (state / "list-verify.pub").read_text() == "22" * 32
    assert (state / "card-hash.key").stat().st_mode & 0o077 == 0
    assert (state / "journal.db").read_text() == "events"


def test_missing_keys_are_one_clear_error(tmp_path: Path) -> None:
    """As when the local AWS did not write them."""
    site = LocalSite("http://127.0.0.1:1", "127.0.0.1", 1, tmp_path / "empty", {}, {})
    with pytest.raises(AgentError, match="keys can't be put in place"):
        give_keys(config_with(tmp_path / "state"), site)
