"""Function `api-change`: stores the changes that the API is asked for. Carries none of them out."""

import os
from functools import cache
from typing import Any

from cloud.adapters.aws import AwsAccess
from cloud.api.route import Function
from cloud.api.service import Service
from cloud.handlers.api_service import connect, serve


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one event of the HTTP API."""
    return _service().handle(event, context)


@cache
def _service() -> Service:
    return serve(Function.CHANGE, connect(os.environ, AwsAccess()))
