"""Which API and site the staff's commands mean."""

from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.office.profile import Profile, load_profile, profile_path


def written(folder: Path, text: str) -> Path:
    path = folder / "office.toml"
    path.write_text(text)
    return path


def test_options_come_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    """Each on its own."""
    path = written(tmp_path, "api = 'https://file.example'\nsite = 'file'\nregion = 'eu-central-1'\n")
    environment = {"CARDEA_API": "https://environment.example", "CARDEA_SITE": "environment"}
    assert load_profile(path, environment={}) == Profile("https://file.example", "file", region="eu-central-1")
    assert load_profile(path, environment=environment).api == "https://environment.example"
    chosen = load_profile(path, api="https://option.example", site="option", environment=environment)
    assert (chosen.api, chosen.site) == ("https://option.example", "option")


def test_a_missing_file_is_an_empty_profile(tmp_path: Path) -> None:
    """Whoever gives all by options needs none."""
    assert load_profile(tmp_path / "absent.toml", environment={}) == Profile()


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("sites = 'hq'", "sites", "did you mean site?"),
        ("token = 'secret'", "token", None),
        ("api = 1", "api", None),
        ("api = ''", "api", None),
        ("api = ", "file", None),
        ("api = 'http://door.example'", "api", None),
        ("api = 'ftp://127.0.0.1'", "api", None),
        ("api = 'https://'", "api", None),
        ("api = 'http://127.0.0.1.evil.example'", "api", None),
        ("api = 'http://[::1'", "api", None),
        ("endpoint_url = 'http://10.0.0.1:4566'", "endpoint_url", None),
    ],
)
def test_a_profile_that_can_not_be_meant_is_told(tmp_path: Path, text: str, where: str, hint: str | None) -> None:
    """Unknown names, other types, and an address to which a token would go in the clear."""
    with pytest.raises(ConfigError) as caught:
        load_profile(written(tmp_path, text), environment={})
    assert [(problem.where, problem.hint) for problem in caught.value.problems] == [(where, hint)]


@pytest.mark.parametrize(
    "url", ["https://api.example/base", "http://127.0.0.1:8600", "http://localhost:1", "http://[::1]:8600",
            "http://abc.execute-api.localhost:4566"],
)  # fmt: skip
def test_https_and_this_machine_are_taken(tmp_path: Path, url: str) -> None:
    """Nobody on the way reads along."""
    assert load_profile(written(tmp_path, f"api = '{url}'"), environment={}).api == url


def test_the_profile_lies_where_the_user_keeps_configuration(tmp_path: Path) -> None:
    """Or where a variable says."""
    assert profile_path({"HOME": str(tmp_path)}) == tmp_path / ".config/cardea/office.toml"
    assert profile_path({"HOME": "/x", "XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "cardea/office.toml"
    assert profile_path({"HOME": "/x", "CARDEA_PROFILE": "/y/other.toml"}) == Path("/y/other.toml")
