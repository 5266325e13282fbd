"""What answers each operation of the surface, by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from hemato_lab.twin.endpoints.access import heartbeat, hello, login, teapot
from hemato_lab.twin.endpoints.files import upload
from hemato_lab.twin.endpoints.house import describe, overview, search, show_page
from hemato_lab.twin.endpoints.reports import report, task_report
from hemato_lab.twin.endpoints.studies import create, request_tasks, status, task_status
from hemato_lab.twin.exchange import Answer, Call
from hemato_lab.twin.service import Service

Handler = Callable[[Service, Call], Awaitable[Answer]]

HANDLERS: Final[dict[str, Handler]] = {
    "login": login,
    "hello": hello,
    "heartbeat": heartbeat,
    "teapot": teapot,
    "create": create,
    "upload": upload,
    "request_tasks": request_tasks,
    "status": status,
    "task_status": task_status,
    "report": report,
    "task_report": task_report,
    "studies": search,
    "overview": overview,
    "openapi": describe,
    "page": show_page,
}
"""Handler of each operation."""

__all__ = ["HANDLERS", "Handler"]
