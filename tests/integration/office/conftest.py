"""The staff's commands against a stand-in of the API: run as functions, with a home of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from tests.rigs.office_service import TOKEN, OfficeService

Cardea = Callable[..., Result]


@pytest.fixture
def service() -> Iterator[OfficeService]:
    """The API; whatever test it was, nothing that it does not describe may have been asked of it."""
    with OfficeService() as running:
        yield running
        assert running.violations == []


@pytest.fixture
def cardea(service: OfficeService, tmp_path: Path) -> Cardea:
    """`cardea WORDS...`, signed in; `stdin` is what comes from a pipe."""
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": None, "CARDEA_PROFILE": None, "CARDEA_TOKEN": TOKEN}
    environment |= {"CARDEA_API": service.url, "CARDEA_SITE": "hq"}

    def run(*words: str, stdin: str | None = None, **variables: str | None) -> Result:
        return CliRunner(env={**environment, **variables}).invoke(main, words, input=stdin)

    return run
