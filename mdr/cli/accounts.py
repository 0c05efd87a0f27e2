"""Commands about people: accounts add, invite, list, role, password, close. Who has the command line is an admin."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from getpass import getpass
from typing import Annotated

import typer

from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, table
from mdr.core.permissions import MACHINE, ROLES
from mdr.errors import InputError

_ROLES = f"One of {', '.join(ROLES)}."
Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name; `hf:name` signs in with Hugging Face.")]


def register(app: typer.Typer) -> None:
    """Put these commands into the app, below `accounts`."""
    group = typer.Typer(no_args_is_help=True, help="Say who may sign in, and as what.")
    for work, name in _COMMANDS:
        add_command(group, work, name)
    app.add_typer(group, name="accounts")


def add(desk: Desk, name: Name, role: Annotated[str, typer.Option(help=_ROLES)] = "judge") -> Report:
    """Make an account; asks for its password."""
    listed = desk.bench.accounts.add(MACHINE, name, role, _password())
    return Report(listed, [f"{listed.name} may sign in, as {listed.role}"])


def invite(
    desk: Desk,
    role: Annotated[str, typer.Option(help=_ROLES)] = "judge",
    days: Annotated[float, typer.Option(help="How long the invitation holds.")] = 7,
) -> Report:
    """Print a link with which one person makes an account."""
    link = f"{desk.settings.url}/mdr/invite?token={desk.bench.accounts.invite(MACHINE, role, days)}"
    return Report({"role": role, "days": days, "link": link}, [link, f"for one {role}, within {days:g} days"])


def everyone(desk: Desk) -> Report:
    """Show all accounts."""
    people = desk.bench.accounts.everyone(MACHINE)
    rows = [(it.name, it.role, datetime.fromtimestamp(it.made, UTC).date(), it.signs_in) for it in people]
    return Report(people, [table(rows, "name", "role", "since", "signs in")] if rows else ["no accounts yet"])


def set_role(desk: Desk, name: Name, role: Annotated[str, typer.Argument(metavar="ROLE", help=_ROLES)]) -> Report:
    """Change what somebody may do, at once."""
    desk.bench.accounts.set_role(MACHINE, name, role)
    return Report({"name": name, "role": role}, [f"{name} is {role} now"])


def set_password(desk: Desk, name: Name) -> Report:
    """Give an account a new password; ends its sessions."""
    desk.bench.accounts.set_password(MACHINE, name, _password())
    return Report({"name": name}, [f"{name} signs in with the new password from now on"])


def close(desk: Desk, name: Name) -> Report:
    """Let nobody sign in with an account again; its judgements stay."""
    desk.bench.accounts.close(MACHINE, name)
    return Report({"name": name}, [f"{name} cannot sign in any more"])


def _password() -> str:
    """Typed twice without being shown, or the first line of what is piped in; never an argument, which others see."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass("Password: ")
    if getpass("Once more: ") != password:
        raise InputError("the two passwords differ", "type the same one twice")
    return password


_COMMANDS = (
    (add, "add"),
    (invite, "invite"),
    (everyone, "list"),
    (set_role, "role"),
    (set_password, "password"),
    (close, "close"),
)
