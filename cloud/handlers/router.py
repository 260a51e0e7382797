"""The function `router`: from the bucket of requests to the topics of the processors."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from cloud.adapters.aws import AwsAccess
from cloud.adapters.request_objects import RequestObjects
from cloud.adapters.topics import Topics
from cloud.handlers.queue import answer
from cloud.handlers.settings import variable
from cloud.handlers.telemetry import Telemetry
from cloud.handlers.writing import entities, settler
from cloud.requests.messages import Routed, stored_objects
from cloud.requests.routing import Router


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take a batch of notifications; names those to be delivered again."""
    return _function()(event, context)


def assemble(environ: Mapping[str, str], access: AwsAccess) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The function with its clients: made once per process, when the first event comes."""
    telemetry = Telemetry(variable(environ, "ENVIRONMENT"))
    dynamodb = access.dynamodb()
    router = Router(
        RequestObjects(variable(environ, "REQUESTS_BUCKET"), access.s3()),
        Topics(variable(environ, "TOPIC_PREFIX"), access.sns()),
        entities(environ, dynamodb),
        settler(environ, access, dynamodb),
        telemetry.conflict,
    )

    def take(body: str) -> None:
        for stored in stored_objects(body):
            result = router.route(stored)
            if isinstance(result, Routed):
                telemetry.routed(result.id, result.type.value)
            else:
                telemetry.ended(result)

    return lambda event, context: answer(event, context, telemetry, take)


@cache
def _function() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    return assemble(os.environ, AwsAccess())
