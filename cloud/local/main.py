"""The local cloud: the local AWS with the stacks in it, a published demo site, and a door's keys beside it.

Everything but the site's keys is made anew at each start; the epoch is the time, so that doors which remember an
earlier run take the list of this one.
"""

import fcntl
import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from cloud.adapters.aws import AwsAccess
from cloud.adapters.keys import SiteKeys, ensure_site_keys, write_door_keys
from cloud.adapters.publisher import Publisher, open_publisher
from cloud.contract.allowlist import Head
from cloud.contract.items import Kind
from cloud.deploy.environment import SiteStart, deploy
from cloud.deploy.following import Report
from cloud.deploy.plan import SitePlan, local_environment
from cloud.deploy.sites import FirstList
from cloud.deploy.stacks import Deployer
from cloud.deploy.staff import Member, ensure_member, new_password
from cloud.domain.payloads import RequestType
from cloud.domain.roles import Role
from cloud.errors import LocalAwsError
from cloud.local.demo_requests import Asked, requests
from cloud.local.demo_site import DEMO_SITE, DemoSite, load_demo_site
from cloud.local.device_user import create_device_user
from cloud.local.seeding import Seeder
from cloud.local.server import REGION, ROOT_KEY, LocalAws, client_environment

_POLL_S: Final = 0.02
"""Stacks take milliseconds here."""
_LOOK_S: Final = 0.5
"""How long the death of the local AWS may go unnoticed."""
_DETAILS: Final = "local-cloud.json"
_EPOCH: Final = "epoch"


@dataclass(frozen=True, slots=True)
class LocalMember:
    """Who acts in a role here; made anew at each start."""

    name: str
    password: str = field(repr=False)
    subject: str


@dataclass(frozen=True, slots=True)
class LocalDevice:
    """A controller of this machine, whose events are to be believed from the start."""

    id: str
    key: str
    """Its Ed25519 public key in hex."""
    doors: tuple[str, ...]
    """Those that the demo site does not have are added to it; nobody has a right there."""


@dataclass(frozen=True, slots=True)
class LocalCloudDetails:
    """What a door or a person needs to use a running local cloud."""

    endpoint: str
    region: str
    site: str
    stream: str
    table: str
    bucket: str
    epoch: int
    version: int
    home: str
    door_dir: str
    """Holds `card-hash.key` and `list-verify.pub`."""
    door_env: str
    """Shell lines that export `environment`."""
    environment: Mapping[str, str] = field(repr=False)
    """The variables of a door's AWS clients: endpoint, and the keys of a user with the device policy."""
    operator_environment: Mapping[str, str] = field(repr=False)
    """The same for a person, with the keys of the account's root."""
    api: str
    """Base URL of the HTTP API."""
    pool_id: str
    client_id: str
    """Where staff sign in."""
    staff: Mapping[str, LocalMember] = field(repr=False)
    """By role."""


