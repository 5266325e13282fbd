"""`Twin`: the whole API for the length of a `with` block, with a client that is ready to use."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hemato_lab.api import AsyncClient, Client, Clock, KeyAuth
from hemato_lab.errors import ConfigError
from hemato_lab.twin.faults import parse_faults
from hemato_lab.twin.fetching import FetchRules
from hemato_lab.twin.repeating import checked_parameters, repeat_analysis
from hemato_lab.twin.server import Binding, Server
from hemato_lab.twin.service import Settings

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from ipaddress import IPv4Network, IPv6Network

    from hemato_lab.twin.accounts import FirstAccess


class Twin:
    """A twin of the Hemato.AI API on this machine, from a port of its own and a folder that is gone afterwards.

    Parameters
    ----------
    data : path, optional
        Folder to keep studies in; None for a temporary one.
    region : str
        Which region it stands for.
    port : int
        Where it listens; 0 for any that is free.
    workers : int
        Processes that analyse studies.
    strict : bool
        Whether reports have nothing but what the vendor's document has.
    fault : str
        What goes wrong on purpose, as ``"429:0.1,slow:2s"`` (see `hemato_lab.twin.faults`).
    seed : int, optional
        Makes faults and ids repeatable.
    clock : callable
        Unix time in seconds, in place of the machine's.
    allow : sequence of ip_network
        Networks beyond the public ones from which files may be downloaded, and where callbacks may go.
    documented_callbacks, lenient_claims : bool
        See `hemato_lab.twin.service.Settings`.

    Attributes
    ----------
    client : Client
        Ready to use, with a key of the twin's first organisation.
    access : FirstAccess
        What logs in.

    Examples
    --------
    >>> with hl.Twin() as twin:
    ...     report = twin.client.run("sample_data/malaria")

    For Research Use Only. Not for use in diagnostic procedures.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        region: str = "dev",
        port: int = 0,
        workers: int = 1,
        strict: bool = False,
        fault: str = "",
        seed: int | None = None,
        clock: Callable[[], float] = time.time,
        allow: tuple[IPv4Network | IPv6Network, ...] = (),
        documented_callbacks: bool = False,
        lenient_claims: bool = False,
    ) -> None:
        self._data = None if data is None else Path(data)
        self._faults = parse_faults(fault) if fault else None
        self._port, self._workers = port, workers
        self._options: dict[str, Any] = {
            "region": region,
            "strict": strict,
            "documented_callbacks": documented_callbacks,
            "lenient_claims": lenient_claims,
            "fetch": FetchRules(allowed=allow),
            "wall": clock,
            "seed": seed,
        }
        self._opened = ExitStack()
        self._server: Server | None = None
        self._client: Client | None = None

    def __enter__(self) -> Self:
        folder = self._data or Path(
            self._opened.enter_context(
                tempfile.TemporaryDirectory(prefix="hemato_lab_twin_", ignore_cleanup_errors=True)
            )
        )
        settings = Settings(folder, **self._options)
        try:
            self._server = self._opened.enter_context(
                Server(settings, Binding(port=self._port), workers=self._workers, faults=self._faults)
            )
            self._client = None if self._server.first is None else self._opened.enter_context(self.new_client())
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def url(self) -> str:
        """Its address, without a slash at its end."""
        return self._running.url

    @property
    def folder(self) -> Path:
        """Where its data are."""
        return self._running.settings.folder

    @property
    def access(self) -> FirstAccess:
        """What logs in: of the first start, which alone knows it.

        Raises
        ------
        ConfigError
            If the folder was used before.
        """
        first = self._running.first
        if first is None:
            hint = "use the keys and passwords that you have, or add some with hemato-lab serve admin"
            raise ConfigError("the folder of this twin was used before", subject=str(self.folder), hint=hint)
        return first

    @property
    def client(self) -> Client:
        """A client with the key of the first organisation.

        Raises
        ------
        ConfigError
            If the folder was used before, and its key is elsewhere.
        """
        if self._client is None:
            self._client = self._opened.enter_context(self.new_client())
        return self._client

    def new_client(self, **options: Any) -> Client:
        """Return another client, which the caller closes; options are those of `hemato_lab.Client`."""
        return Client(**self._completed(options))

    def new_async_client(self, **options: Any) -> AsyncClient:
        """Return an awaitable client, which the caller closes."""
        return AsyncClient(**self._completed(options))

    def _completed(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a client of this twin; without other credentials with the first key."""
        own = {
            "base_url": self.url,
            "strict": True,
            "journal": self.folder / "client" / "journal.sqlite3",
            "clock": Clock(wall=self._running.settings.wall),
        }
        if "auth" not in options:
            access = self.access
            own["auth"] = KeyAuth.from_file(
                access.private_key, issuer=access.issuer, user_id=access.user_id, kid=access.key_id, role="admin"
            )
        return {**own, **options}

    def analyse_again(self, study_id: str, **parameters: Any) -> None:
        """Have a study analysed once more, with another ``detector`` or ``model``; the report is the next version.

        Raises
        ------
        NotFoundError
            If there is no such study.
        ReportNotReadyError
            If its analysis has not ended.
        ConfigError, ModelError
            If the detector or model cannot be used.
        """
        service = self._running.service
        if service is not None:
            now = self._running.settings.wall()
            different = checked_parameters(**parameters)
            service.writer.run(partial(repeat_analysis, study_id=study_id, parameters=different, now=now))

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise ConfigError("the twin is not running", hint="use it in a with block")
        return self._server

    def __repr__(self) -> str:
        return f"Twin({self._server.url if self._server else 'not running'})"
