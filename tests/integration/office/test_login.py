"""`cardea login` and `logout` against a pool that really checks the proof of the password."""

import os
import pty
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agent.office.errors import NotSignedIn, OfficeError, ServiceUnreachable
from agent.office.profile import Profile
from agent.office.signin import Provider
from agent.office.tokens import load_tokens
from tests.integration.office.conftest import Cardea
from tests.rigs.office_service import OfficeService
from tests.rigs.user_pool import CLIENT_ID, CODE, POOL_ID, SECRET, UserPool
from tests.rigs.waiting import wait_for

NEW_PASSWORD = "another horse battery"
NOW_S = 1_772_000_000.0


class Answers:
    """Answers the prompts, and keeps what was shown."""

    def __init__(self, code: str = CODE, password: str = NEW_PASSWORD) -> None:
        self._code, self._password = code, password
        self.shown: list[tuple[str, str]] = []

    def new_password(self) -> str:
        return self._password

    def code(self) -> str:
        return self._code

    def show_secret(self, secret: str, user: str) -> None:
        self.shown.append((secret, user))


@pytest.fixture
def pool() -> Iterator[UserPool]:
    """The identity provider."""
    with UserPool() as running:
        yield running


def profile_of(pool: UserPool) -> Profile:
    return Profile(
        pool_id=POOL_ID, client_id=CLIENT_ID, region="eu-central-1", endpoint_url=pool.url, api="https://x", site="hq"
    )


def provider_of(pool: UserPool) -> Provider:
    return Provider(profile_of(pool), lambda: NOW_S)


def test_who_knows_the_password_is_signed_in(pool: UserPool) -> None:
    """The proof is one that another implementation of it accepts; the password is never sent."""
    tokens = provider_of(pool).sign_in("ada", pool.password, Answers())
    assert (tokens.access, tokens.refresh, tokens.expires_at) == ("access-1", "refresh-1", NOW_S + 900)
    assert pool.calls == ["InitiateAuth", "RespondToAuthChallenge"]


@pytest.mark.parametrize(("user", "password"), [("ada", "wrong"), ("eve", "correct horse battery"), ("ada", "")])
def test_who_does_not_is_not(pool: UserPool, user: str, password: str) -> None:
    """And is not told which of the two was wrong."""
    with pytest.raises(NotSignedIn, match=r"not signed in: Incorrect username or password\."):
        provider_of(pool).sign_in(user, password, Answers())


def test_a_first_sign_in_asks_for_a_password_and_sets_up_an_authenticator(pool: UserPool) -> None:
    """Everything that the provider asks, in one go; the next time it asks for the code only."""
    pool.temporary, pool.second_factor = True, "setup"
    answers = Answers()
    assert provider_of(pool).sign_in("ada", pool.password, answers).access == "access-1"
    assert answers.shown == [(SECRET, "ada")]
    assert (pool.password, pool.second_factor) == (NEW_PASSWORD, "on")
    assert provider_of(pool).sign_in("ada", NEW_PASSWORD, Answers()).access == "access-2"


@pytest.mark.parametrize("second_factor", ["setup", "on"])
def test_a_wrong_code_signs_nobody_in(pool: UserPool, second_factor: str) -> None:
    """Whether the authenticator is new or not."""
    pool.second_factor = second_factor
    with pytest.raises(NotSignedIn):
        provider_of(pool).sign_in("ada", pool.password, Answers(code="000000"))
    assert pool.signed_in == 0


def test_a_password_that_the_provider_does_not_take_is_told(pool: UserPool) -> None:
    """In its words."""
    pool.temporary = True
    with pytest.raises(NotSignedIn, match="Password not long enough"):
        provider_of(pool).sign_in("ada", pool.password, Answers(password="short"))


def test_tokens_are_renewed_until_they_are_revoked(pool: UserPool) -> None:
    """The refresh token stays the same."""
    provider = provider_of(pool)
    tokens = provider.sign_in("ada", pool.password, Answers())
    renewed = provider.renew(tokens)
    assert (renewed.access, renewed.refresh, renewed.user) == ("access-2", tokens.refresh, "ada")
    provider.sign_out(renewed)
    with pytest.raises(NotSignedIn):
        provider.renew(renewed)


