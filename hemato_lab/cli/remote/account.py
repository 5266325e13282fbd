"""Who one is: logging in and out, asking whether the service agrees, and making keys."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hemato_lab.cli.output import print_text
from hemato_lab.cli.places import named_path
from hemato_lab.cli.remote.connection import Connection, connected
from hemato_lab.cli.remote.output import print_json, print_pairs

AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@connected
def login(
    user: Annotated[str, typer.Argument(help="Name or e-mail address of the account.")],
    *,
    connection: Connection,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Log in with a password, which is asked for; the next commands use the session for up to 55 minutes."""
    from hemato_lab.api import PasswordAuth
    from hemato_lab.api.sessions import Sessions

    address = connection.address  # a missing region is told before a password is asked for
    ask = _password_of_input if password_stdin else lambda: typer.prompt("Password", hide_input=True, err=True)
    auth = PasswordAuth(user, ask)
    with connection.client(auth=auth) as api:
        found = api.login()
    Sessions().keep(address, found.session_token)
    print_text(f"{found.user.screen_name or user} is logged in at {address}")


def _password_of_input() -> str:
    return sys.stdin.readline().rstrip("\r\n")


@connected
def logout(*, connection: Connection) -> None:
    """Forget the session of a service."""
    from hemato_lab.api.sessions import Sessions

    known = Sessions().forget(connection.address)
    print_text(f"{'forgot the session' if known else 'there was no session'} at {connection.address}")


@connected
def hello(*, connection: Connection, as_json: AsJSON = False) -> None:
    """Ask whether the service accepts our credentials, and if not, why. Exit code 1 if not."""
    with connection.client() as api:
        found = api.hello()
    if as_json:
        print_json(found.raw)
    else:
        print_text(str(found))
        print_pairs("Claims", found.claims)
    if not found.accepted:
        raise typer.Exit(1)


@connected
def heartbeat(*, connection: Connection, as_json: AsJSON = False) -> None:
    """Ask whether the service is alive; needs no credentials."""
    with connection.client(authenticated=False) as api:
        found = api.heartbeat()
    if as_json:
        print_json(found.raw)
    else:
        print_pairs("Heartbeat", {"version": found.version, "took": found.delta, "heartbeat": found.heartbeat})


def keygen(
    path: Annotated[str, typer.Argument(help="File for the private key; the public one gets .pub added.")],
) -> None:
    """Make a key pair (RSA, 4096 bits) to sign tokens with; have the public key registered by the vendor."""
    from hemato_lab.api import make_key_pair

    pair = make_key_pair(named_path(path, "path"))
    print_pairs(
        "Key pair",
        {
            "private key": f"{pair.private_path} (keep it; nobody else may read it)",
            "public key": f"{pair.public_path} (have it registered; the vendor tells its kid)",
            "SHA-256 of the public key": pair.fingerprint,
        },
    )
