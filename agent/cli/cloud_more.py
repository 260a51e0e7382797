"""`cardea cloud staff`, `redrive` and `cost`: the first people of an environment, its dead letters, its bill."""

import click

from agent.cli.cloud_options import access_to, endpoint_option, environment_option, reports_cloud_errors
from agent.cli.common import json_option, print_json
from cloud.cost.prices import AS_OF, PRICES, REGION
from cloud.cost.report import bill
from cloud.cost.usage import Fleet
from cloud.deploy.redrive import QUEUES
from cloud.deploy.redrive import redrive as move
from cloud.deploy.staff import Member, end_role, ensure_member
from cloud.deploy.status import status
from cloud.domain.roles import Role
from cloud.errors import DeployError


@click.command()
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What they may do.")
@click.option("--site", required=True, help="Where; * for every site.")
@click.option("--email", help="Where the first password is sent to; without one an administrator of the pool sets it.")
@click.option("--end", is_flag=True, help="End the role that was given like this; it is not given again.")
@environment_option
@endpoint_option
@json_option
@reports_cloud_errors
def staff(
    name: str,
    role: str,
    site: str,
    email: str | None,
    end: bool,
    environment: str,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Make NAME a member of staff of a new environment: a user of its pool, with a role; or end that role.

    Only the first administrator has to be made like this; they give the others their roles. Roles at every site are
    given and ended here alone.

    \b
    Examples:
      cardea cloud staff ada --role administrator --site hq --email ada@example.org --env dev
      cardea cloud staff ada --role administrator --site '*' --end --env dev
    """
    access = access_to(endpoint_url)
    outputs = status(access, environment).outputs
    if "PoolId" not in outputs:
        raise DeployError(f"{environment}: has no pool of users; deploy it first")
    if end:
        subject = end_role(access, outputs, name, Role(role), site)
    else:
        subject = ensure_member(access, outputs, Member(name, Role(role), site, email))
    if as_json:
        print_json({"name": name, "subject": subject, "role": role, "site": site, "ended": end})
    elif end:
        click.echo(f"{name} is {role} at {site} no more; the user stays in the pool")
    else:
        click.echo(f"{name} is {role} at {site} (subject {subject}); sign in with `cardea login {name}`")


@click.command()
@click.argument("queues", nargs=-1, type=click.Choice(QUEUES))
@environment_option
@endpoint_option
@json_option
@reports_cloud_errors
def redrive(queues: tuple[str, ...], environment: str, endpoint_url: str | None, as_json: bool) -> None:
    """Deliver once more what ended in dead-letter queues: of the QUEUES that are named, or of all.

    Mend the cause first, or they come back. What is done by now is passed over.

    \b
    Example:
      cardea cloud redrive cards --env dev
    """
    access = access_to(endpoint_url)
    moved: dict[str, int] = {}
    for queue in queues or QUEUES:
        moved[queue] = move(access, environment, queue)
        if not as_json:
            click.echo(f"{moved[queue]:6}  {queue}")
    if as_json:
        print_json({"environment": environment, "moved": moved})


@click.command()
@click.option("--doors", type=click.IntRange(1, 1_000_000), default=10, show_default=True, help="Doors in all.")
@click.option("--events", type=click.IntRange(0, 1_000_000), default=500, show_default=True, help="A day and door.")
@click.option("--sites", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Sites that they are at.")
@json_option
def cost(doors: int, events: int, sites: int, as_json: bool) -> None:
    """Show what an environment costs a month, line by line; docs/cost.md says what is assumed.

    \b
    Example:
      cardea cloud cost --doors 40 --events 800
    """
    lines = bill(Fleet(doors, events, sites))
    total = sum(lines.values())
    if as_json:
        print_json(
            {"region": REGION, "prices": AS_OF, "usd": dict(lines), "total_usd": total, "per_door": total / doors}
        )
        return
    for name, usd in sorted(lines.items(), key=lambda line: -line[1]):
        click.echo(f"{usd:12,.2f}  {PRICES[name].unit}")
    click.echo(f"{total:12,.2f}  US dollars a month, {total / doors:,.3f} a door ({REGION}, prices of {AS_OF})")
