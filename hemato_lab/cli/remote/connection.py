"""Where and who: the options that every command shares, and the client that they make.

Secrets are never options, because those end up in the history of the shell: a token comes from the environment or from
``remote login``, a key from a file that only its owner may open.
"""

from __future__ import annotations

import functools
import inspect
import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from hemato_lab.errors import CredentialError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.api import Client
    from hemato_lab.api.auth import Authentication
    from hemato_lab.api.requests import Dialect as DialectName

TOKEN_VARIABLE: Final = "HEMATO_LAB_TOKEN"  # noqa: S105 (the name of the variable that holds it)
REGION_VARIABLE: Final = "HEMATO_LAB_REGION"
ADDRESS_VARIABLE: Final = "HEMATO_LAB_BASE_URL"
# Not variables of the options themselves: a region that is named must win over an address of the environment.
Region = Annotated[
    str | None, typer.Option(help=f"dev, qa, us, ca or eu; there is no default, but {REGION_VARIABLE} can name it.")
]
BaseURL = Annotated[
    str | None, typer.Option("--base-url", help=f"Another address, as that of a twin; or {ADDRESS_VARIABLE}.")
]
Dialect = Annotated[str, typer.Option(help="documented, or 2024 for the vendor's later material.")]
Key = Annotated[str | None, typer.Option(envvar="HEMATO_LAB_KEY", help="File of the private key to sign tokens with.")]
Issuer = Annotated[str | None, typer.Option(envvar="HEMATO_LAB_ISSUER", help="Your organisation, for --key.")]
UserId = Annotated[str | None, typer.Option(envvar="HEMATO_LAB_USER_ID", help="Id of a user of it, for --key.")]
KeyId = Annotated[str | None, typer.Option("--kid", envvar="HEMATO_LAB_KID", help="Id of the public key, for --key.")]
Role = Annotated[str, typer.Option(help="admin, user, device or service, for --key.")]
CAFile = Annotated[str | None, typer.Option("--ca-file", help="Certificates to trust in the place of the usual ones.")]
Proxies = Annotated[bool, typer.Option("--proxies", help="Use the proxies of the environment.")]


@dataclass(frozen=True, slots=True)
class Connection:
    """The service and the user of one command."""

    region: Region = None
    base_url: BaseURL = None
    dialect: Dialect = "documented"
    key: Key = None
    issuer: Issuer = None
    user_id: UserId = None
    kid: KeyId = None
    role: Role = "service"
    ca_file: CAFile = None
    proxies: Proxies = False

    @property
    def place(self) -> tuple[str | None, str | None]:
        """Region and address: those of the options, or where none is given those of the environment."""
        if self.region is not None or self.base_url is not None:
            return self.region, self.base_url
        return os.environ.get(REGION_VARIABLE), os.environ.get(ADDRESS_VARIABLE)

    @property
    def address(self) -> str:
        """Base address of the service; raises RegionError where none is named."""
        from hemato_lab.api.regions import endpoint

        return endpoint(*self.place, demo=self.dialect == "2024").base_url

    def client(self, *, authenticated: bool = True, auth: Authentication | None = None) -> Client:
        """Return a client; with credentials of the options, the environment, or the last login, in this order.

        Raises
        ------
        CredentialError
            If credentials are needed and there are none, or those for a key are incomplete.
        """
        from hemato_lab.api import Client

        region, base_url = self.place
        return Client(
            region,
            base_url=base_url,
            auth=(auth or self._authentication()) if authenticated else None,
            dialect=cast("DialectName", self.dialect),
            ca_file=self.ca_file,
            trust_env=self.proxies,
        )

    def _authentication(self) -> Authentication:
        from hemato_lab.api import KeyAuth, TokenAuth
        from hemato_lab.api.sessions import Sessions

        if self.key is not None:
            if not (self.issuer and self.user_id and self.kid):
                raise CredentialError("needs --issuer, --user-id and --kid", subject="--key")
            return KeyAuth.from_file(self.key, issuer=self.issuer, user_id=self.user_id, kid=self.kid, role=self.role)
        if TOKEN_VARIABLE in os.environ:
            return TokenAuth(os.environ[TOKEN_VARIABLE])
        session = Sessions().authentication(self.address)
        if session is None:
            raise CredentialError(
                "there are no credentials for it",
                subject=self.address,
                hint=f"hemato-lab remote login, or --key, or a token in {TOKEN_VARIABLE}",
            )
        return session


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Connection`, and hand it one as its argument ``connection``."""
    own = inspect.signature(command, eval_str=True)
    shared = inspect.signature(Connection, eval_str=True).parameters.values()
    names = [field.name for field in fields(Connection)]

    @functools.wraps(command)
    def with_connection(**options: Any) -> None:
        chosen = {name: options.pop(name) for name in names}
        command(connection=Connection(**chosen), **options)

    kept = [parameter for name, parameter in own.parameters.items() if name != "connection"]
    added = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in shared]
    positional = [one for one in kept if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    keyword = [one for one in kept if one.kind is inspect.Parameter.KEYWORD_ONLY]
    with_connection.__signature__ = own.replace(parameters=[*positional, *keyword, *added])  # type: ignore[attr-defined]
    with_connection.__annotations__ = {one.name: one.annotation for one in (*kept, *added)}
    return with_connection
