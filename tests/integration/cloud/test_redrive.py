"""Dead letters are delivered once more when somebody says so."""

import json

import pytest
from click.testing import CliRunner

from agent.cli import main
from cloud.adapters.aws import AwsAccess
from cloud.deploy.redrive import redrive
from cloud.errors import DeployError
from cloud.local.server import LocalAws


@pytest.fixture
def access(local_aws: LocalAws) -> AwsAccess:
    """An account with the two queues of one family, and nobody who takes from them."""
    access = AwsAccess(local_aws.endpoint, "eu-central-1", "test", "test")
    for name in ("cardea-rd-cards", "cardea-rd-cards-dlq"):
        access.sqs().create_queue(QueueName=name)
    return access


def bodies(access: AwsAccess, name: str) -> list[str]:
    client = access.sqs()
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    found: list[str] = []
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
        for message in messages:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_every_dead_letter_comes_back_as_it_was(access: AwsAccess) -> None:
    """More than one call takes, and nothing is left behind."""
    client = access.sqs()
    url = client.get_queue_url(QueueName="cardea-rd-cards-dlq")["QueueUrl"]
    for number in range(23):
        client.send_message(QueueUrl=url, MessageBody=f"letter {number}")
    assert redrive(access, "rd", "cards") == 23
    assert sorted(bodies(access, "cardea-rd-cards")) == sorted(f"letter {number}" for number in range(23))
    assert bodies(access, "cardea-rd-cards-dlq") == []
    assert redrive(access, "rd", "cards") == 0


def test_no_answer_of_a_few_servers_is_taken_for_the_end(access: AwsAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wait SQS asks some of its servers only, and "no message" says nothing about the others."""
    client, waits_s = access.sqs(), list[int]()
    client.meta.events.register(
        "provide-client-params.sqs.ReceiveMessage", lambda params, **_: waits_s.append(params.get("WaitTimeSeconds", 0))
    )
    monkeypatch.setattr(AwsAccess, "sqs", lambda _self: client)
    assert redrive(access, "rd", "cards") == 0
    assert waits_s
    assert min(waits_s) > 0


def test_command_tells_how_many_of_which_queue(access: AwsAccess) -> None:
    """For people and for scripts; an environment that is not there is one line."""
    client = access.sqs()
    client.send_message(
        QueueUrl=client.get_queue_url(QueueName="cardea-rd-cards-dlq")["QueueUrl"], MessageBody="letter"
    )
    options = ["--env", "rd", "--endpoint-url", str(access.endpoint)]
    told = CliRunner().invoke(main, ["cloud", "redrive", "cards", "--json", *options])
    assert json.loads(told.output) == {"environment": "rd", "moved": {"cards": 1}}
    missing = CliRunner().invoke(main, ["cloud", "redrive", "people", *options])
    assert (missing.exit_code, "there is no such queue" in missing.output) == (1, True)
    with pytest.raises(DeployError, match="cardea-rd-people-dlq"):
        redrive(access, "rd", "people")
