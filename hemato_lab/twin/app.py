"""The ASGI application: routes from the table of operations, and around each what all of them share.

The only module that knows the web framework. The order of refusals is fixed: no such path, no such method, no JSON
wanted, no valid token, no permission for the region, and then what the operation itself refuses.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
import time
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.errors import MissingDependencyError
from hemato_lab.twin.endpoints import HANDLERS
from hemato_lab.twin.exchange import Answer, Call, accepts_json, host_of, refused
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.surface import OPERATIONS

try:
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response
    from starlette.routing import Route
except ImportError as error:
    raise MissingDependencyError("starlette", extra="twin") from error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.types import ASGIApp

    from hemato_lab.twin.service import Service
    from hemato_lab.twin.surface import Operation

_LOGGER: Final = logging.getLogger(__name__)
_SERVER: Final = "hemato-lab-twin"
_RETRY_S: Final = "2"
_MOST_DRAINED: Final = 8 << 20
"""Bytes of a refused request that are read on: a client that is still sending would not see the answer."""
_DRAINED_S: Final = 5.0
_SILENT_S: Final = 60.0
"""Seconds without a byte of a body after which its sender counts as gone."""
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}


def application(service: Service) -> ASGIApp:
    """Return the application of a service.

    Raises
    ------
    MissingDependencyError
        If the web framework is not installed.
    """
    methods: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        methods.setdefault(operation.path, {})[operation.method] = operation
    routes = [Route(path, _Resource(service, found)) for path, found in methods.items()]

    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    app.router.default = _Resource(service, {})
    return app


class _Resource:
    """One path: an ASGI application that picks the operation by its method."""

    def __init__(self, service: Service, operations: Mapping[str, Operation]) -> None:
        self._service = service
        self._operations = operations

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        begun_at = time.monotonic()
        request = Request(scope, receive)
        answer = await self._answer(request)
        content = answer.envelope(self._service.debug_info(begun_at))
        if answer.status >= 400:
            await _drain(request)
        headers = {
            "date": formatdate(self._service.now(), usegmt=True),
            "server": _SERVER,
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            **({"www-authenticate": "Bearer"} if answer.status == 401 else {}),
            **answer.headers,
        }
        response = Response(content, answer.status, headers, media_type=answer.content_type)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self._operate(request)
        except Refusal as refusal:
            return refused(refusal)
        except ClientDisconnect:
            return refused(Refusal("incomplete_body"))
        except (OSError, sqlite3.Error) as error:
            return refused(_trouble(error))
        except Exception as error:  # noqa: BLE001 (its words may hold what must not be told)
            _LOGGER.error("%s %s: %s", request.method, self._route, type(error).__name__)  # noqa: TRY400
            return refused(Refusal("internal_error"))

    async def _operate(self, request: Request) -> Answer:
        if not self._operations:
            raise Refusal("not_found")
        operation = self._operations.get(request.method)
        if operation is None:
            raise Refusal("method_not_allowed", headers={"allow": ", ".join(sorted(self._operations))})
        headers = _joined(request)
        if host_of(headers) not in self._service.settings.hosts:
            raise Refusal("unknown_host", {"hint": "serve with --host-name to add a name"})
        if not operation.is_page and not accepts_json(headers.get("accept", "")):
            raise Refusal("not_acceptable")
        call = Call(
            headers,
            request.query_params,
            request.path_params,
            partial(_patient, request),
            request.client.host if request.client else "",
        )
        if operation.authenticated:
            verdict = self._service.judge.judge(headers.get("authorization"))
            if verdict.bearer is None:
                raise Refusal("unauthorized")
            if not verdict.region_permitted:
                raise Refusal("forbidden_region", {"region": self._service.settings.region})
            call.bearer = verdict.bearer
        return await HANDLERS[operation.name](self._service, call)

    @property
    def _route(self) -> str:
        return next((one.path for one in self._operations.values()), "unknown path")


def _joined(request: Request) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _trouble(error: OSError | sqlite3.Error) -> Refusal:
    """Return what a problem of the machine is to a client: it may go away, and nothing was promised."""
    _LOGGER.error("%s: %s", type(error).__name__, error.strerror if isinstance(error, OSError) else "database")
    passing = error.errno in _FULL if isinstance(error, OSError) else isinstance(error, sqlite3.OperationalError)
    return Refusal("unavailable", headers={"retry-after": _RETRY_S}) if passing else Refusal("internal_error")


async def _patient(request: Request) -> AsyncIterator[bytes]:
    """Give the body piece by piece, to a client that goes on sending.

    Raises
    ------
    Refusal
        ``incomplete_body`` if nothing comes for too long.
    """
    pieces = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(_SILENT_S):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refusal("incomplete_body", {"reason": f"nothing came for {_SILENT_S:.0f} s"}) from None
        yield piece


async def _drain(request: Request) -> None:
    read = 0
    with suppress(ClientDisconnect, RuntimeError, TimeoutError):  # it is gone, its body was read, or it is too slow
        async with asyncio.timeout(_DRAINED_S):
            async for piece in request.stream():
                read += len(piece)
                if read > _MOST_DRAINED:
                    return
