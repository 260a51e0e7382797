"""A back office in the local AWS, one for all tests of a worker; each test takes a site of its own."""

from collections.abc import Iterator

import pytest

from cloud.local.server import LocalAws
from tests.rigs.back_office import Office, Offices, offices


@pytest.fixture(scope="session")
def environment(local_aws: LocalAws) -> Iterator[Offices]:
    """Table, buckets and topics."""
    with offices(local_aws) as place:
        yield place


@pytest.fixture
def office(environment: Offices) -> Office:
    """A site that nobody has asked anything of."""
    return Office(environment)
