"""What several integration tests share: one local AWS for the session, with one stream, table and bucket."""

from collections.abc import Iterator

import pytest

from cloud.local.server import LocalAws
from tests.rigs.local_aws import AwsPlace, aws_place


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """The local AWS, started once. Tests keep apart by the names that they use in it."""
    with LocalAws(tmp_path_factory.mktemp("local-aws")) as aws:
        yield aws


@pytest.fixture(scope="session")
def aws(local_aws: LocalAws) -> Iterator[AwsPlace]:
    """A stream, a table and a bucket in it. Give each site and device of a test a name of its own."""
    with aws_place(local_aws) as place:
        yield place


@pytest.fixture(scope="module")
def aws_variables(local_aws: LocalAws) -> Iterator[None]:
    """The standard variables, so that the agent's clients find the local AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in local_aws.environment().items():
            patch.setenv(name, value)
        yield
