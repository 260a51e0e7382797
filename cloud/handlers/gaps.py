"""Lambda, every minute: tells of events that did not come although later ones did."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from cloud.adapters.aws import AwsAccess
from cloud.adapters.consumption_gaps import GapWatch
from cloud.adapters.consumption_outlets import AlarmTopic
from cloud.adapters.consumption_store import ConsumptionStore
from cloud.adapters.entities import EntityStore

logger = Logger(service="gaps")
metrics = Metrics(namespace="Cardea", service="gaps")


@metrics.log_metrics
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """What was found; a fault of the account is an error of this function, and the next minute tries again."""
    watched = _watch().look()
    values = {"devices": watched.devices, "told": watched.told, "explained": watched.explained}
    for name, value in values.items():
        metrics.add_metric(name=f"gaps_{name}", unit=MetricUnit.Count, value=value)
    logger.info("gaps.looked_for", extra=values)
    return values


def build(environment: Mapping[str, str], access: AwsAccess) -> GapWatch:
    """The watch of an environment; raises KeyError for a variable that is missing, AwsError."""
    table, dynamodb = environment["CARDEA_TABLE"], access.dynamodb()
    return GapWatch(
        EntityStore(table, dynamodb),
        ConsumptionStore(table, dynamodb),
        AlarmTopic(environment["CARDEA_ALARMS_TOPIC"], access.sns()),
    )


@cache
def _watch() -> GapWatch:
    return build(os.environ, AwsAccess())
