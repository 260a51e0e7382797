"""Can the agent reach its stream, table and bucket, and may it read? Nothing is written there."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from agent.aws.lists import DynamoListSource
from agent.aws.probe import SERVICES, Probe, Reached
from agent.aws.session import AwsSession
from agent.config import AwsConfig
from agent.doctor.clock import judge_skew
from agent.doctor.finding import Area, Finding, Line, Verdict
from agent.doctor.scene import Scene
from agent.errors import FailureKind, StorageError, UplinkError
from agent.storage.keys import load_public_key
from cloud.contract.allowlist import Head
from cloud.contract.errors import ContractError

ENDPOINT: Final = Line(
    Area.CLOUD,
    "endpoint",
    "The host of each service has an address, takes a connection, shows a good certificate and answers; through a "
    "proxy where one is set.",
    "Check cable, DHCP and DNS (resolvectl query HOST), the firewall (TCP 443 out), AWS_ENDPOINT_URL* and HTTPS_PROXY.",
)
CREDENTIALS: Final = Line(
    Area.CLOUD,
    "credentials",
    "Credentials are found, in the way that the agent finds them. They are not shown.",
    "Give the service its AWS_* variables or its credentials; mind that a unit does not see your shell's variables.",
)
LIST: Final = Line(
    Area.CLOUD,
    "list",
    "The head of the site's list can be read from the table (one GetItem) and bears the site's signature, and the "
    "snapshot that it names can be read from the bucket (one HeadObject).",
    "Check table, bucket and region in [aws], the device's permissions, and that the site has published a list.",
)
STREAM: Final = Line(
    Area.CLOUD,
    "stream",
    "Whether records are taken can't be tried without writing one: of a running daemon, what its uplink says.",
    "See the log (uplink lines), the stream's name in [aws] and the device's permission to PutRecords.",
)
LINES: Final = (ENDPOINT, CREDENTIALS, LIST, STREAM)

TIMEOUT_S: Final = 5.0
"""To connect, and for each answer: a controller's line is slow, but not that slow."""
_OTHER_SHELL: Final = (
    "The daemon has other variables than this shell: run the self-test with those of its unit, as "
    "`systemctl show cardea -p Environment -p EnvironmentFiles` names them."
)
_CLOCK_OR_KEYS: Final = "Check the clock first (see its lines), then the credentials and the device's permissions."


def endpoint(service: str, scene: Scene) -> Iterator[Finding]:
    """The line of one service, and of the first the clock's skew: the services share their clock."""
    aws = scene.config.aws
    if aws is None:
        return
    with AwsSession(aws.region, TIMEOUT_S) as session:
        probe, url = Probe(session, TIMEOUT_S), service
        try:
            url = probe.endpoint(service)
            reached = probe.reach(url)
        except UplinkError as error:
            yield judge_unreached(service, url, error, online=_is_online(scene.told.status))
            return
    yield judge_reached(service, reached)
    if service == SERVICES[0] and reached.server_s is not None:
        yield judge_skew(reached.our_s, reached.server_s, service)


def access(scene: Scene) -> Iterator[Finding]:
    """All other lines of this area."""
    aws = scene.config.aws
    if aws is None:
        yield ENDPOINT.passes("off: without [aws] the door works alone and keeps its events")
        return
    with AwsSession(aws.region, TIMEOUT_S) as session:
        probe = Probe(session, TIMEOUT_S)
        found = _credentials(probe, online=_is_online(scene.told.status))
        yield found
        if found.verdict is Verdict.PASS:
            yield _list(scene, aws, session, probe)
    yield from judge_stream(scene.told.status)


def judge_stream(status: Mapping[str, Any] | None) -> Iterator[Finding]:
    """What the daemon's uplink says; `status` is None when no daemon runs."""
    uplink = None if status is None else status.get("uplink", {})
    if uplink is None:
        yield STREAM.passes("not tried: it would take writing a record; start the agent and look again")
    elif uplink.get("state") == "online":
        yield STREAM.passes("the uplink is online", by_daemon=True)
    else:
        yield STREAM.fails(f"the uplink is {uplink.get('state')}", by_daemon=True)


def judge_reached(service: str, reached: Reached) -> Finding:
    """An endpoint that answered."""
    way = f" through {reached.proxy}" if reached.proxy else ""
    return ENDPOINT.passes(f"{service}: {reached.url} answers in {reached.took_s * 1000:.0f} ms{way}")


def judge_unreached(service: str, url: str, error: UplinkError, *, online: bool = False) -> Finding:
    """One that did not; `online`: the daemon reaches the cloud all the same."""
    if online:
        return ENDPOINT.warns(f"{service}: {url}: {error}; the daemon's uplink is online all the same", _OTHER_SHELL)
    certificate = "certificate" in str(error).lower()
    remedy = (
        "Check the clock (a certificate is good for a time only), and AWS_CA_BUNDLE where a proxy opens connections."
        if certificate
        else None
    )
    return ENDPOINT.fails(f"{service}: {url}: {error}", remedy)


def judge_credentials(method: str | None, *, online: bool) -> Finding:
    """`method`: how they were found, None when there are none; `online`: the daemon has its own, and they are good."""
    if method is not None:
        return CREDENTIALS.passes(f"found by way of {method}")
    if online:
        return CREDENTIALS.warns("none for this user; the daemon's uplink is online all the same", _OTHER_SHELL)
    return CREDENTIALS.fails("none")


def _credentials(probe: Probe, *, online: bool) -> Finding:
    try:
        found = probe.credentials()
    except UplinkError as error:
        return CREDENTIALS.fails(str(error))
    return judge_credentials(found, online=online)


def _is_online(status: Mapping[str, Any] | None) -> bool:
    return status is not None and status.get("uplink", {}).get("state") == "online"


def _list(scene: Scene, aws: AwsConfig, session: AwsSession, probe: Probe) -> Finding:
    keys = []
    for path in scene.config.allowlist.verify_keys:
        try:
            keys.append(load_public_key(scene.config.path(path)))
        except StorageError:
            continue  # told by the lines of the identity
    source = DynamoListSource(session, table=aws.table, bucket=aws.bucket, site=scene.config.device.site, keys=keys)
    try:
        head = source.head()
        if head is not None:
            probe.may_read_object(aws.bucket, head.snapshot_key)
    except UplinkError as error:
        refused = error.kind in (FailureKind.CREDENTIALS_OR_CLOCK, FailureKind.MENDED)
        return LIST.fails(str(error), _CLOCK_OR_KEYS if refused else None)
    except ContractError as error:
        return LIST.fails(f"the head is not one of this site's: {error}", "See the list-verify keys, and [aws].")
    return judge_head(head)


def judge_head(head: Head | None) -> Finding:
    """The head of the site's list."""
    if head is None:
        return LIST.warns("the site has published no list", "Publish the site's list from the console.")
    return LIST.passes(f"epoch {head.epoch}, version {head.version}, signed by the site; its snapshot may be read")
