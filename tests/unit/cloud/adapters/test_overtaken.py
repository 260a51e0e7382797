"""What DynamoDB says of an item that is in somebody's transaction: it is as good as changed, and no fault."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from cloud.adapters.aws import AwsError
from cloud.adapters.consumption_store import ConsumptionStore
from cloud.adapters.new_items import NewItems
from cloud.errors import Conflict

KEY = ("PERSON#hq#p-1", "-")


@pytest.fixture
def dynamodb() -> Any:
    """A client that tries once."""
    options = Config(retries={"total_max_attempts": 1})
    return boto3.client(
        "dynamodb", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x", config=options
    )


@pytest.fixture
def stub(dynamodb: Any) -> Iterator[Any]:
    """What the client is answered."""
    with Stubber(dynamodb) as stubbed:
        yield stubbed
        stubbed.assert_no_pending_responses()


def busy(stub: Any, call: str = "put_item") -> None:
    stub.add_client_error(call, "TransactionConflictException", "Transaction is ongoing for the item", 400)


def test_consumer_reads_again_what_a_transaction_has(dynamodb: Any, stub: Any) -> None:
    """A request that is carried out at this moment moves the same person."""
    store = ConsumptionStore("t", dynamodb)
    puts: list[Callable[[], object]] = [
        lambda: store.put_absent(KEY, {}),
        lambda: store.put_unchanged(KEY, {}, None),
    ]
    for put in puts:
        busy(stub)
        with pytest.raises(Conflict):
            put()


def test_whoever_changes_a_device_need_not_be_waited_for(dynamodb: Any, stub: Any) -> None:
    """When it was last heard of is said again with its next event."""
    busy(stub, "update_item")
    ConsumptionStore("t", dynamodb).seen("d-1", "2026-01-01T00:00:00Z")


def test_new_item_waits_for_a_transaction_to_end(dynamodb: Any, stub: Any) -> None:
    """And for none that does not."""
    items = NewItems("t", dynamodb)
    busy(stub)
    stub.add_response("put_item", {})
    assert items.put(KEY, {})
    busy(stub)
    stub.add_client_error("put_item", "ConditionalCheckFailedException", "", 400)
    assert not items.put(KEY, {})
    for _ in range(6):
        busy(stub)
    with pytest.raises(AwsError, match="ongoing"):
        items.put(KEY, {})
