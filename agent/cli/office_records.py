"""`cardea requests`, `audit`, `devices` and `operators`: what was asked for, by whom, and who and what may ask."""

from typing import Any

import click

from agent.cli.office import (
    Desk,
    change_command,
    given,
    limit_option,
    note_option,
    office_command,
    validity_options,
)

_ROLES = ("viewer", "guard", "operator", "auditor", "administrator")


@click.group()
def requests() -> None:
    """Requests: every change that was asked for, and how it ended.

    \b
    Example:
      cardea requests list --limit 20
    """


@requests.command("list")
@limit_option
@office_command
def list_requests(desk: Desk, limit: int | None) -> None:
    """List requests, newest first.

    \b
    Example:
      cardea requests list --limit 20
    """
    rows = desk.api.pages("requests", most=limit)
    desk.show_rows(rows, "at", "request", "type", "status", "code", "operator")


@requests.command("show")
@click.argument("request")
@office_command
def show_request(desk: Desk, request: str) -> None:
    """Show how far a request has come, and why it was rejected if it was.

    \b
    Example:
      cardea requests show 7f0c2f1e-6a3b-5c58-9a55-0e7c6c1d2b3a
    """
    desk.show_one(desk.api.get("requests", request))


@click.command("audit")
@click.option("--month", metavar="YYYY-MM", help="In UTC; the present month unless given.")
@limit_option
@office_command
def audit(desk: Desk, month: str | None, limit: int | None) -> None:
    """List who did and read what, newest first. The reading is itself recorded.

    \b
    Example:
      cardea audit --month 2026-03 --json
    """
    rows = desk.api.pages("audit", most=limit, month=month)
    desk.show_rows(rows, "at", "name", "action", "outcome", "code", "person", "request")


@click.group()
def devices() -> None:
    """Devices: the controllers whose records the site takes.

    \b
    Example:
      cardea devices list
    """


@devices.command("list")
@limit_option
@office_command
def list_devices(desk: Desk, limit: int | None) -> None:
    """List controllers, and when each was last heard of.

    \b
    Example:
      cardea devices list
    """
    desk.show_rows(desk.api.pages("devices", most=limit), "device", "doors", "last_seen")


@devices.command("show")
@click.argument("device")
@office_command
def show_device(desk: Desk, device: str) -> None:
    """Show a controller.

    \b
    Example:
      cardea devices show hq-lobby-1
    """
    desk.show_one(desk.api.get("devices", device))


@devices.command("register")
@click.argument("device")
@click.option(
    "--key", "keys", multiple=True, required=True, metavar="HEX", help="Its public key; two while they rotate."
)
@click.option("--door", "doors", multiple=True, help="A door that it may speak for.")
@change_command
def register_device(desk: Desk, device: str, keys: tuple[str, ...], doors: tuple[str, ...]) -> None:
    """Take the records of a controller that are signed by these keys, about these doors.

    \b
    Example:
      cardea devices register hq-lobby-1 --key 9f86d081884c7d65... --door hq-lobby
    """
    body: dict[str, Any] = {"keys": list(keys), "doors": list(doors)}
    desk.change(f"device {device} registered", "PUT", "devices", device, body=body)


@devices.command("retire")
@click.argument("device")
@note_option
@change_command
def retire_device(desk: Desk, device: str, note: str | None) -> None:
    """Take no record of a controller any more.

    \b
    Example:
      cardea devices retire hq-lobby-1 --note "stolen on 3 March"
    """
    desk.change(f"device {device} retired", "POST", "devices", device, "retire", body=given(note=note))


@click.group()
def operators() -> None:
    """Operators: which of the staff may do what at the site.

    \b
    Example:
      cardea operators list
    """


@operators.command("list")
@limit_option
@office_command
def list_operators(desk: Desk, limit: int | None) -> None:
    """List the roles of the staff.

    \b
    Example:
      cardea operators list
    """
    desk.show_rows(
        desk.api.pages("operators", most=limit), "subject", "role", "site", "grant", "valid_from", "valid_until"
    )


@operators.command("grant")
@click.argument("subject")
@click.argument("role", type=click.Choice(_ROLES))
@validity_options
@note_option
@change_command
def grant_role(desk: Desk, subject: str, role: str, since: str | None, until: str | None, note: str | None) -> None:
    """Give a member of staff a role, for ever or for a time. SUBJECT is their id at the identity provider.

    \b
    Example:
      cardea operators grant 3f1c9a52-0d4e-4f6b-8a77-2b9c5d1e0f34 guard --until 2026-12-31T23:00:00Z
    """
    body = given(role=role, valid_from=since, valid_until=until, note=note)
    desk.change(f"{subject} is {role}", "POST", "operators", subject, "grants", body=body)


@operators.command("end")
@click.argument("subject")
@click.argument("grant")
@note_option
@change_command
def end_role(desk: Desk, subject: str, grant: str, note: str | None) -> None:
    """End a role now; `list` shows the id of its grant.

    \b
    Example:
      cardea operators end 3f1c9a52-0d4e-4f6b-8a77-2b9c5d1e0f34 a1b2c3
    """
    desk.change(f"role of {subject} ended", "POST", "operators", subject, "grants", grant, "end", body=given(note=note))
