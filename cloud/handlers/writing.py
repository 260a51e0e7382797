"""The table as functions that end requests use it, put together from their environment."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloud.adapters.aws import AwsAccess
from cloud.adapters.entities import EntityStore
from cloud.adapters.list_changes import ListChanges
from cloud.adapters.secrets import SiteSecrets
from cloud.handlers.settings import variable
from cloud.requests.settling import Settler

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def entities(environ: Mapping[str, str], dynamodb: "DynamoDBClient") -> EntityStore:
    """Reads the table."""
    return EntityStore(variable(environ, "TABLE"), dynamodb)


def settler(environ: Mapping[str, str], access: AwsAccess, dynamodb: "DynamoDBClient") -> Settler:
    """Writes to it."""
    table = variable(environ, "TABLE")
    secrets = SiteSecrets(variable(environ, "ENVIRONMENT"), access.secretsmanager())
    return Settler(table, dynamodb, ListChanges(table, dynamodb, secrets, time.time), time.time)
