"""``hemato-lab serve``: run a twin until it is stopped."""

from __future__ import annotations

import ipaddress
import logging
import signal
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hemato_lab.cli.places import named_path
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.twin.accounts import FirstAccess
    from hemato_lab.twin.server import Binding, Server
    from hemato_lab.twin.service import Settings

DEFAULT_PORT: Final = 8765
_LOOK_S: Final = 0.25
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

serve = typer.Typer(
    help=f"Serve the Hemato.AI Diagnostic API from this machine, by our own analysis. {RESEARCH_USE_NOTICE}",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)
DataOption = Annotated[
    str | None, typer.Option("--data", help="Folder of studies, files and accounts.", show_default="the user's own")
]


def data_folder(stated: str | None) -> Path:
    """Return the folder of a twin: the one stated, or the user's own."""
    if stated is not None:
        return named_path(stated, "--data")
    import platformdirs

    return Path(platformdirs.user_data_dir("hemato_lab")) / "twin"


@serve.callback()
def run(
    context: typer.Context,
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it listens; 0 for any that is free.")
    ] = DEFAULT_PORT,
    host: Annotated[str, typer.Option(help="Address to listen at; beyond this machine TLS is needed.")] = "127.0.0.1",
    data: DataOption = None,
    region: Annotated[str, typer.Option(help="Region it stands for: dev, qa, us, ca, eu, or in.")] = "dev",
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes that analyse studies.")] = 1,
    certificate: Annotated[str | None, typer.Option(help="Certificate for TLS, PEM.")] = None,
    certificate_key: Annotated[str | None, typer.Option(help="Private key of the certificate, PEM.")] = None,
    host_name: Annotated[
        list[str] | None, typer.Option(help="Further name that tokens may be for (aud); may be repeated.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Reports hold only what the vendor's document has.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Network that files may come from and callbacks go to, as 127.0.0.0/8; may be repeated."),
    ] = None,
    http_callbacks: Annotated[
        bool, typer.Option("--http-callbacks", help="Permit callbacks and downloads over plain http.")
    ] = False,
    documented_callbacks: Annotated[
        bool, typer.Option("--documented-callbacks", help="Callbacks as bare as in the vendor's document.")
    ] = False,
    lenient_claims: Annotated[
        bool, typer.Option("--lenient-claims", help="Take tokens without a role, as the vendor's later sample signs.")
    ] = False,
    fault: Annotated[str, typer.Option(help='What goes wrong on purpose: "429:0.1,503:0.05,slow:2s,drop:0.02".')] = "",
    seed: Annotated[int | None, typer.Option(help="Makes faults and ids of studies repeatable.")] = None,
    clock: Annotated[
        str | None, typer.Option(help="Time at which the twin's clock starts, RFC 3339.", show_default="now")
    ] = None,
) -> None:
    """Serve the API until Ctrl-C. The first start prints how to log in. For Research Use Only."""
    if context.invoked_subcommand is not None:
        return
    from hemato_lab.twin.faults import parse_faults
    from hemato_lab.twin.fetching import FetchRules
    from hemato_lab.twin.server import Binding, Server
    from hemato_lab.twin.service import LOOPBACK_NAMES, Settings

    settings = Settings(
        data_folder(data),
        region=_known_region(region),
        host_names=LOOPBACK_NAMES | {host} | set(host_name or ()),
        public_name=host_name[0] if host_name else "",
        strict=strict,
        documented_callbacks=documented_callbacks,
        http_callbacks=http_callbacks,
        lenient_claims=lenient_claims,
        fetch=FetchRules(allowed=tuple(_network(text) for text in allow or ()), allow_http=http_callbacks),
        wall=_clock_from(clock),
        seed=seed,
    )
    binding = Binding(host, port, _optional_path(certificate), _optional_path(certificate_key))
    _refuse_open_door(binding)
    faults = parse_faults(fault) if fault else None
    _run(Server(settings, binding, workers=workers, faults=faults), settings)


def _run(server: Server, settings: Settings) -> None:
    _log_to_terminal()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with server:
        _print_first(server.first)
        typer.echo(f"The twin serves region {settings.region} at {server.url} from {settings.folder}")
        typer.echo(f"Its reports are its own, not Hemato.AI's. {RESEARCH_USE_NOTICE} Stop it with Ctrl-C.")
        while server.is_running and not stopped.wait(_LOOK_S):
            pass
        if not stopped.is_set():
            raise ConfigError("the server ended by itself", subject=server.url, hint="see the lines above")
    typer.echo("stopped")


def _print_first(first: FirstAccess | None) -> None:
    if first is None:
        return
    for line in (
        "First start. Note the password: it is shown this once and stored nowhere.",
        f"  user          {first.email}",
        f"  password      {first.password}",
        f"  issuer (iss)  {first.issuer}",
        f"  user id (sub) {first.user_id}",
        f"  key id (kid)  {first.key_id}",
        f"  private key   {first.private_key}",
    ):
        typer.echo(line)


def _log_to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("hemato-lab: %(message)s"))
    logger = logging.getLogger("hemato_lab.twin")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _known_region(region: str) -> str:
    from hemato_lab.api.regions import DEMO_REGIONS, REGIONS

    known = (*REGIONS, *DEMO_REGIONS)
    if region not in known:
        raise ConfigError("is no region", subject=region, hint=f"use one of {', '.join(known)}")
    return region


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigError(f"is no network: {error}", subject=text, hint="give one as 192.168.1.0/24") from error


def _clock_from(text: str | None) -> Callable[[], float]:
    """Return a clock that starts at a time and goes on from there."""
    if text is None:
        return time.time
    try:
        start = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError("is no time", subject=text, hint="write it as 2026-01-31T12:00:00Z") from error
    if start.tzinfo is None:
        raise ConfigError("has no time zone", subject=text, hint="write it as 2026-01-31T12:00:00Z")
    ahead = start.timestamp() - time.monotonic()
    return lambda: time.monotonic() + ahead


def _optional_path(text: str | None) -> Path | None:
    return None if text is None else named_path(text, "--certificate")


def _refuse_open_door(binding: Binding) -> None:
    """Refuse to serve other machines without TLS (vendor's document, "Endpoints")."""
    if (binding.certificate is None) != (binding.private_key is None):
        raise ConfigError("a certificate and its key belong together", hint="give both or none")
    if binding.host not in _LOOPBACK and binding.certificate is None:
        hint = "give --certificate and --certificate-key, or stay at 127.0.0.1"
        raise ConfigError("other machines are served over TLS only", subject=binding.host, hint=hint)
