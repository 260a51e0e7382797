"""A table as the template makes it: keys and indexes are read from there, so that tests can't have others."""

from typing import TYPE_CHECKING

from tests.rigs.templates import resource

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SHAPE = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")


def create_table(dynamodb: "DynamoDBClient", name: str) -> None:
    """Make an empty table."""
    properties = resource("data.yaml", "Table").properties
    dynamodb.create_table(TableName=name, **{part: properties[part] for part in _SHAPE})