def test_a_provider_that_is_not_there_is_told(pool: UserPool) -> None:
    """And so is one that does not know the client."""
    away = Profile(pool_id=POOL_ID, client_id=CLIENT_ID, region="eu-central-1", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(ServiceUnreachable):
        Provider(away, lambda: NOW_S).sign_in("ada", "x", Answers())
    stranger = Profile(pool_id=POOL_ID, client_id="other", region="eu-central-1", endpoint_url=pool.url)
    with pytest.raises(OfficeError, match="does not know this pool or client"):
        Provider(stranger, lambda: NOW_S).sign_in("ada", "x", Answers())


@pytest.fixture
def home(pool: UserPool, service: OfficeService, tmp_path: Path) -> Path:
    """The folder of a profile."""
    folder = tmp_path / ".config" / "cardea"
    folder.mkdir(parents=True)
    names = {"api": service.url, "site": "hq", "pool_id": POOL_ID, "client_id": CLIENT_ID, "region": "eu-central-1"}
    text = "".join(f'{name} = "{value}"\n' for name, value in {**names, "endpoint_url": pool.url}.items())
    (folder / "office.toml").write_text(text)
    return folder


NOT_SIGNED_IN: Mapping[str, str | None] = {"CARDEA_TOKEN": None, "CARDEA_API": None, "CARDEA_SITE": None}


def test_signing_in_lets_the_other_commands_in_until_signing_out(
    cardea: Cardea, service: OfficeService, pool: UserPool, home: Path
) -> None:
    """With the profile alone; no token is ever printed, and nobody else can read the file."""
    result = cardea("login", "ada", stdin=f"{pool.password}\n", **NOT_SIGNED_IN)
    assert (result.exit_code, result.output) == (0, "signed in as ada\n")
    kept = home / "office.token"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    service.tokens = {"access-1"}
    assert cardea("people", "list", **NOT_SIGNED_IN).exit_code == 0
    service.tokens = {"access-2"}  # the service no longer takes the first
    result = cardea("people", "list", **NOT_SIGNED_IN)
    assert (result.exit_code, "access-" in result.output) == (0, False)
    tokens = load_tokens(kept)
    assert tokens is not None
    assert tokens.access == "access-2"
    assert cardea("logout", **NOT_SIGNED_IN).stdout == "signed out\n"
    assert (kept.exists(), pool.revoked) == (False, {"refresh-1"})
    assert "cardea login" in cardea("people", "list", **NOT_SIGNED_IN).stderr
    assert cardea("logout", **NOT_SIGNED_IN).stdout == "nobody was signed in\n"


def test_a_token_that_ends_soon_is_renewed_before_it_is_used(
    cardea: Cardea, service: OfficeService, pool: UserPool, home: Path
) -> None:
    """Nothing is sent with one that may be over when it arrives."""
    pool.lifetime_s = 30
    cardea("login", "ada", stdin=f"{pool.password}\n", **NOT_SIGNED_IN)
    service.tokens = {"access-2"}
    assert cardea("people", "list", **NOT_SIGNED_IN).exit_code == 0
    assert [call.token for call in service.seen] == ["access-2"]


def test_tokens_are_deleted_even_where_the_provider_is_away(cardea: Cardea, pool: UserPool, home: Path) -> None:
    """Whoever signs out leaves nothing behind on this machine."""
    cardea("login", "ada", stdin=f"{pool.password}\n", **NOT_SIGNED_IN)
    profile = home / "office.toml"
    profile.write_text(profile.read_text().replace(pool.url, "http://127.0.0.1:9"))
    result = cardea("logout", **NOT_SIGNED_IN)
    assert (result.exit_code, list(home.iterdir())) == (4, [profile])


def test_a_wrong_password_keeps_nothing(cardea: Cardea, home: Path) -> None:
    """Exit 1, one line, and not the password."""
    result = cardea("login", "ada", stdin="a wrong one\n", **NOT_SIGNED_IN)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "a wrong one" not in result.output
    assert not (home / "office.token").exists()


def test_who_has_no_profile_is_told_what_is_missing(cardea: Cardea, tmp_path: Path) -> None:
    """Names, and where to find their values."""
    result = cardea("login", "ada", stdin="x\n")
    assert result.exit_code == 2
    assert all(f"{name}: is missing" in result.stderr for name in ("pool_id", "client_id", "region"))


def test_a_terminal_shows_neither_password_nor_token(pool: UserPool, home: Path, tmp_path: Path) -> None:
    """Typed by hand, through all that a first sign-in asks."""
    first_password = pool.password
    pool.temporary, pool.second_factor = True, "setup"
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "dumb"}
    process = subprocess.Popen(
        [sys.executable, "-c", "from agent.cli import main; main()", "login", "ada"],
        env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = bytearray()

    def read() -> None:
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:  # the terminal is closed
                return
            seen.extend(data)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    prompts = [("Password: ", first_password), ("New password: ", NEW_PASSWORD),
               ("Repeat for confirmation: ", NEW_PASSWORD), ("Code of the authenticator: ", CODE)]  # fmt: skip
    for prompt, answer in prompts:
        wait_for(lambda prompt=prompt: prompt.encode() in seen, f"the prompt {prompt!r}", timeout_s=30)  # type: ignore[misc]
        os.write(ours, f"{answer}\n".encode())
    assert process.wait(30) == 0
    reading.join(10)
    os.close(ours)
    assert b"signed in as ada" in seen
    assert SECRET.encode() in seen
    assert not any(secret.encode() in seen for secret in (first_password, NEW_PASSWORD, "access-", "refresh-"))
