"""The function `process-FAMILY`, one code for every family: carries out requests."""

import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from cloud.adapters.aws import AwsAccess
from cloud.adapters.request_objects import RequestObjects
from cloud.domain.routes import Family
from cloud.handlers.queue import answer
from cloud.handlers.settings import variable
from cloud.handlers.telemetry import Telemetry
from cloud.handlers.writing import entities, settler
from cloud.requests.importing import Importer
from cloud.requests.messages import routed
from cloud.requests.processing import Processor

_MS: Final = 1000.0


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take a batch of requests; names those to be delivered again."""
    return _function()(event, context)


def assemble(environ: Mapping[str, str], access: AwsAccess) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The function with its clients: made once per process, when the first event comes."""
    telemetry = Telemetry(variable(environ, "ENVIRONMENT"))
    dynamodb = access.dynamodb()
    store, writer = entities(environ, dynamodb), settler(environ, access, dynamodb)
    objects = RequestObjects(variable(environ, "REQUESTS_BUCKET"), access.s3())
    family = Family(variable(environ, "FAMILY"))

    def function(event: dict[str, Any], context: Any) -> dict[str, Any]:
        def time_left_s() -> float:
            return float(context.get_remaining_time_in_millis()) / _MS

        importer = Importer(store, writer, time.time, time_left_s, telemetry.conflict)
        processor = Processor(family, objects, store, writer, importer, time.time, telemetry.conflict)
        return answer(event, context, telemetry, lambda body: telemetry.ended(processor.process(routed(body))))

    return function


@cache
def _function() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    return assemble(os.environ, AwsAccess())
