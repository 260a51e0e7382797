"""What no function can take ends among the dead letters, holds nobody up, and comes back when its cause is mended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cloud.deploy.redrive import redrive
from cloud.domain.routes import Family
from tests.rigs.back_office import client_of
from tests.rigs.deployed_site import Caller, DeployedSite
from tests.rigs.waiting import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

_AGAIN_S = "1"
"""A message that failed is delivered again after this long, and not after minutes."""


class Queue:
    """One of the deployment's queues, or its dead letters."""

    def __init__(self, site: DeployedSite, name: str) -> None:
        self._sqs = site.account.access.sqs()
        self._url = self._sqs.get_queue_url(QueueName=f"cardea-{site.account.environment}-{name}")["QueueUrl"]

    def send(self, body: str) -> None:
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def take(self) -> list[str]:
        """The bodies of what is there now; they are gone then."""
        messages = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]

    def count(self) -> int:
        """Messages that are there, whether somebody is looking at them or not."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(
            map(int, self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"].values())
        )

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """What failed is delivered again soon."""
        before = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"VisibilityTimeout": _AGAIN_S})
        try:
            yield
        finally:
            self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes=before)


@contextmanager
def broken(site: DeployedSite, function: str) -> Iterator[None]:
    """A function that knows no table: whatever comes, it fails."""
    functions = client_of(site.account.access, "lambda")
    name = f"cardea-{site.account.environment}-{function}"
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables | {"CARDEA_TABLE": "nowhere"}}
    )
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


# Every family's queue is of one template.
@pytest.mark.parametrize("name", ["router", Family.CARDS])
def test_letter_that_nobody_understands_is_dead_as_it_was(site: DeployedSite, x: str, name: str) -> None:
    """It is not thrown away, and it does not come back for ever."""
    letter = f"no request at all {x}"
    queue, dead = Queue(site, name), Queue(site, f"{name}-dlq")
    with queue.impatient():
        queue.send(letter)
        assert wait_for(dead.take, "the dead letter", 90) == [letter]
        assert queue.count() == 0


def test_requests_of_an_outage_are_carried_out_after_it(site: DeployedSite, administrator: Caller, x: str) -> None:
    """Nobody has to ask again: their letters are moved back, each is done, and once."""
    queue, dead = Queue(site, "places"), Queue(site, "places-dlq")
    with queue.impatient():
        with broken(site, "process-places"):
            asked = [
                administrator.ask("PUT", f"buildings/{number}-{x}", {"name": f"Annex {number}"}) for number in range(3)
            ]
            wait_for(lambda: dead.count() == len(asked), "the letters to die", 120)
            assert {administrator.get(f"requests/{request}")["status"] for request in asked} == {"accepted"}
        assert redrive(site.account.access, site.account.environment, "places") == len(asked)
        assert [administrator.ended(request)["status"] for request in asked] == ["done"] * len(asked)
    assert dead.count() == 0
    told = [entry["request"] for entry in administrator.all("audit") if entry.get("request") in asked]
    assert sorted(told) == sorted(asked)
