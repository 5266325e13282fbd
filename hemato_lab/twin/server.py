"""A running twin: one event loop with the API, threads for errands, processes for analyses.

The only module that knows the web server.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from hemato_lab.api.locks import RunLock
from hemato_lab.errors import ConfigError, LockedError, MissingDependencyError
from hemato_lab.twin import jobs, malformed
from hemato_lab.twin.accounts import FirstAccess, first_access
from hemato_lab.twin.database import open_database, transaction
from hemato_lab.twin.errands import Errands
from hemato_lab.twin.faults import FaultInjection, Faults
from hemato_lab.twin.service import Service, Settings
from hemato_lab.twin.store import Store
from hemato_lab.twin.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

_BACKLOG: Final = 512
_MOST_CONNECTIONS: Final = 2000
_LOOK_S: Final = 0.005
_GRACE_S: Final = 5
"""Seconds that running requests and errands have to end."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a twin listens.

    Attributes
    ----------
    port : int
        0 for any that is free.
    certificate, private_key : Path or None
        PEM files for TLS; needed beyond this machine.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    private_key: Path | None = None


class Server:
    """A twin that runs in a thread of this process, from `start` to `stop`.

    Parameters
    ----------
    settings : Settings
        How it is set up; its folder is made if there is none.
    binding : Binding
        Where it listens.
    workers : int
        Processes that analyse; 0 for none, so that studies wait.
    faults : Faults or None
        What goes wrong on purpose.

    Attributes
    ----------
    first : FirstAccess or None
        What was made if the folder was new.
    """

    def __init__(
        self, settings: Settings, binding: Binding | None = None, *, workers: int = 1, faults: Faults | None = None
    ) -> None:
        self.settings = settings
        self.binding = binding or Binding()
        self.first: FirstAccess | None = None
        self._worker_count = workers
        self._faults = faults
        self._opened = ExitStack()
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self.workers: Workers | None = None
        self.service: Service | None = None

    @property
    def url(self) -> str:
        """Its address, without a slash at its end."""
        host = f"[{self.binding.host}]" if ":" in self.binding.host else self.binding.host
        scheme = "https" if self.binding.certificate else "http"
        return f"{scheme}://{host}:{self.binding.port}"

    @property
    def public_url(self) -> str:
        """The address by which others know it."""
        name = self.settings.public_name
        return self.url.replace(f"//{self.binding.host}:", f"//{name}:") if name else self.url

    @property
    def is_running(self) -> bool:
        """Whether its thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> Self:
        """Start and return when it answers.

        Raises
        ------
        ConfigError
            If the folder or port cannot be used.
        LockedError
            If another twin uses the folder.
        MissingDependencyError
            If the web server is not installed.
        """
        prepare_folder(self.settings.folder)
        self._opened.enter_context(_locked(self.settings.folder))
        try:
            # Whatever can be wrong with the place comes first: what the first start prints is printed once.
            _check_certificate(self.binding)
            listening = self._opened.enter_context(closing(_listening_socket(self.binding)))
            self.binding = replace(self.binding, port=listening.getsockname()[1])
            self._prepare()
            self._thread = threading.Thread(target=self._run, args=(listening,), name="twin-server", daemon=True)
            self._thread.start()
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def _wait_until_it_answers(self) -> None:
        self._ready.wait()
        while self._problem is None and not self._server.started:
            time.sleep(_LOOK_S)
        if self._problem is not None:
            raise self._problem

    def _prepare(self) -> None:
        """Tidy up after an earlier process, however it ended, and make the first accounts."""
        store = Store(self.settings.folder)
        store.clear_incoming()
        connection = open_database(self.settings.folder)
        try:
            store.sweep({row["file_id"] for row in connection.execute("SELECT DISTINCT file_id FROM files")})
            with transaction(connection):
                jobs.release_all(connection)
                self.first = first_access(connection, self.settings.folder, self.settings.region, self.settings.wall())
        finally:
            connection.close()

    def _run(self, listening: socket.socket) -> None:
        """Run the event loop; the thread of the server."""
        try:
            self._serve(listening)
        except BaseException as error:  # noqa: BLE001 (who waits for the start is told)
            self._problem = error
        finally:
            self._ready.set()

    def _serve(self, listening: socket.socket) -> None:
        uvicorn = _web_server()
        from hemato_lab.twin.app import application

        self.service = service = Service(self.settings)
        app = FaultInjection(application(service), self._faults or Faults({}), seed=self.settings.seed or 0)
        service.base_url = self.public_url
        service.worker_count = self._worker_count
        self._server = uvicorn.Server(_configuration(uvicorn, app, self.binding))
        self.workers = Workers(self.settings.folder, self._worker_count)
        errands = Errands(service)
        self._ready.set()
        try:
            self._server.run(sockets=[listening])
        finally:
            errands.stop(_GRACE_S)
            self.workers.stop()
            service.close()

    def stop(self) -> None:
        """Answer what was asked, then stop; does nothing if it does not run."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        self._opened.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def prepare_folder(folder: Path) -> None:
    """Make a twin's folder, for its owner alone.

    Raises
    ------
    ConfigError
        If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"cannot be made: {reason}", subject=str(folder), hint="choose another with --data"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError("may not be written to", subject=str(folder), hint="choose another with --data")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a folder to one server at a time."""
    lock = RunLock(folder, "server")
    try:
        lock.acquire()
    except LockedError as error:
        problem = "another twin uses this folder"
        raise LockedError(problem, subject=str(folder), hint="stop it, or choose another folder with --data") from error
    try:
        yield
    finally:
        lock.release()


def _web_server() -> Any:
    # Its own words, with tracebacks of requests that a stop cuts off, say nothing that the twin's do not.
    logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())
    try:
        import uvicorn
    except ImportError as error:
        raise MissingDependencyError("uvicorn", extra="twin") from error
    return uvicorn


def _configuration(uvicorn: Any, app: ASGIApp, binding: Binding) -> Any:
    """Return how the web server runs: silent, as its lines would hold addresses, and without headers of its own."""
    return uvicorn.Config(
        app,
        http=malformed.protocol(),
        ssl_certfile=binding.certificate,
        ssl_keyfile=binding.private_key,
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        # A header that anyone can send must not say who is calling: logins are slowed down by it, and pages are shown.
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _check_certificate(binding: Binding) -> None:
    """Refuse a certificate that cannot be served with, before anything is made.

    Raises
    ------
    ConfigError
        If it or its key cannot be read, or they do not belong together.
    """
    if binding.certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(binding.certificate, binding.private_key)
    except (OSError, ssl.SSLError) as error:
        problem = f"cannot be used with its key: {error.strerror or error}"
        raise ConfigError(problem, subject=str(binding.certificate), hint="check --certificate-key too") from error


def _listening_socket(binding: Binding) -> socket.socket:
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    # Only of a socket that says TCP does asyncio switch off the delay that would cost 40 ms an answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((binding.host, binding.port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        where = f"{binding.host}:{binding.port}"
        problem = f"cannot listen there: {error.strerror}"
        raise ConfigError(problem, subject=where, hint="choose another --port, or 0 for any that is free") from error
    return listening
