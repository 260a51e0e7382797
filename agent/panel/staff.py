"""The staff of the demo: a profile for their commands, the administrator signed in. Must never print a password."""

import json
import time
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from agent.errors import AgentError
from agent.office.api import Api
from agent.office.profile import load_profile
from agent.office.signin import Provider
from agent.office.tokens import KeptTokens, save_tokens, token_path
from agent.panel.local_site import LocalSite

_ROLE = "administrator"


class NobodyToAsk:
    """`agent.office.signin.Prompts`: these passwords are for good, and no second factor is set up."""

    def new_password(self) -> NoReturn:
        """See `Prompts`."""
        raise AgentError("the identity provider of the demo asks for another password")

    def code(self) -> NoReturn:
        """See `Prompts`."""
        raise AgentError("the identity provider of the demo asks for a second factor")

    def show_secret(self, secret: str, user: str) -> None:
        """See `Prompts`."""


def staff_profile(site: LocalSite, folder: Path) -> Path:
    """Write the profile, and who else can sign in, into a folder; sign the administrator in. Raises AgentError."""
    path = folder / "office.toml"
    try:
        path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in site.office.items()))
        others = folder / "staff.json"
        others.touch(mode=0o600)
        others.write_text(json.dumps(dict(site.staff.values()), indent=2) + "\n")
    except OSError as error:
        raise AgentError(f"the staff's profile can't be written: {error}") from error
    name, password = site.staff[_ROLE]
    with closing(Provider(load_profile(path, environment={}), time.time)) as provider:
        save_tokens(token_path(path), provider.sign_in(name, password, NobodyToAsk()))
    return path


def staff_api(profile: Path) -> Api:
    """The API as whoever is signed in by a profile."""
    loaded = load_profile(profile, environment={})
    provider = Provider(loaded, time.time)
    tokens = KeptTokens(token_path(profile), loaded.client_id, provider.renew, time.time)
    return Api(loaded.api or "", loaded.site or "", tokens, time.sleep)
