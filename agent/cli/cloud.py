"""`cardea cloud`: the AWS side, from an operator's machine."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from agent.cli.cloud_more import cost, redrive, staff
from agent.cli.cloud_options import (
    access_to,
    endpoint_option,
    environment_option,
    local_devices,
    reports_cloud_errors,
    root_options,
    site_plans,
)
from agent.cli.cloud_progress import shown
from agent.cli.common import Exit, console, fail, json_option, print_json
from cloud.adapters.aws import AwsAccess, aws_errors
from cloud.deploy.environment import deploy as deploy_environment
from cloud.deploy.following import Progress
from cloud.deploy.plan import DEFAULT_ZONE, EnvironmentPlan, SitePlan, account_suffix, local_environment
from cloud.deploy.removal import erase, stop
from cloud.deploy.stacks import Deployer
from cloud.deploy.status import EnvironmentStatus
from cloud.deploy.status import status as environment_status
from cloud.errors import CloudError
from cloud.local.main import LocalCloudDetails, default_home, run_local

_LOCAL_POLL_S: Final = 0.1
_AWS_POLL_S: Final = 2.0


def _deployer(access: AwsAccess, report: Callable[[Progress], None]) -> Deployer:
    return Deployer(access.cloudformation(), report, _AWS_POLL_S if access.endpoint is None else _LOCAL_POLL_S)


@click.group()
def cloud() -> None:
    """The AWS side: stacks, and a local AWS to try them on."""


@cloud.command()
@environment_option
@click.option("--site", "sites", multiple=True, metavar="ID[=NAME]", help="A site that it has; may be repeated.")
@click.option("--zone", default=DEFAULT_ZONE, show_default=True, help="Time zone of sites that are new.")
@click.option(
    "--set", "options", multiple=True, metavar="NAME=VALUE", help="A parameter of cloud/stacks/root.yaml; repeatable."
)
@endpoint_option
@json_option
@reports_cloud_errors
def deploy(
    environment: str,
    sites: tuple[str, ...],
    zone: str,
    options: tuple[str, ...],
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Bring an environment to what this checkout says: make it, change it, or leave it alone.

    Sites that are not named stay as they are. Prints the outputs.

    \b
    Example:
      cardea cloud deploy --env dev --site hq="Head office" --zone Europe/Berlin
      cardea cloud deploy --env dev --site hq --endpoint-url http://127.0.0.1:4566
    """
    access = access_to(endpoint_url)
    plan = _plan(access, environment, site_plans(sites, zone), root_options(options))
    changes: list[Progress] = []
    with shown(console(err=True), quiet=as_json) as show:

        def report(progress: Progress) -> None:
            if progress.status != "UNCHANGED":
                changes.append(progress)
            show(progress)

        outputs = deploy_environment(access, _deployer(access, report), plan)
    if as_json:
        print_json({"environment": environment, "changed": bool(changes), "outputs": dict(outputs)})
    else:
        _print_outputs(outputs)


@cloud.command()
@environment_option
@endpoint_option
@json_option
@reports_cloud_errors
def status(environment: str, endpoint_url: str | None, as_json: bool) -> None:
    """Show the stacks of an environment, its outputs, and whether it runs the code of this checkout.

    Fails when a stack is not as its last deployment wanted it.

    \b
    Example:
      cardea cloud status --env dev
    """
    found = environment_status(access_to(endpoint_url), environment)
    if as_json:
        print_json({**asdict(found), "sound": found.is_sound})
    else:
        _print_status(found)
    if not found.is_sound:
        sys.exit(Exit.FAILED)


@cloud.command()
@environment_option
@click.option("--data", is_flag=True, help="Remove what holds data as well: all of it, for good.")
@click.option("--yes-delete-environment", "confirmed", metavar="NAME", help="Needed with --data: the name once more.")
@endpoint_option
@json_option
@reports_cloud_errors
def destroy(environment: str, data: bool, confirmed: str | None, endpoint_url: str | None, as_json: bool) -> None:
    """Remove what works of an environment and keep what holds data; `deploy` finds it again.

    Doors go on deciding, and keep their events until there is something to send them to.

    \b
    Example:
      cardea cloud destroy --env dev
      cardea cloud destroy --env dev --data --yes-delete-environment dev
    """
    if data and confirmed != environment:
        raise click.UsageError(f"--data deletes everything for good: add --yes-delete-environment {environment}")
    if confirmed is not None and not data:
        raise click.UsageError("--yes-delete-environment goes with --data")
    access = access_to(endpoint_url)
    locked: Mapping[str, int] = {}
    with shown(console(err=True), quiet=as_json) as show:
        deployer = _deployer(access, show)
        if data:
            locked = erase(access, deployer, environment).locked
        else:
            stop(deployer, environment)
    if as_json:
        print_json({"environment": environment, "data": data, "locked": dict(locked)})
    for bucket, count in locked.items():
        click.echo(f"cardea: {count} object(s) in {bucket} are locked: bucket and key stay until they may go", err=True)
    if locked:
        sys.exit(Exit.FAILED)


@cloud.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the local AWS; a free one unless given.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for keys and logs.  [default: ~/.local/state/cardea-local]",
)
@click.option(
    "--device", "devices", multiple=True, metavar="ID=KEY:DOOR,...", help="A controller whose events are believed."
)
@json_option
def local(port: int | None, home: Path | None, devices: tuple[str, ...], as_json: bool) -> None:
    """Run a local AWS with the demo site until Ctrl-C.

    It holds the same stacks as a real account and forgets everything but the site's keys when it stops.

    \b
    Example:
      cardea cloud local --port 4566
      cardea cloud local --device hq-demo-1=9c0f...e1:hq-turnstile,hq-office
    """

    def announce(details: LocalCloudDetails) -> None:
        if as_json:
            print_json(asdict(details))
        else:
            click.echo(f"ready: {details.endpoint}, site {details.site}; for a door: . {details.door_env}")
        sys.stdout.flush()

    def report(progress: Progress) -> None:
        if progress.resource == progress.stack and sys.stderr.isatty() and not as_json:
            click.echo(f"{progress.stack}: {progress.status.replace('_', ' ').lower()}", err=True)

    try:
        run_local(port, home or default_home(), announce, devices=local_devices(devices), report=report)
    except CloudError as error:
        fail(str(error))


cloud.add_command(staff)
cloud.add_command(redrive)
cloud.add_command(cost)


def _plan(access: AwsAccess, environment: str, sites: tuple[SitePlan, ...], options: dict[str, str]) -> EnvironmentPlan:
    if access.endpoint is not None:
        return local_environment(*sites, name=environment, options=options)
    with aws_errors():
        account: str = access.sts().get_caller_identity()["Account"]
    return EnvironmentPlan(environment, sites, account_suffix(account), options=options)


def _print_outputs(outputs: Mapping[str, str]) -> None:
    width = max((len(name) for name in outputs), default=0)
    for name, value in sorted(outputs.items()):
        click.echo(f"{name:<{width}}  {value}")


def _print_status(found: EnvironmentStatus) -> None:
    from rich.table import Table

    table = Table("stack", "state", "resources", "not as it should be")
    for stack in found.stacks:
        wrong = ", ".join(f"{name} {state}" for name, state in stack.unfinished.items())
        table.add_row(stack.name, stack.status.replace("_", " ").lower(), str(stack.resources), wrong)
    console().print(table)
    _print_outputs(found.outputs)
    if not found.running:
        click.echo(f"{found.environment} does not work: only what holds data is there; `deploy` starts it again")
    elif not found.code_is_current:
        click.echo(f"{found.environment} runs other code than this checkout's; `deploy` brings it up to date")
