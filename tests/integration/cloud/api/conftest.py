"""What the tests of the API share: one environment, and the functions' handlers working on it."""

import io
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from cloud.api.route import Function
from cloud.domain.roles import Role
from cloud.handlers import api_change, api_read
from cloud.local.server import LocalAws
from tests.rigs.api_place import ApiPlace, api_place
from tests.rigs.http_events import Reply, Staff, event, reply


@pytest.fixture(scope="session")
def place(local_aws: LocalAws) -> Iterator[ApiPlace]:
    """An environment. Give each test a site of its own."""
    with api_place(local_aws) as place:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**place.variables, **local_aws.environment()}.items():
                patch.setenv(name, value)
            # Functions read their environment at their first call; the tests of others shall not see it.
            for handler in (api_read.handler, api_change.handler):
                handler(event(Staff("nobody"), "GET", "/"), None)
        yield place


@pytest.fixture
def log(place: ApiPlace) -> Iterator[io.StringIO]:
    """What the functions log during a test."""
    written = io.StringIO()
    handlers = [handler for name in Function for handler in logging.getLogger(name).handlers]
    streams = [handler.setStream(written) for handler in handlers if isinstance(handler, logging.StreamHandler)]
    assert len(streams) == len(handlers) == len(Function)
    yield written
    for handler, stream in zip(handlers, streams, strict=True):
        if isinstance(handler, logging.StreamHandler) and stream is not None:
            handler.setStream(stream)


@dataclass(slots=True)
class Desk:
    """A site and somebody who works there, with the handlers that answer them."""

    place: ApiPlace
    site: str
    staff: Staff
    _keys: Iterator[int] = field(default_factory=itertools.count)

    def read(self, target: str, staff: Staff | None = None) -> Reply:
        """GET below the site."""
        made = event(staff or self.staff, "GET", f"/v1/sites/{self.site}{target}")
        return reply(api_read.handler(made, None))

    def post(self, target: str, body: Any, staff: Staff | None = None) -> Reply:
        """POST below the site to the function that reads."""
        made = event(staff or self.staff, "POST", f"/v1/sites/{self.site}{target}", body)
        return reply(api_read.handler(made, None))

    def change(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        key: str | None = None,
        staff: Staff | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """A change below the site, under a key of its own unless one is given."""
        key = key if key is not None else f"key-{next(self._keys)}"
        target = f"/v1/sites/{self.site}{target}"
        return reply(
            api_change.handler(event(staff or self.staff, method, target, body, key=key, headers=headers), None)
        )

    def somebody(self, *roles: Role) -> Staff:
        """A member of staff with these roles at the site."""
        staff = Staff(f"{self.site}-s{next(self._keys)}")
        for role in roles:
            self.place.grant(staff.subject, role, self.site)
        return staff


@pytest.fixture
def desk(place: ApiPlace) -> Desk:
    """A new site and its administrator."""
    site = place.site()
    staff = Staff(f"{site}-admin")
    place.grant(staff.subject, Role.ADMINISTRATOR, site)
    return Desk(place, site, staff)
