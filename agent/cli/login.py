"""`cardea login` and `logout`: who sits here, for the staff's commands. Must never print a token or a password."""

import sys
import time
from contextlib import closing

import click

from agent.cli.common import reports_errors
from agent.cli.office import chosen_profile, exits, installed, on_a_terminal
from agent.office.errors import BadInput, NotSignedIn, OfficeError
from agent.office.tokens import forget_tokens, load_tokens, save_tokens, token_path


class _Terminal:
    """`agent.office.signin.Prompts` on the terminal."""

    def new_password(self) -> str:
        """See `Prompts`."""
        return str(click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))

    def code(self) -> str:
        """See `Prompts`."""
        return str(click.prompt("Code of the authenticator", err=True)).strip()

    def show_secret(self, secret: str, user: str) -> None:
        """See `Prompts`."""
        click.echo(f"Add this to your authenticator, under Cardea ({user}): {secret}", err=True)


@click.command("login")
@click.argument("user", required=False)
@reports_errors
def login(user: str | None) -> None:
    """Sign in for the staff's commands; what the profile says of the identity provider is used.

    The password is asked for, and so is a code where one is needed; from a pipe the first line is the password.

    \b
    Example:
      cardea login ada@example.org
    """
    with exits(as_json=False), installed():
        from agent.office.signin import Provider

        path, profile = chosen_profile(None, None)
        name = user or (str(click.prompt("User", err=True)) if on_a_terminal() else "")
        password = (
            str(click.prompt("Password", hide_input=True, err=True))
            if on_a_terminal()
            else sys.stdin.readline().rstrip("\n")
        )
        if not name or not password:
            raise BadInput("a user and a password are needed")
        with closing(Provider(profile, time.time)) as provider:
            save_tokens(token_path(path), provider.sign_in(name, password, _Terminal()))
    click.echo(f"signed in as {name}")


@click.command("logout")
@reports_errors
def logout() -> None:
    """Sign out: the tokens on this machine are deleted, and worthless from then on.

    \b
    Example:
      cardea logout
    """
    with exits(as_json=False), installed():
        from agent.office.signin import Provider

        path, profile = chosen_profile(None, None)
        kept = token_path(path)
        was_there = kept.exists()
        try:
            tokens = load_tokens(kept)
        except OfficeError:
            tokens = None
        # First, and whatever else fails: what is on this machine must be gone.
        forget_tokens(kept)
        if tokens is None:
            click.echo(
                "the tokens are deleted, but hold until their time is up" if was_there else "nobody was signed in"
            )
            return
        try:
            with closing(Provider(profile, time.time)) as provider:
                provider.sign_out(tokens)
        except NotSignedIn:
            click.echo("signed out; the sign-in had ended already")
            return
    click.echo("signed out")
