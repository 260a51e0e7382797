"""The tokens of whoever signed in: kept in a file that only they can read, and renewed when their time is up.

Must never print or log a token, nor send one to another service than the one that it is for.
"""

import json
import os
import stat
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Protocol

from agent.office.errors import NotSignedIn, OfficeError

_EARLY_S: Final = 60
"""A token that ends within this is renewed at once: it shall outlast the call, and clocks differ."""
_SIGN_IN: Final = "sign in with `cardea login`"


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """What the identity provider handed out to one user for one client."""

    user: str
    client_id: str
    access: str
    refresh: str | None
    expires_at: float
    """Of the access token; Unix seconds."""


class TokenSource(Protocol):
    """Where the API's client gets its token from."""

    def access(self) -> str:
        """A token; raises NotSignedIn."""

    def renew(self, refused: str) -> bool:
        """The service did not take this one: whether there may be a better one now."""


class FixedToken:
    """A token that somebody else got, in `$CARDEA_TOKEN`."""

    def __init__(self, token: str) -> None:
        self._token = token

    def access(self) -> str:
        """See `TokenSource`."""
        return self._token

    def renew(self, refused: str) -> bool:  # noqa: ARG002 - of the protocol
        """See `TokenSource`."""
        return False


class KeptTokens:
    """The tokens of a file, renewed by `renew_with` from their refresh token. Thread-safe: renewed by one at a time."""

    def __init__(
        self, path: Path, client_id: str | None, renew_with: Callable[[Tokens], Tokens], now_s: Callable[[], float]
    ) -> None:
        self._path = path
        self._client_id = client_id
        self._renew_with = renew_with
        self._now_s = now_s
        self._tokens: Tokens | None = None
        self._lock = threading.RLock()

    def access(self) -> str:
        """See `TokenSource`."""
        with self._lock:
            return self._access()

    def renew(self, refused: str) -> bool:
        """See `TokenSource`."""
        with self._lock:
            if self._tokens is not None and self._tokens.access != refused:
                return True  # another thread was here before
            return self._renew()

    def _access(self) -> str:
        tokens = self._tokens or load_tokens(self._path)
        if tokens is None:
            raise NotSignedIn(f"nobody is signed in: {_SIGN_IN}")
        if self._client_id is not None and tokens.client_id != self._client_id:
            raise NotSignedIn(f"the token in {self._path} is for another service: {_SIGN_IN}")
        self._tokens = tokens
        if tokens.expires_at - _EARLY_S <= self._now_s() and not self._renew():
            raise NotSignedIn(f"the time of the sign-in is up: {_SIGN_IN}")
        return self._tokens.access

    def _renew(self) -> bool:
        if self._tokens is None or self._tokens.refresh is None:
            return False
        try:
            self._tokens = self._renew_with(self._tokens)
        except NotSignedIn:
            return False
        save_tokens(self._path, self._tokens)
        return True


def token_path(profile: Path) -> Path:
    """Beside the profile."""
    return profile.with_suffix(".token")


def load_tokens(path: Path) -> Tokens | None:
    """The tokens of a file, None if there is none; raises OfficeError for one that others can read, or that is none."""
    try:
        with path.open(encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise OfficeError(f"others than you can read {path}; `cardea logout`, then sign in again")
            document = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OfficeError(f"{path} can't be read: {error}") from error
    return _tokens(document, path)


def save_tokens(path: Path, tokens: Tokens) -> None:
    """Replace the file; nobody else can read it at any moment. Raises OfficeError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is open already
                json.dump(asdict(tokens), file)
            beside.replace(path)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
    except OSError as error:
        raise OfficeError(f"{path} can't be written: {error}") from error


def forget_tokens(path: Path) -> None:
    """Delete the file, if there is one; raises OfficeError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OfficeError(f"{path} can't be deleted: {error}") from error


def _tokens(document: Any, path: Path) -> Tokens:
    names = {field.name for field in fields(Tokens)}
    if not isinstance(document, Mapping) or set(document) != names:
        raise OfficeError(f"{path} holds no tokens; `cardea logout`, then sign in again")
    texts = [document["user"], document["client_id"], document["access"], document["refresh"] or ""]
    if not all(isinstance(text, str) for text in texts) or not isinstance(document["expires_at"], int | float):
        raise OfficeError(f"{path} holds no tokens; `cardea logout`, then sign in again")
    return Tokens(**document)
