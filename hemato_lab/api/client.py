"""The two clients: the same operations, once blocking and once to be awaited."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from hemato_lab.api.auth import Authentication
from hemato_lab.api.calling import Caller
from hemato_lab.api.clock import Clock
from hemato_lab.api.http import AsyncExchange, Exchange, proxy_of_environment
from hemato_lab.api.journal import Journal
from hemato_lab.api.policy import Policy
from hemato_lab.api.redaction import bare, without_frames
from hemato_lab.api.regions import Endpoint, endpoint
from hemato_lab.api.runners import AsyncRunner, BlockingRunner
from hemato_lab.api.running import Running
from hemato_lab.errors import ConfigError, CredentialError, HematoError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from hemato_lab.api.calls import Callbacks
    from hemato_lab.api.effects import Operation
    from hemato_lab.api.requests import Dialect

P = ParamSpec("P")
T = TypeVar("T")
_CONNECTIONS = 16


class _Connected:
    """What both clients are told when they are made.

    Parameters
    ----------
    region : str or None
        ``dev``, ``qa``, ``us``, ``ca`` or ``eu`` (``in`` in the later dialect). There is no default.
    auth : Authentication or None
        `PasswordAuth`, `KeyAuth` or `TokenAuth`; without it only `heartbeat` can be called.
    base_url : str or None
        Another address than the region's, as that of a twin.
    dialect : str
        ``documented``, or ``2024`` for the vendor's later material (api/DECISIONS.md section 5).
    auth_scheme : str or None
        ``raw`` or ``bearer``; what the dialect has when None.
    policy : Policy or None
        Tries, waits, deadlines.
    journal : Journal, path or None
        Where studies are noted; the user's own journal when None. A journal that is handed in is not closed.
    callbacks : Callbacks or None
        Where the service calls back, for example a `CallbackReceiver`.
    strict : bool
        Take a file id that differs from ours as an error, as for a twin, instead of a warning.
    transport : object or None
        A transport of httpx in the place of the network.
    ca_file : path or None
        Certificates to trust in the place of the usual ones.
    trust_env : bool
        Use the proxies of the environment.
    clock : Clock or None
        Another clock than the machine's.

    Raises
    ------
    RegionError
        If no region and no address is given, or the region is none.
    InsecureAddressError
        If the address is plain http beyond this machine.
    """

    @bare
    def __init__(
        self,
        region: str | None = None,
        *,
        auth: Authentication | None = None,
        base_url: str | None = None,
        dialect: Dialect = "documented",
        auth_scheme: str | None = None,
        policy: Policy | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        callbacks: Callbacks | None = None,
        strict: bool = False,
        transport: Any = None,
        ca_file: str | Path | None = None,
        trust_env: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if dialect not in {"documented", "2024"}:
            raise ConfigError("is no dialect", subject=repr(dialect)[:40], hint="documented or 2024")
        scheme = auth_scheme or ("bearer" if dialect == "2024" else "raw")
        if scheme not in {"raw", "bearer"}:
            raise ConfigError("is no scheme of the header", subject=repr(scheme)[:40], hint="raw or bearer")
        self._endpoint = endpoint(region, base_url, demo=dialect == "2024")
        self._policy = policy or Policy()
        self._clock = clock or Clock()
        self._connect(transport, _exchange_options(self._endpoint, self._policy, ca_file, trust_env=trust_env))
        _check_authentication(auth)
        self._is_closed = False
        self._own_journal = not isinstance(journal, Journal)
        self._journal = _opened(journal)
        caller = Caller(self._endpoint, auth, policy=self._policy, clock=self._clock, auth_scheme=scheme)
        self._service = Running(caller, self._journal, dialect=dialect, strict=strict, callbacks=callbacks)
        if self._endpoint.notice:
            print(f"hemato_lab: {self._endpoint.notice}", file=sys.stderr)

    def _connect(self, transport: Any, options: dict[str, Any]) -> None:
        """Make the exchange and the runner."""
        raise NotImplementedError

    def __repr__(self) -> str:
        place = getattr(self, "_endpoint", None)  # a traceback may represent what is not whole
        return f"{type(self).__name__}({'' if place is None else repr(place.label)})"

    def __reduce__(self) -> Any:
        raise TypeError("a client is not pickled; make one in each process")

    @property
    def address(self) -> str:
        """Base address of the service."""
        return self._endpoint.base_url

    @property
    def journal(self) -> Journal:
        """What was asked of the service and what became of it."""
        return self._journal

    def _check_open(self) -> None:
        if self._is_closed:
            raise ConfigError("was closed", subject=repr(self), hint="make a new client")

    def _close_journal(self) -> None:
        self._is_closed = True
        if self._own_journal:
            self._journal.close()


def _check_authentication(auth: Any) -> None:
    is_one = auth is None or isinstance(auth, Authentication)
    del auth  # it may be a token that was given as it is
    if not is_one:
        hint = "give PasswordAuth, KeyAuth or TokenAuth"
        raise CredentialError("is no way to authenticate", subject="auth", hint=hint)


def _exchange_options(
    place: Endpoint, policy: Policy, ca_file: str | Path | None, *, trust_env: bool
) -> dict[str, Any]:
    return {
        "ca_file": ca_file,
        "proxy": proxy_of_environment(place.base_url) if trust_env else None,
        "connections": _CONNECTIONS,
        "body_limit": policy.body_limit,
    }


def _opened(journal: Journal | str | os.PathLike[str] | None) -> Journal:
    if isinstance(journal, Journal):
        return journal
    return Journal.of_user() if journal is None else Journal(journal)


def _blocking(operation: Callable[Concatenate[Running, P], Operation[T]]) -> Callable[Concatenate[Client, P], T]:
    """Return a method that runs an operation and has its parameters and words."""

    @functools.wraps(operation)
    def method(self: Client, /, *arguments: P.args, **options: P.kwargs) -> T:
        self._check_open()
        begun = operation(self._service, *arguments, **options)
        del arguments, options  # they may hold tags and names, and a traceback may show the variables of this frame
        try:
            return self._runner.run(begun)
        except HematoError as error:
            failure = without_frames(error)
        raise failure

    _describe(method, operation, "{}")
    return method


def _awaitable(
    operation: Callable[Concatenate[Running, P], Operation[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """Return a method that can be awaited and has an operation's parameters and words."""

    @functools.wraps(operation)
    async def method(self: AsyncClient, /, *arguments: P.args, **options: P.kwargs) -> T:
        self._check_open()
        begun = operation(self._service, *arguments, **options)
        del arguments, options  # they may hold tags and names, and a traceback may show the variables of this frame
        try:
            return await self._runner.run(begun)
        except HematoError as error:
            failure = without_frames(error)
        raise failure

    _describe(method, operation, "Coroutine[Any, Any, {}]")
    return method