def default_home() -> Path:
    """Where the local cloud keeps its things unless told otherwise."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "cardea-local"


class LocalCloud:
    """One local cloud in `home`, which no other may use at the same time. Raises CloudError from `start`.

    Args:
        home: Its folder; the site's keys in it survive a stop.
        port: Of the local AWS; None picks a free one.
        site_file: The site to publish.
        devices: Controllers to be registered.
        report: Told how the stacks come along.
    """

    def __init__(
        self,
        home: Path,
        port: int | None = None,
        *,
        site_file: Path = DEMO_SITE,
        devices: Sequence[LocalDevice] = (),
        report: Report | None = None,
    ) -> None:
        self._home = home.resolve()
        self._server = LocalAws(self._home, port)
        self._site_file = site_file
        self._devices = devices
        self._report = report
        self._lock: int | None = None

    def __enter__(self) -> LocalCloudDetails:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the local AWS is alive."""
        return self._server.running

    def start(self) -> LocalCloudDetails:
        """Return once a door could take its list."""
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _lock(self._home / "lock")
        keys = ensure_site_keys(self._home / "keys")
        site = load_demo_site(self._site_file, keys.card_hash)
        self._server.start()
        access = _root_access(self._server.endpoint)
        plan = local_environment(SitePlan(site.site, site.site, site.zone))
        first = FirstList(clock=lambda: max(time.time(), self._last_epoch() + 1))
        deployer = Deployer(access.cloudformation(), self._report, _POLL_S)
        outputs = deploy(access, deployer, plan, {site.site: SiteStart(keys, first)})
        door = create_device_user(access.iam(), f"door-of-{site.site}", outputs["PolicyArn"])
        staff = self._hire(access, outputs, site.site)
        seeder = Seeder(access, outputs, plan.name, site.site, staff[Role.ADMINISTRATOR].subject)
        seeder.run([*requests(site), *self._device_requests(site)])
        head = _head(access, site.site, outputs, keys)
        (self._home / _EPOCH).write_text(f"{head.epoch}\n", encoding="ascii")
        write_door_keys(keys, self._home / "door")
        details = self._details(outputs, head, client_environment(self._server.endpoint, door.id, door.secret), staff)
        self._write_files(details)
        return details

    def stop(self) -> None:
        """Stop it, and remove what only a running one can be used with; idempotent."""
        self._server.stop()
        if self._lock is not None:
            for name in ("door.env", _DETAILS):
                (self._home / name).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _last_epoch(self) -> int:
        """The epoch of the run before, which the next one's must be above even if the clock was set back; or 0."""
        try:
            return int((self._home / _EPOCH).read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def _hire(self, access: AwsAccess, outputs: Mapping[str, str], site: str) -> Mapping[Role, LocalMember]:
        """One member of staff for each role."""
        staff: dict[Role, LocalMember] = {}
        for role in Role:
            member = Member(role.value, role, site, password=new_password())
            staff[role] = LocalMember(member.name, member.password or "", ensure_member(access, outputs, member))
        return staff

    def _device_requests(self, site: DemoSite) -> Iterator[Asked]:
        known = {name for kind, name in site.items if kind == Kind.DOOR}
        for device in self._devices:
            for door in device.doors:
                if door not in known:
                    known.add(door)
                    yield RequestType.DOOR_PUT, {"door": door, "name": door}
            payload = {"device": device.id, "keys": [device.key], "doors": list(device.doors)}
            yield RequestType.DEVICE_REGISTER, payload

    def _details(
        self,
        outputs: Mapping[str, str],
        head: Head,
        environment: Mapping[str, str],
        staff: Mapping[Role, LocalMember],
    ) -> LocalCloudDetails:
        return LocalCloudDetails(
            endpoint=self._server.endpoint,
            region=REGION,
            site=head.site,
            stream=outputs["StreamName"],
            table=outputs["TableName"],
            bucket=outputs["BucketName"],
            epoch=head.epoch,
            version=head.version,
            home=str(self._home),
            door_dir=str(self._home / "door"),
            door_env=str(self._home / "door.env"),
            environment=environment,
            operator_environment=self._server.environment(),
            api=f"{self._server.endpoint}/_aws/execute-api/{outputs['ApiId']}/$default",
            pool_id=outputs["PoolId"],
            client_id=outputs["ClientId"],
            staff={role.value: member for role, member in staff.items()},
        )

    def _write_files(self, details: LocalCloudDetails) -> None:
        lines = [f"export {name}={shlex.quote(value)}" for name, value in details.environment.items()]
        _write_private(self._home / "door.env", "\n".join(lines) + "\n")
        _write_private(self._home / _DETAILS, json.dumps(asdict(details)) + "\n")


def details_for(home: Path) -> dict[str, Any]:
    """The details of the local cloud that runs in `home`; raises LocalAwsError when none does."""
    try:
        details: dict[str, Any] = json.loads((home / _DETAILS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LocalAwsError(f"no local cloud runs in {home}") from None
    return details


def publisher_for(home: Path) -> Publisher:
    """A publisher to the local cloud that runs in `home`, with its site's key; raises LocalAwsError when none does."""
    details = details_for(home)
    access = _root_access(details["endpoint"])
    key = ensure_site_keys(home / "keys").sign
    return open_publisher(access, details["site"], details["table"], details["bucket"], key)


def run_local(
    port: int | None,
    home: Path,
    announce: Callable[[LocalCloudDetails], None],
    *,
    site_file: Path = DEMO_SITE,
    devices: Sequence[LocalDevice] = (),
    report: Report | None = None,
) -> None:
    """Run a local cloud until SIGTERM or SIGINT; call from the main thread.

    `announce` is told once it is ready. Raises CloudError when it can't start, or when the local AWS dies.
    """
    stopped = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    cloud = LocalCloud(home, port, site_file=site_file, devices=devices, report=report)
    try:
        with cloud as details:
            announce(details)
            while not stopped.wait(_LOOK_S):
                if not cloud.running:
                    raise LocalAwsError(f"the local AWS has died; see {home / 'local-aws.log'}")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _root_access(endpoint: str) -> AwsAccess:
    return AwsAccess(endpoint=endpoint, region=REGION, access_key=ROOT_KEY, secret_key=ROOT_KEY)


def _head(access: AwsAccess, site: str, outputs: Mapping[str, str], keys: SiteKeys) -> Head:
    """What the doors of a site see now."""
    publisher = open_publisher(access, site, outputs["TableName"], outputs["BucketName"], keys.sign)
    current = publisher.current()
    if current is None:
        raise LocalAwsError(f"site {site}: no list was published")
    return current[0]


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LocalAwsError(f"another local cloud runs in {path.parent}") from None
    return descriptor


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
