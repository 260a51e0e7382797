"""The real local AWS with the real stacks, one for all tests of a worker; each test takes a site of its own."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from cloud.adapters.aws import AwsAccess
from cloud.adapters.list_store import ListStore
from cloud.deploy.environment import deploy
from cloud.deploy.plan import SitePlan, local_environment
from cloud.deploy.stacks import Deployer
from cloud.local.server import REGION, ROOT_KEY, LocalAws


@dataclass(frozen=True)
class Account:
    """An account with the stacks in it."""

    access: AwsAccess
    outputs: Mapping[str, str]

    def store(self, site: str) -> ListStore:
        return ListStore(
            site, self.outputs["TableName"], self.outputs["BucketName"], self.access.dynamodb(), self.access.s3()
        )


@pytest.fixture(scope="session")
def empty_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsAccess]:
    """An account without stacks of ours."""
    with LocalAws(tmp_path_factory.mktemp("local-aws")) as aws:
        yield AwsAccess(aws.endpoint, REGION, ROOT_KEY, ROOT_KEY)


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account with the environment dev, which has the site hq."""
    with LocalAws(tmp_path_factory.mktemp("local-aws")) as aws:
        access = AwsAccess(aws.endpoint, REGION, ROOT_KEY, ROOT_KEY)
        outputs = deploy(
            access, Deployer(access.cloudformation(), poll_s=0.02), local_environment(SitePlan("hq", "Headquarters"))
        )
        yield Account(access, outputs)


_numbers = itertools.count(1)


@pytest.fixture
def site() -> str:
    """A site that nobody has published to."""
    return f"site-{next(_numbers)}"
