"""The two functions of the API, put together from their environment variables."""

import time
from collections.abc import Mapping

from aws_lambda_powertools import Logger

from cloud.adapters.aws import AwsAccess
from cloud.adapters.entities import EntityStore
from cloud.adapters.new_items import NewItems
from cloud.adapters.secrets import SiteSecrets
from cloud.api import reading, records, selves
from cloud.api.call import Backend
from cloud.api.changes import accept
from cloud.api.route import Function
from cloud.api.routes import ROUTES
from cloud.api.service import Service
from cloud.api.store import RequestStore
from cloud.handlers.settings import variable


def connect(environ: Mapping[str, str], access: AwsAccess) -> Backend:
    """What calls are answered from, as CARDEA_ENVIRONMENT, CARDEA_TABLE and CARDEA_REQUESTS_BUCKET name it.

    Raises CloudError for a variable that is missing, and AwsError when region or credentials are.
    """
    table, dynamodb = variable(environ, "TABLE"), access.dynamodb()
    return Backend(
        entities=EntityStore(table, dynamodb),
        new_items=NewItems(table, dynamodb),
        requests=RequestStore(variable(environ, "REQUESTS_BUCKET"), access.s3()),
        secrets=SiteSecrets(variable(environ, "ENVIRONMENT"), access.secretsmanager()),
        clock=time.time,
    )


def serve(function: Function, backend: Backend) -> Service:
    """The service of one function."""
    routes = tuple(route for route in ROUTES if route.function is function)
    readings = {**reading.OPERATIONS, **records.OPERATIONS, **selves.OPERATIONS}
    operations = readings if function is Function.READ else {route.operation: accept for route in routes}
    return Service(backend, operations, routes, Logger(service=function.value))