def _describe(method: Any, operation: Callable[..., Any], returned: str) -> None:
    """Have help show what the method returns, not the operation behind it."""
    signature = inspect.signature(operation)
    result = str(signature.return_annotation).removeprefix("Operation[").removesuffix("]")
    method.__signature__ = signature.replace(return_annotation=returned.format(result))
    method.__annotations__ = {**operation.__annotations__, "return": returned.format(result)}


class Client(_Connected):
    """The Hemato.AI Diagnostic API, blocking. Use it in a ``with`` statement; it may be used from several threads.

    For Research Use Only. Not for use in diagnostic procedures.
    """

    __doc__ = f"{__doc__}\n{inspect.cleandoc(_Connected.__doc__ or '').partition(chr(10))[2]}"

    login = _blocking(Running.login)
    hello = _blocking(Running.hello)
    heartbeat = _blocking(Running.heartbeat)
    create = _blocking(Running.create)
    upload = _blocking(Running.upload)
    request_tasks = _blocking(Running.request_tasks)
    status = _blocking(Running.status)
    wait = _blocking(Running.wait)
    report = _blocking(Running.report)
    task_report = _blocking(Running.task_report)
    start = _blocking(Running.start)
    run = _blocking(Running.run)
    submit = _blocking(Running.submit)
    studies = _blocking(Running.studies)
    possible_orphans = _blocking(Running.possible_orphans)
    settle_orphan = _blocking(Running.settle_orphan)

    def _connect(self, transport: Any, options: dict[str, Any]) -> None:
        self._exchange = Exchange(transport, **options)
        self._runner = BlockingRunner(self._exchange, self._clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and the journal."""
        self._exchange.close()
        self._close_journal()


class AsyncClient(_Connected):
    """The Hemato.AI Diagnostic API for ``async`` programs: the methods of `Client`, awaited.

    For Research Use Only. Not for use in diagnostic procedures.
    """

    __doc__ = f"{__doc__}\n{inspect.cleandoc(_Connected.__doc__ or '').partition(chr(10))[2]}"

    login = _awaitable(Running.login)
    hello = _awaitable(Running.hello)
    heartbeat = _awaitable(Running.heartbeat)
    create = _awaitable(Running.create)
    upload = _awaitable(Running.upload)
    request_tasks = _awaitable(Running.request_tasks)
    status = _awaitable(Running.status)
    wait = _awaitable(Running.wait)
    report = _awaitable(Running.report)
    task_report = _awaitable(Running.task_report)
    start = _awaitable(Running.start)
    run = _awaitable(Running.run)
    submit = _awaitable(Running.submit)
    studies = _awaitable(Running.studies)
    possible_orphans = _awaitable(Running.possible_orphans)
    settle_orphan = _awaitable(Running.settle_orphan)

    def _connect(self, transport: Any, options: dict[str, Any]) -> None:
        self._exchange = AsyncExchange(transport, **options)
        self._runner = AsyncRunner(self._exchange, self._clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close connections and the journal."""
        await self._exchange.close()
        self._close_journal()
