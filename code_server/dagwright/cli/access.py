"""Commands about users and API tokens. They open the database: whoever has its URL may do everything with it anyway."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from dagwright.cli import output
from dagwright.cli.rest import json_option

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dagwright_shared.model.access import Role
    from dagwright_shared.store.api_tokens import ApiToken
    from dagwright_shared.store.users import User

_ROLES = click.Choice(["viewer", "launcher", "editor", "admin", "none"])
_role_option = click.option("--role", type=_ROLES, default="viewer", show_default=True, help="What they may do.")
_at_option = click.option(
    "--at", "places", multiple=True, metavar="LOCATION=ROLE", help="Another role at a location, `none` hides it; may be given again."
)


@click.group()
def user() -> None:
    """Add, list and change users of the dashboard and REST, in DAGWRIGHT_DATABASE_URL or that of `dagwright dev` here."""


@user.command()
@click.argument("name")
@_role_option
@_at_option
@click.option("--generate", is_flag=True, help="Make a password and print it.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="For a program: API tokens alone.")
def add(name: str, role: str, places: tuple[str, ...], generate: bool, password_stdin: bool, no_password: bool) -> None:
    """Add a user; the password is asked for, unless an option says otherwise."""
    from dagwright_shared.model.access import Grant
    from dagwright_shared.store import users

    grant = Grant(role=_role(role), locations=_places(places))
    password = None if no_password else _password(name, generate=generate, from_stdin=password_stdin)
    hashed = None if password is None else _hashed(name, password)
    with _database("add_user", name, {"role": role, "location_roles": dict(_pairs(places))}) as conn:
        users.create(conn, name, grant, password_hash=hashed)
    click.echo(f"added {name} as {role}")
    if generate and password is not None:
        click.echo(f"password: {password}")


@user.command(name="list")
@json_option
def list_users(as_json: bool) -> None:
    """List users."""
    from dagwright_shared.store import users

    with _database() as conn:
        found = users.list_all(conn)
    if as_json:
        output.as_json([_user_json(each) for each in found])
    elif not found:
        click.echo("no users; add the first one by `dagwright user add NAME --role admin`")
    else:
        rows = [
            (each.name, each.grant.role or "none", ", ".join(f"{place}={role or 'none'}" for place, role in each.grant.locations.items()),
             each.issuer or ("password" if each.has_password else "tokens"), "disabled" if each.disabled else "",
             _ago(each.signed_in_at))
            for each in found
        ]  # fmt: skip
        output.console().print(output.table(("user", "role", "at locations", "logs in by", "", "last log-in"), rows))


@user.command()
@click.argument("name")
@click.argument("role", type=_ROLES)
@_at_option
def role(name: str, role: str, places: tuple[str, ...]) -> None:
    """Give a user another role. The roles at locations are replaced where --at is given, and stay otherwise."""
    changes: dict[str, Any] = {"role": _role(role)}
    if places:
        changes["location_roles"] = _places(places)
    _change("change_user", name, {"role": role, **({"location_roles": dict(_pairs(places))} if places else {})}, changes)
    click.echo(f"{name} is {role} now")


@user.command()
@click.argument("name")
@click.option("--enable", is_flag=True, help="Let them in again.")
def disable(name: str, enable: bool) -> None:
    """Keep a user out: sessions and API tokens end at once."""
    _change("change_user", name, {"disabled": not enable}, {"disabled": not enable}, end_sessions=not enable)
    click.echo(f"{name} is {'enabled' if enable else 'disabled'}")


@user.command()
@click.argument("name")
@click.option("--generate", is_flag=True, help="Make a password and print it.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def password(name: str, generate: bool, password_stdin: bool) -> None:
    """Give a user a new password. All their sessions end."""
    made = _password(name, generate=generate, from_stdin=password_stdin)
    _change("change_user", name, {"password": "changed"}, {"password_hash": _hashed(name, made)}, end_sessions=True)
    click.echo(f"changed the password of {name}")
    if generate:
        click.echo(f"password: {made}")


@click.group()
def token() -> None:
    """Make, list and revoke API tokens, in DAGWRIGHT_DATABASE_URL or that of `dagwright dev` here."""


@token.command()
@click.argument("name")
@click.option("--user", "owner", required=True, metavar="USER", help="For whom it speaks; it never may more than they.")
@click.option("--role", type=click.Choice(["viewer", "launcher", "editor", "admin"]), default="viewer", show_default=True)
@click.option("--location", "locations", multiple=True, help="Only there; may be given again [wherever the user may].")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=90, show_default=True, help="After which it ends.")
@click.option("--forever", is_flag=True, help="Let it never end.")
@json_option
def create(name: str, owner: str, role: str, locations: tuple[str, ...], days: float, forever: bool, as_json: bool) -> None:
    """Make a token for a program; it is printed once."""
    from dagwright_shared.model.access import Role
    from dagwright_shared.store import api_tokens, users

    expires_at = None if forever else datetime.now(UTC) + timedelta(days=days)
    with _database("create_token", f"{name} of {owner}", {"role": role, "locations": list(locations) or None}) as conn:
        user_id = users.get(conn, owner).user_id
        made, secret = api_tokens.create(conn, user_id, name, Role(role), locations=locations or None, expires_at=expires_at)
    if as_json:
        output.as_json({"token": secret, **_token_json(made)})
    else:
        click.echo(secret)


@token.command(name="list")
@click.option("--user", "owner", metavar="USER", help="Only those of this user.")
@json_option
def list_tokens(owner: str | None, as_json: bool) -> None:
    """List tokens, the newest first."""
    from dagwright_shared.store import api_tokens, users

    with _database() as conn:
        user_id = None if owner is None else users.get(conn, owner).user_id
        found = api_tokens.list_page(conn, user_id=user_id, limit=1000).items
    if as_json:
        output.as_json([_token_json(each) for each in found])
    elif not found:
        click.echo("no tokens")
    else:
        rows = [
            (each.token_id, each.prefix + "…", each.user, each.name, each.role, ", ".join(each.locations or ("all",)),
             each.expires_at.date() if each.expires_at else "never", _ago(each.used_at))
            for each in found
        ]  # fmt: skip
        output.console().print(output.table(("id", "token", "user", "for", "at most", "locations", "expires", "last used"), rows))


@token.command()
@click.argument("token_id", type=click.IntRange(1))
def revoke(token_id: int) -> None:
    """Revoke a token, by its id in the list. It is refused at once."""
    from dagwright_shared.store import api_tokens

    with _database("revoke_token", str(token_id)) as conn:
        found = api_tokens.get(conn, token_id)
        api_tokens.remove(conn, token_id)
    click.echo(f"revoked {found.prefix}… of {found.user}")


def _change(action: str, name: str, told: dict[str, Any], changes: dict[str, Any], *, end_sessions: bool = False) -> None:
    from dagwright_shared.store import sessions, users

    with _database(action, name, told) as conn:
        found = users.get(conn, name)
        users.change(conn, found.user_id, **changes)
        if end_sessions:
            sessions.end_all(conn, found.user_id)


@contextmanager
def _database(action: str | None = None, target: str | None = None, after: Any = None) -> Iterator[Connection]:
    """A transaction, and with an action its entry in the audit log."""
    # SQLAlchemy costs 300 ms, as for `dagwright db`.
    from dagwright_shared.model.access import AuditResult
    from dagwright_shared.store import audit, engine
    from dagwright_shared.store.audit import AuditEntry

    database = engine.create(_database_url(), name="dagwright-access")
    try:
        engine.verify(database)
        with database.begin() as conn:
            yield conn
            if action is not None:
                audit.record(
                    conn,
                    AuditEntry(
                        actor=f"{getpass.getuser()} (command line)",
                        action=f"cli_{action}",
                        target=target,
                        result=AuditResult.DONE,
                        after=after,
                    ),
                )
    finally:
        database.dispose()


def _database_url() -> str:
    """That of the settings, or of the `dagwright dev` that runs here."""
    from dagwright_shared.runtime import settings

    config = settings.load()
    if config.database_url is None:
        try:
            return str(json.loads((config.home / "dev.json").read_text())["database_url"])
        except (OSError, ValueError, KeyError):
            pass  # nothing runs here
    return settings.require_database_url(config)


def _password(name: str, *, generate: bool, from_stdin: bool) -> str:
    from dagwright_shared.runtime import passwords

    if generate:
        return passwords.generate()
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True))


def _hashed(name: str, password: str) -> str:
    from dagwright_shared.runtime import passwords

    passwords.check_strength(password, name=name)
    return passwords.hashed(password)


def _pairs(places: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for place in places:
        location, equals, role = place.rpartition("=")
        if not location or not equals:
            raise click.UsageError(f"--at is written LOCATION=ROLE, such as flights=editor; got {place!r}")
        yield location, role


def _places(places: tuple[str, ...]) -> dict[str, Role | None]:
    from dagwright_shared.store import users

    return {location: users.parse_role(role, path="--at") for location, role in _pairs(places)}


def _role(role: str) -> Role | None:
    from dagwright_shared.store import users

    return users.parse_role(role)


def _user_json(user: User) -> dict[str, Any]:
    return {
        "name": user.name, "role": user.grant.role, "location_roles": dict(user.grant.locations), "disabled": user.disabled,
        "has_password": user.has_password, "provider": user.issuer,
    }  # fmt: skip


def _token_json(token: ApiToken) -> dict[str, Any]:
    return {
        "token_id": token.token_id, "user": token.user, "name": token.name, "prefix": token.prefix, "role": token.role,
        "locations": None if token.locations is None else list(token.locations),
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
    }  # fmt: skip


def _ago(moment: datetime | None) -> str:
    return output.ago(moment) if moment else "never"
