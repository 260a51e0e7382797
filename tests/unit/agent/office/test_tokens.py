"""Tokens on disk: for their owner only, renewed in time, and never for another service."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from agent.office.errors import NotSignedIn, OfficeError, ServiceUnreachable
from agent.office.tokens import KeptTokens, Tokens, forget_tokens, load_tokens, save_tokens, token_path

NOW_S = 1_772_000_000.0
TOKENS = Tokens("ada", "client-1", "access-1", "refresh-1", NOW_S + 900)


def never(tokens: Tokens) -> Tokens:
    raise AssertionError("renewed without need")


def renewed(tokens: Tokens) -> Tokens:
    assert tokens.access == "access-1"
    return replace(tokens, access="access-2", expires_at=NOW_S + 1800)


def test_tokens_survive_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    """In a folder that is made for them, too; nothing is left beside."""
    path = tmp_path / "cardea" / "office.token"
    save_tokens(path, TOKENS)
    save_tokens(path, replace(TOKENS, refresh=None))
    assert load_tokens(path) == replace(TOKENS, refresh=None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    forget_tokens(path)
    forget_tokens(path)
    assert load_tokens(path) is None


def test_tokens_are_never_shown() -> None:
    """Not even by a traceback that prints them."""
    assert "access-1" not in repr(TOKENS)
    assert "refresh-1" not in repr(TOKENS)


def test_tokens_that_others_can_read_are_refused(tmp_path: Path) -> None:
    """They may have been taken."""
    path = tmp_path / "office.token"
    save_tokens(path, TOKENS)
    path.chmod(0o640)
    with pytest.raises(OfficeError, match="others than you can read"):
        load_tokens(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"user": 1}'])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    """In a line that does not repeat it."""
    path = tmp_path / "office.token"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(OfficeError, match=r"office\.token"):
        load_tokens(path)


def test_a_token_that_holds_is_used_as_it_is(tmp_path: Path) -> None:
    """Until a minute before its end."""
    path = tmp_path / "office.token"
    save_tokens(path, TOKENS)
    assert KeptTokens(path, "client-1", never, lambda: NOW_S + 839).access() == "access-1"


def test_a_token_that_ends_is_renewed_and_kept(tmp_path: Path) -> None:
    """The next command finds the new one."""
    path = tmp_path / "office.token"
    save_tokens(path, TOKENS)
    kept = KeptTokens(path, "client-1", renewed, lambda: NOW_S + 840)
    assert kept.access() == "access-2"
    assert kept.access() == "access-2"
    assert load_tokens(path) == replace(TOKENS, access="access-2", expires_at=NOW_S + 1800)


def test_a_token_that_the_service_refuses_is_renewed_once_for_all_who_had_it(tmp_path: Path) -> None:
    """Several threads may have met the refusal; a second renewal could make the first worthless."""
    path = tmp_path / "office.token"
    save_tokens(path, TOKENS)
    kept = KeptTokens(path, None, renewed, lambda: NOW_S)
    assert kept.access() == "access-1"
    assert kept.renew("access-1")
    assert kept.renew("access-1"), "renewed would have refused the second time"
    assert kept.access() == "access-2"


def test_who_can_not_renew_is_told_to_sign_in(tmp_path: Path) -> None:
    """Nobody signed in, no refresh token, one that is no longer taken, and tokens of another service."""

    def refuse(tokens: Tokens) -> Tokens:
        raise NotSignedIn("revoked")

    path = tmp_path / "office.token"
    with pytest.raises(NotSignedIn, match="nobody is signed in"):
        KeptTokens(path, None, never, lambda: NOW_S).access()
    for tokens, renew in ((replace(TOKENS, refresh=None), never), (TOKENS, refuse)):
        save_tokens(path, tokens)
        with pytest.raises(NotSignedIn, match="time of the sign-in is up"):
            KeptTokens(path, None, renew, lambda: NOW_S + 900).access()
    with pytest.raises(NotSignedIn, match="for another service"):
        KeptTokens(path, "client-2", never, lambda: NOW_S).access()


def test_an_identity_provider_that_is_away_does_not_end_the_sign_in(tmp_path: Path) -> None:
    """The tokens stay for the next attempt."""

    def away(tokens: Tokens) -> Tokens:
        raise ServiceUnreachable("no answer")

    path = tmp_path / "office.token"
    save_tokens(path, TOKENS)
    with pytest.raises(ServiceUnreachable):
        KeptTokens(path, None, away, lambda: NOW_S + 900).access()
    assert load_tokens(path) == TOKENS


def test_tokens_lie_beside_the_profile() -> None:
    """One sign-in per profile."""
    assert token_path(Path("/x/office.toml")) == Path("/x/office.token")
