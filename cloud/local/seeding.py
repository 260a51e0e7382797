"""Fills a new environment as its staff would, by requests, which the processors' own code carries out on the spot.

Not by way of the bucket and the queues: a dozen functions would have to start for it, and whoever tries the system
would wait for them. So these requests have a status and an audit, and no stored object.
"""

import math
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cloud.adapters.aws import AwsAccess
from cloud.adapters.entities import EntityStore
from cloud.adapters.list_changes import ListChanges
from cloud.adapters.request_objects import RequestObjects
from cloud.adapters.secrets import SiteSecrets
from cloud.domain.envelope import REQUEST_VERSION, Envelope, Operator
from cloud.domain.payloads import RequestType
from cloud.domain.roles import Role
from cloud.domain.routes import family
from cloud.domain.times import moment_text
from cloud.errors import LocalAwsError
from cloud.requests.ending import End
from cloud.requests.importing import Importer
from cloud.requests.processing import Processor
from cloud.requests.settling import Settler

_NAME: Final = "demo"


class Seeder:
    """Carries out requests in the name of an administrator, whose grant must hold already.

    Args:
        access: The account, with all rights.
        outputs: Of the root stack.
        environment: Name of the environment.
        site: Whose.
        subject: The administrator.
        clock: Unix seconds.
    """

    def __init__(
        self,
        access: AwsAccess,
        outputs: Mapping[str, str],
        environment: str,
        site: str,
        subject: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        dynamodb, table = access.dynamodb(), outputs["TableName"]
        lists = ListChanges(table, dynamodb, SiteSecrets(environment, access.secretsmanager()), clock)
        self._objects = RequestObjects(outputs["RequestsBucket"], access.s3())
        self._entities = EntityStore(table, dynamodb)
        self._settler = Settler(table, dynamodb, lists, clock)
        self._importer = Importer(self._entities, self._settler, clock, lambda: math.inf)
        self._site = site
        self._operator = Operator(subject=subject, name=_NAME, roles=[Role.ADMINISTRATOR.value])
        self._clock = clock

    def run(self, requests: Iterable[tuple[RequestType, Mapping[str, Any]]]) -> None:
        """Carry them out in order; raises LocalAwsError for one that is rejected, and ContractError."""
        for kind, payload in requests:
            envelope = Envelope(
                v=REQUEST_VERSION,
                id=str(uuid.uuid4()),
                type=kind,
                site=self._site,
                at=moment_text(self._clock()),
                operator=self._operator,
                payload=dict(payload),
            )
            processor = Processor(
                family(kind), self._objects, self._entities, self._settler, self._importer, self._clock
            )
            report = processor.carry_out(envelope, envelope.content())
            if report.end is not End.DONE:
                raise LocalAwsError(f"demo site: {kind.value} was {report.end.value}: {report.code}")
