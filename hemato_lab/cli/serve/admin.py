"""``hemato-lab serve admin``: accounts and studies of a twin, while it runs or not."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from hemato_lab.cli.places import named_path
from hemato_lab.cli.serve.running import DataOption, data_folder
from hemato_lab.errors import ConfigError, UnreadableInputError
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

admin = typer.Typer(
    help=f"Organisations, users, roles and keys of a twin. {RESEARCH_USE_NOTICE}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
IssuerArgument = Annotated[str, typer.Argument(help="Issuer of the organisation (iss), as lab.example.org.")]
EmailArgument = Annotated[str, typer.Argument(help="E-mail address of the user.")]
RolesOption = Annotated[
    list[str] | None, typer.Option("--role", help="admin, user, device or service; may be repeated.")
]
RegionsOption = Annotated[list[str] | None, typer.Option("--region", help="Region the user may use; may be repeated.")]


@contextmanager
def _changing(data: str | None) -> Iterator[sqlite3.Connection]:
    from hemato_lab.twin.database import FILE_NAME, open_database, transaction

    folder = data_folder(data)
    if not (folder / FILE_NAME).is_file():
        raise ConfigError("is no folder of a twin", subject=str(folder), hint="hemato-lab serve --data makes one")
    connection = open_database(folder)
    try:
        with transaction(connection):
            yield connection
    finally:
        connection.close()


@admin.command("add-organisation")
def add_organisation(
    issuer: IssuerArgument,
    *,
    name: Annotated[str, typer.Option(help="Its name for people.")] = "",
    data: DataOption = None,
) -> None:
    """Add an organisation."""
    from hemato_lab.twin import accounts

    with _changing(data) as connection:
        accounts.add_organisation(connection, issuer, name or issuer, time.time())
    typer.echo(f"organisation {issuer} added")


@admin.command("add-user")
def add_user(
    issuer: IssuerArgument,
    email: EmailArgument,
    *,
    role: RolesOption = None,
    region: RegionsOption = None,
    data: DataOption = None,
) -> None:
    """Add a user, and print the id and a password that is shown this once."""
    from hemato_lab.api.regions import REGIONS
    from hemato_lab.twin import accounts

    with _changing(data) as connection:
        organisation_id = accounts.organisation_of(connection, issuer)
        user_id, password = accounts.add_user(
            connection, organisation_id, email, roles=role or ["user"], regions=region or [*REGIONS], now=time.time()
        )
    typer.echo(f"user id (sub) {user_id}\npassword      {password}")


@admin.command("change-user")
def change_user(
    email: EmailArgument,
    *,
    role: RolesOption = None,
    region: RegionsOption = None,
    disabled: Annotated[bool | None, typer.Option("--disable/--enable", help="Whether the user may come in.")] = None,
    data: DataOption = None,
) -> None:
    """Change a user's roles or regions, or lock the user out."""
    from hemato_lab.twin import accounts

    with _changing(data) as connection:
        accounts.change_user(connection, email, roles=role, regions=region, disabled=disabled)
    typer.echo(f"user {email} changed")


@admin.command("new-password")
def new_password(email: EmailArgument, *, data: DataOption = None) -> None:
    """Give a user a new password, which is shown this once."""
    from hemato_lab.twin import accounts

    with _changing(data) as connection:
        password = accounts.new_password(connection, email)
    typer.echo(f"password      {password}")


@admin.command("add-key")
def add_key(
    issuer: IssuerArgument,
    public_key: Annotated[str, typer.Argument(help="RSA public key, PEM, as of openssl rsa -pubout.")],
    *,
    key_id: Annotated[str, typer.Option(help="Id of the key (kid).", show_default="a new one")] = "",
    data: DataOption = None,
) -> None:
    """Register a public key, and print its id."""
    from hemato_lab.twin import accounts

    pem = _text_of(named_path(public_key, "the key"))
    with _changing(data) as connection:
        organisation_id = accounts.organisation_of(connection, issuer)
        registered = accounts.add_key(connection, organisation_id, pem, key_id=key_id, now=time.time())
    typer.echo(f"key id (kid)  {registered}")


def _text_of(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, ValueError) as error:
        raise UnreadableInputError("cannot be read as PEM", subject=str(path), hint="check the path") from error


@admin.command("revoke-key")
def revoke_key(key_id: Annotated[str, typer.Argument(help="Id of the key (kid).")], *, data: DataOption = None) -> None:
    """Refuse all tokens of a key from now on."""
    from hemato_lab.twin import accounts

    with _changing(data) as connection:
        accounts.revoke_key(connection, key_id)
    typer.echo(f"key {key_id} revoked")


@admin.command("list")
def list_accounts(*, data: DataOption = None) -> None:
    """List organisations, users and keys."""
    with _changing(data) as connection:
        organisations = connection.execute("SELECT * FROM organisations ORDER BY issuer").fetchall()
        for organisation in organisations:
            typer.echo(f"{organisation['issuer']}  {organisation['name']}")
            of_it = (organisation["organisation_id"],)
            for user in connection.execute("SELECT * FROM users WHERE organisation_id = ? ORDER BY email", of_it):
                state = "  disabled" if user["disabled"] else ""
                typer.echo(f"  user {user['email']}  {user['user_id']}  {user['roles']} {user['regions']}{state}")
            for key in connection.execute("SELECT * FROM keys WHERE organisation_id = ? ORDER BY created", of_it):
                typer.echo(f"  key  {key['key_id']}{'  revoked' if key['revoked'] else ''}")


@admin.command("analyse-again")
def analyse_again(
    study_id: Annotated[str, typer.Argument(help="Id of the study.")],
    *,
    detector: Annotated[str | None, typer.Option(help="Another detector.")] = None,
    model: Annotated[str | None, typer.Option(help="ONNX file of another detection network.")] = None,
    data: DataOption = None,
) -> None:
    """Analyse a study once more; the report is its next version."""
    from hemato_lab.twin.repeating import checked_parameters, repeat_analysis

    network = None if model is None else named_path(model, "--model")
    parameters = checked_parameters(detector=detector, model=network)
    with _changing(data) as connection:
        repeat_analysis(connection, study_id, parameters, time.time())
    typer.echo(f"study {study_id} waits for its analysis; the report will be its next version")
