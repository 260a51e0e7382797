"""One deployment for all tests here, since its functions take seconds to start; each test takes ids of its own."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from cloud.domain.roles import Role
from cloud.local.main import LocalCloud
from tests.rigs.deployed_site import Caller, DeployedSite, token


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedSite]:
    """The demo site on the real stacks."""
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as details, closing(DeployedSite(details)) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def administrator(site: DeployedSite) -> Caller:
    """Who may ask for everything."""
    return site.staff(Role.ADMINISTRATOR)


@pytest.fixture(scope="session")
def operator(site: DeployedSite) -> Caller:
    """Who keeps people, cards and permissions."""
    return site.staff(Role.OPERATOR)


@pytest.fixture
def x() -> str:
    """What the ids of a test have in common."""
    return token()
