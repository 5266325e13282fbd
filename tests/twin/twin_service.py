"""The real twin where the tests of the client expect the fake service.

The application, database, store and judge of tokens are the twin's own. Made up are the analysis, which is ready after
so many questions for the status, and the downloads of workflow 2.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import time
from collections import deque
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from hemato_lab.twin import accounts
from hemato_lab.twin.app import application
from hemato_lab.twin.database import FILE_NAME, open_database, transaction
from hemato_lab.twin.faults import HEADER, FaultInjection, parse_faults
from hemato_lab.twin.service import VERSION, Service, Settings
from tests.api.loopback import Behaviour
from tests.api.recording import Answer, Received, Recording
from tests.twin.served import Served
from tests.twin.twin_views import KeysView, Notes, SessionsView, StudiesView, UsersView
from tests.twin.worker_stand_in import WorkerStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ISSUER = "lab.example.com"
DEVICE = "user-7"
EMAIL = "static@lab.example.com"
EVERYWHERE = ("dev", "qa", "us", "ca", "eu", "in")
BEHAVIOURS = {
    Behaviour.RESET_BEFORE_READING: "drop-before",
    Behaviour.RESET_AFTER_PROCESSING: "drop-after",
    Behaviour.CLOSE_AFTER_PROCESSING: "drop-after",
    Behaviour.TRUNCATE_BODY: "truncate",
    Behaviour.TWICE: "",  # uvicorn cannot be brought to it
}
"""What the twin's own failures stand for."""


@cache
def prepared_database() -> bytes:
    """Return a database with an organisation and a user, made once for all tests: a password takes a while to hash."""
    with tempfile.TemporaryDirectory() as folder:
        with closing(open_database(Path(folder))) as connection:
            with transaction(connection):
                organisation = accounts.add_organisation(connection, ISSUER, "A laboratory", 0.0)
                options: dict[str, Any] = {"roles": accounts.ROLES, "regions": EVERYWHERE, "now": 0.0}
                user_id, _ = accounts.add_user(connection, organisation, EMAIL, **options)
                connection.execute("UPDATE users SET user_id = ? WHERE user_id = ?", (DEVICE, user_id))
            connection.execute("PRAGMA journal_mode = DELETE")  # all of it in one file
        return Path(folder, FILE_NAME).read_bytes()


