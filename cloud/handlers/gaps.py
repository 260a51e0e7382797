"""The scheduled function `gaps`: tells of events that did not come although later ones did."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from cloud.adapters.aws import AwsAccess
from cloud.adapters.consumption_gaps import GapWatch
from cloud.adapters.consumption_outlets import AlarmTopic
from cloud.adapters.consumption_store import ConsumptionStore
from cloud.adapters.entities import EntityStore
from cloud.errors import CloudError
from cloud.handlers.counts import tell_counts
from cloud.handlers.settings import variable


def handler(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    """What was found. A fault of the account is an error of this function, once all devices were looked at that could
    be; the next minute tries again."""
    return _function()()


def watch(environ: Mapping[str, str], access: AwsAccess) -> GapWatch:
    """The watch of an environment; raises CloudError for a variable that is missing."""
    table, dynamodb = variable(environ, "TABLE"), access.dynamodb()
    return GapWatch(
        EntityStore(table, dynamodb),
        ConsumptionStore(table, dynamodb),
        AlarmTopic(variable(environ, "ALARMS_TOPIC"), access.sns()),
    )


def assemble(environ: Mapping[str, str], access: AwsAccess) -> Callable[[], dict[str, int]]:
    """The function with its clients: made once per process, when the first event comes."""
    environment, watching = variable(environ, "ENVIRONMENT"), watch(environ, access)
    logger = Logger(use_rfc3339=True, utc=True)

    def function() -> dict[str, int]:
        watched = watching.look()
        counts = {
            "devices_with_holes": watched.devices,
            "gaps_found": watched.told,
            "gaps_explained": watched.explained,
            "devices_crowded": len(watched.crowded),
            "devices_failed": len(watched.failed),
        }
        for device in watched.crowded:
            logger.warning("device.crowded", extra={"device": device})
        for device, cause in watched.failed:
            logger.error("device.failed", extra={"device": device, "cause": cause})
        logger.info("gaps.looked_for", extra=counts)
        tell_counts(environment, counts)
        if watched.failed:
            raise CloudError(f"{len(watched.failed)} devices could not be looked at")
        return counts

    return function


@cache
def _function() -> Callable[[], dict[str, int]]:
    return assemble(os.environ, AwsAccess())
