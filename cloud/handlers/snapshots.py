"""The scheduled function `snapshots`: keeps a signed snapshot near the head of every site's list.

A door that comes new, or was away for long, takes the snapshot and the deltas after it. Requests only add deltas: this
function is what spares the doors thousands of them, and the table the old ones.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from cloud.adapters.aws import AwsAccess
from cloud.adapters.entities import EntityStore
from cloud.adapters.list_store import ListStore
from cloud.adapters.publisher import SNAPSHOT_EVERY, Publisher
from cloud.adapters.secrets import SiteSecrets
from cloud.contract.errors import ContractError
from cloud.domain.keys import LISTING_INDEX, SITES
from cloud.errors import CloudError, Conflict
from cloud.handlers.settings import variable


def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Look at every site; raises CloudError at the end if one of them could not be done."""
    return _function()()


def assemble(
    environ: Mapping[str, str], access: AwsAccess, every: int = SNAPSHOT_EVERY
) -> Callable[[], dict[str, Any]]:
    """The function with its clients: made once per process, when the first event comes."""
    logger = Logger(use_rfc3339=True, utc=True)
    dynamodb, s3 = access.dynamodb(), access.s3()
    table, bucket = variable(environ, "TABLE"), variable(environ, "LISTS_BUCKET")
    entities = EntityStore(table, dynamodb)
    secrets = SiteSecrets(variable(environ, "ENVIRONMENT"), access.secretsmanager())

    def look_at(site: str) -> bool:
        trusted = [key.public_key() for key in secrets.former_list_keys(site)]
        store = ListStore(site, table, bucket, dynamodb, s3)
        return Publisher(store, secrets.list_key(site), trusted=trusted).compact_if_due(every)

    def function() -> dict[str, Any]:
        taken, failed = [], []
        for item in entities.query_all(LISTING_INDEX, SITES):
            site = item["g2sk"]
            try:
                if look_at(site):
                    taken.append(site)
                    logger.info("snapshot.taken", extra={"site": site})
            except Conflict:
                # It changed faster than it could be read; the next look comes soon.
                logger.warning("snapshot.postponed", extra={"site": site})
            except (CloudError, ContractError) as error:
                # One site must not keep the others from theirs.
                logger.error("snapshot.failed", extra={"site": site, "cause": str(error)})
                failed.append(site)
        if failed:
            raise CloudError(f"no snapshot of {', '.join(failed)}: the log says why")
        return {"taken": taken}

    return function


@cache
def _function() -> Callable[[], dict[str, Any]]:
    return assemble(os.environ, AwsAccess())
