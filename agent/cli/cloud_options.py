"""What the commands of `cardea cloud` share: their options, refused before anything is called; the account; errors."""

import functools
import re
import zoneinfo
from collections.abc import Callable
from typing import Final, ParamSpec

import click

from agent.cli.common import Exit, fail
from cloud.adapters.aws import AwsAccess, AwsError
from cloud.deploy.plan import SitePlan
from cloud.errors import CloudError
from cloud.local.main import LocalDevice
from cloud.local.server import REGION, ROOT_KEY

_OUT_OF_REACH: Final = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError"})
P = ParamSpec("P")
_ENVIRONMENT: Final = re.compile(r"[a-z][a-z0-9]{0,19}")
_SITE: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,63})(=(.+))?")
_DEVICE: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,63})=([0-9a-f]{64}):([A-Za-z0-9_.:-]+(?:,[A-Za-z0-9_.:-]+)*)")
_OPTION: Final = re.compile(r"([A-Za-z0-9]+)=(.*)")


def _environment_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _ENVIRONMENT.fullmatch(value):
        raise click.BadParameter("lower-case letters and digits, at most 20, starting with a letter")
    return value


environment_option = click.option(
    "--env", "environment", default="dev", show_default=True, callback=_environment_name, help="The environment."
)
endpoint_option = click.option("--endpoint-url", metavar="URL", help="Of a local AWS, instead of the account's.")


def site_plans(values: tuple[str, ...], zone: str) -> tuple[SitePlan, ...]:
    """What --site and --zone say; raises BadParameter."""
    if zone not in zoneinfo.available_timezones():
        raise click.BadParameter(f"{zone!r} is no time zone such as Europe/Berlin", param_hint="--zone")
    plans = []
    for value in values:
        match = _SITE.fullmatch(value)
        if match is None:
            raise click.BadParameter(f"{value!r} is not ID or ID=NAME", param_hint="--site")
        plans.append(SitePlan(match[1], match[3] or match[1], zone))
    return tuple(plans)


def local_devices(values: tuple[str, ...]) -> tuple[LocalDevice, ...]:
    """What --device says; raises BadParameter."""
    devices = []
    for value in values:
        match = _DEVICE.fullmatch(value)
        if match is None:
            raise click.BadParameter(
                f"{value!r} is not ID=KEY:DOOR,... with a key of 64 hex digits", param_hint="--device"
            )
        devices.append(LocalDevice(match[1], match[2], tuple(match[3].split(","))))
    return tuple(devices)


def root_options(values: tuple[str, ...]) -> dict[str, str]:
    """What --set says; raises BadParameter."""
    options: dict[str, str] = {}
    for value in values:
        match = _OPTION.fullmatch(value)
        if match is None:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", param_hint="--set")
        options[match[1]] = match[2]
    return options


def access_to(endpoint_url: str | None) -> AwsAccess:
    """The account of the standard AWS_* variables; an endpoint that is given is a local AWS's, with its root key."""
    return AwsAccess() if endpoint_url is None else AwsAccess(endpoint_url, REGION, ROOT_KEY, ROOT_KEY)


def reports_cloud_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what the account says into one line and the right exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except AwsError as error:
            fail(str(error), Exit.UNREACHABLE if error.code in _OUT_OF_REACH else Exit.FAILED)
        except CloudError as error:
            fail(str(error))

    return run