class TwinService(Recording):
    """The twin, with the interface of `tests.api.fake_service.FakeService`.

    It starts with its first request, in an event loop of its own or in that of a `TwinServer`.

    Attributes
    ----------
    notes : dict
        What the database does not keep of each study: how often something was asked for.
    """

    word_for_open = "queued"
    version = VERSION
    subject = DEVICE
    issuer = ISSUER
    regions = EVERYWHERE

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "dev.api.hemato.ai",
        users: Mapping[str, str] | None = None,
        keys: Mapping[str, str] | None = None,
        static_tokens: set[str] | None = None,
        wall_clock: Callable[[], float] = time.time,
        polls_until_ready: int = 2,
        fail_studies: bool = False,
        record: bool = True,
        keep_bodies: bool = True,
    ) -> None:
        super().__init__(wall_clock=wall_clock, record=record, keep_bodies=keep_bodies)
        Path(folder, FILE_NAME).write_bytes(prepared_database())
        self.folder = folder
        self.polls_until_ready = polls_until_ready
        self.fail_studies = fail_studies
        self.honour_idempotency_key = True  # it always does
        self.static_tokens = set(static_tokens or ())
        self.notes: dict[str, Notes] = {}
        self.studies = StudiesView(self)
        self.users = UsersView(self)
        self.keys = KeysView(self)
        self.session_tokens = SessionsView(self)
        self.home: asyncio.AbstractEventLoop | None = None
        self._host = host
        self._own_loop: threading.Thread | None = None
        self._service: Service | None = None
        self._app: Any = None
        self.worker = WorkerStandIn(self)
        self.users.update(users or {})
        self.keys.update(keys or {})

    # Life

    @property
    def host(self) -> str:
        """What the audience of a token has to be; it is set up anew for another."""
        return self._host

    @host.setter
    def host(self, host: str) -> None:
        self._host = host
        self.restart()

    def _settings(self) -> Settings:
        region = self._host.removesuffix(".api.hemato.ai")
        names = frozenset({self._host})
        return Settings(self.folder, region if region in EVERYWHERE else "dev", names, wall=self.now)

    def _started(self) -> Service:
        """Return the twin, started if it does not run; in its event loop."""
        if self._service is None:
            self._service = Service(self._settings())
            self._app = application(self._service)
        return self._service

    def restart(self) -> None:
        """Stop it; the next request starts it on the same folder."""
        if self._service is not None:
            self._in_loop(self._stop())

    async def _stop(self) -> None:
        if self._service is not None:
            self._service.close()
        self._service = self._app = None

    def _in_loop(self, work: Any) -> Any:
        """Run a coroutine in the twin's event loop, which is made if there is none, and wait for it."""
        with self._lock:
            if self.home is None:
                self.home = asyncio.new_event_loop()
                self._own_loop = threading.Thread(target=self.home.run_forever, name="twin-service", daemon=True)
                self._own_loop.start()
        return asyncio.run_coroutine_threadsafe(work, self.home).result()

    def close(self) -> None:
        """End the twin, and its event loop if that is its own."""
        if self.home is not None and not self.home.is_closed():
            self.restart()
        if self._own_loop is not None and self.home is not None:
            self.home.call_soon_threadsafe(self.home.stop)
            self._own_loop.join()
            self.home.close()
            self.home = self._own_loop = None

    def database(self) -> Any:
        """Open its database for the calling thread, in a `with` block."""
        return closing(open_database(self.folder, forced=False))

    def change(self, statement: str, values: Iterable[Any] = ()) -> None:
        """Change its database behind its back."""
        with self.database() as connection, transaction(connection):
            connection.execute(statement, tuple(values))

    # Requests

    def process(self, received: Received) -> Answer:
        """Answer one request as the twin does."""
        answer: Answer = self._in_loop(self._process(received))
        return answer

    async def _process(self, received: Received) -> Answer:
        path, _, query = received.target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": received.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), text.encode("latin-1")) for name, text in received.headers.items()],
            "client": ("127.0.0.1", 50_000),
            "server": (self._host, 443),
        }
        messages = [{"type": "http.request", "body": received.body, "more_body": False}]

        async def receive() -> Any:
            return messages.pop() if messages else await asyncio.Event().wait()

        answer = await self._exchange(scope, receive)
        self._note_answer(received, answer)
        return answer

    async def _exchange(self, scope: Any, receive: Any) -> Answer:
        """Have the application answer."""
        service = self._started()
        await self.worker.advance(service, scope["method"], scope["path"])
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [
            (name, self._real_token(service, text) if name == b"authorization" else text)
            for name, text in scope["headers"]
        ]
        await self._app({**scope, "headers": headers}, receive, send)
        given = {name.decode(): text.decode("latin-1") for name, text in sent[0]["headers"]}
        return Answer(sent[0]["status"], given, b"".join(message["body"] for message in sent[1:]))

    def _real_token(self, service: Service, authorization: bytes) -> bytes:
        scheme, _, token = authorization.decode("latin-1").rpartition(" ")
        if token not in self.static_tokens:
            return authorization
        user = service.accounts.user(DEVICE)
        assert user is not None
        return f"{scheme} {service.judge.new_session(user, 'admin')}".strip().encode()

    def _note_answer(self, received: Received, answer: Answer) -> None:
        with self._lock, suppress(KeyError, ValueError):
            document = json.loads(answer.body)
            results, (first, *rest) = document["results"], received.path.strip("/").split("/")
            if (first, rest) == ("auth", ["login"]):
                self.session_tokens.note(results["token"]["HY_APP_AUTH_v1"])
            elif (first, rest, answer.status) == ("pbs", [], 201):
                self.notes.setdefault(results["pbs_study_id"], Notes.of(received, len(self.notes)))
            elif rest[1:] == ["files"]:
                notes = self.notes[rest[0]]
                notes.files[results["file_id"]] = notes.files.get(results["file_id"], 0) + 1
                notes.members[results["file_id"]] = results.get("file_ids", [])
            elif rest[1:] == ["tasks"] and (answer.status == 202 or document["error"] == "study_closed"):
                self.notes[rest[0]].tasks_requested += 1

    # Over sockets

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """Do over ASGI what `respond` does; the application reads a body as it comes."""
        self._started()
        body: list[bytes] = []

        async def heard() -> Any:
            message = await receive()
            body.append(message.get("body", b""))
            return message

        prepared = self.prepared()
        if prepared is None:
            answer = await self._exchange(scope, heard)
            received = _received(scope, body)
            self.note(received)
            self._note_answer(received, answer)
        else:
            while (await heard()).get("more_body"):
                pass
            received = _received(scope, body)
            self.note(received)
            answer = prepared if isinstance(prepared, Answer) else await asyncio.to_thread(prepared, received)
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        raw = [(name.encode(), text.encode("latin-1")) for name, text in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": answer.body})


def _received(scope: Any, body: list[bytes]) -> Received:
    query = scope["query_string"].decode()
    target = scope["raw_path"].decode() + (f"?{query}" if query else "")
    headers = {name.decode(): text.decode("latin-1") for name, text in scope["headers"]}
    return Received(scope["method"], target, headers, b"".join(body))


class TwinServer(Served):
    """A twin behind uvicorn, where the tests of the client expect `tests.api.loopback.LoopbackServer`."""

    def __init__(self, service: TwinService) -> None:
        self.service = service
        self.behaviours: deque[Behaviour] = deque()
        self._faults = FaultInjection(service.asgi, parse_faults(""))
        super().__init__(self._failing, lifespan="off", date_header=False, server_header=False)

    async def _failing(self, scope: Any, receive: Any, send: Any) -> None:
        if self.behaviours:
            asked = HEADER.lower().encode(), BEHAVIOURS[self.behaviours.popleft()].encode()
            scope = {**scope, "headers": [*scope["headers"], asked]}
        await self._faults(scope, receive, send)

    def __enter__(self) -> Self:
        super().__enter__()
        self.service.home = self.loop
        return self

    def __exit__(self, *_: object) -> None:
        self.service.close()
        super().__exit__()
