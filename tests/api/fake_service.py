"""The Hemato.AI API as api/DECISIONS.md reads it, in memory and without a transport."""

from __future__ import annotations

import random
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hemato_lab.formats.stored import file_id_of
from tests.api.fake_bodies import (
    Refusal,
    accepts_json,
    diameter_of,
    file_type_of,
    list_file_urls,
    members_of,
    parsed,
    tags_of,
    tasks_of,
)
from tests.api.fake_credentials import Credentials, Verdict
from tests.api.fake_reports import documented_report, later_report
from tests.api.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.recording import Answer, Received

ROUTES = {
    r"/auth/login": {"POST": "login"},
    r"/auth/hello": {"POST": "hello", "GET": "hello"},
    r"/heartbeat": {"GET": "heartbeat"},
    r"/teapot": {"GET": "teapot"},
    r"/pbs": {"POST": "create"},
    r"/pbs/([^/]+)/files": {"POST": "upload"},
    r"/pbs/([^/]+)/tasks": {"POST": "request_tasks"},
    r"/pbs/([^/]+)/status(?:/([^/]+))?": {"GET": "status"},
    r"/pbs/([^/]+)/report": {"GET": "report"},
    r"/pbs/([^/]+)/reports/([^/]+)": {"GET": "task_report"},
}
COMPILED = [(re.compile(path), methods) for path, methods in ROUTES.items()]
OPEN_TO_ALL = {"login", "hello", "heartbeat", "teapot"}
WORDS = {
    "open": "Waiting for files",
    "queued": "Waiting for its turn",
    "processing": "The images are being read",
    "ready": "Reports are ready",
    "failed": "The study failed",
}


@dataclass
class StoredFile:
    """One uploaded file: its length, how often it came, and what it holds if it is an archive."""

    length: int
    members: list[str] = field(default_factory=list)
    received: int = 0


@dataclass
class Study:
    """Everything the service knows of a study.

    Attributes
    ----------
    order : int
        0 for the first study that was created.
    tasks_requested : int
        Well-formed requests for tasks, those refused as ``study_closed`` among them.
    status_reads : int
        Since its tasks were requested.
    versions : int
        Revisions of its report.
    """

    study_id: str
    order: int
    tags: dict[str, str]
    request_id: str
    idempotency_key: str
    files: dict[str, StoredFile] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)
    tasks_requested: int = 0
    status_reads: int = 0
    versions: int = 1
    rbc_diameter: float | None = None
    callback_url: str = ""

    @property
    def file_ids(self) -> list[str]:
        """Ids of all images: the members stand for their archive."""
        return list(dict.fromkeys(one for key, stored in self.files.items() for one in (stored.members or [key])))


class FakeService(Recording):
    """The service in memory; see `Recording`."""

    word_for_open = "open"
    version = "test_double.1"
    subject = "static"

    def __init__(
        self,
        *,
        host: str = "dev.api.hemato.ai",
        users: Mapping[str, str] | None = None,
        keys: Mapping[str, str] | None = None,
        static_tokens: set[str] | None = None,
        wall_clock: Callable[[], float] = time.time,
        polls_until_ready: int = 2,
        fail_studies: bool = False,
        honour_idempotency_key: bool = False,
        dialect_2024: bool = False,
        explain_refusals: bool = False,
        record: bool = True,
        keep_bodies: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(wall_clock=wall_clock, record=record, keep_bodies=keep_bodies)
        self.polls_until_ready = polls_until_ready
        self.fail_studies = fail_studies
        self.honour_idempotency_key = honour_idempotency_key
        self.dialect_2024 = dialect_2024
        self.explain_refusals = explain_refusals  # else only /auth/hello says why a token is refused
        self.studies: dict[str, Study] = {}
        self.uploaded_bytes: dict[str, bytes] = {}
        self._chance = random.Random(seed)  # noqa: S311 (repeatable, not secret)
        self.credentials = Credentials(
            host, self.now, self._chance, dict(users or {}), dict(keys or {}), set(static_tokens or ())
        )
        self._by_idempotency_key: dict[str, Answer] = {}

    @property
    def host(self) -> str:
        """What the audience of a token has to be."""
        return self.credentials.host

    @host.setter
    def host(self, host: str) -> None:
        self.credentials.host = host

    @property
    def keys(self) -> dict[str, str]:
        """Registered public keys by id."""
        return self.credentials.keys

    @property
    def users(self) -> dict[str, str]:
        """E-mail addresses and the SHA-256 of their passwords."""
        return self.credentials.users

    @property
    def static_tokens(self) -> set[str]:
        """Tokens accepted for ever."""
        return self.credentials.static_tokens

    @property
    def session_tokens(self) -> dict[str, tuple[str, float]]:
        """Tokens of logins; clear them to revoke all."""
        return self.credentials.session_tokens

    def process(self, received: Received) -> Answer:
        """Answer one request as the documents say."""
        try:
            return self._dispatch(received)
        except Refusal as refusal:
            return self.error(refusal.status, refusal.code, refusal.debug_info, refusal.headers)

    def _dispatch(self, received: Received) -> Answer:
        matches = ((pattern.fullmatch(received.path), methods) for pattern, methods in COMPILED)
        found, methods = next(((match, methods) for match, methods in matches if match), (None, {}))
        if found is None:
            raise Refusal("not_found", 404)
        if received.method not in methods:
            raise Refusal("method_not_allowed", 405, headers={"allow": ", ".join(sorted(methods))})
        if not accepts_json(received.headers.get("accept", "*/*")):
            raise Refusal("not_acceptable", 406)
        name = methods[received.method]
        if name not in OPEN_TO_ALL:
            self._refuse_strangers(received)
        parts = [unquote(part) for part in found.groups() if part is not None]
        return getattr(self, f"_{name}")(received, *parts)  # type: ignore[no-any-return]

    def _verdict(self, received: Received) -> Verdict:
        with self._lock:
            return self.credentials.judge(received.headers.get("authorization", ""))

    def _refuse_strangers(self, received: Received) -> None:
        reasons = self._verdict(received).reasons
        if reasons:
            raise Refusal(reasons[0] if self.explain_refusals else "unauthorized", 401)

    def _login(self, received: Received) -> Answer:
        body = parsed(received.body)
        user, secret = body.get("user"), body.get("pass_hash")
        if not isinstance(user, str) or not isinstance(secret, str) or not re.fullmatch("[0-9a-f]{64}", secret):
            raise Refusal("bad_request")
        if self.users.get(user) != secret:
            raise Refusal("bad_credentials", 401)
        with self._lock:
            token = self.credentials.new_session(user)
        person = {"email": user, "id": str(uuid.uuid5(uuid.NAMESPACE_URL, user)), "user_name": user}
        person["screen_name"] = user.partition("@")[0]
        stamp = str(int(self.now() * 1_000_000_000))
        return self.success(202, {"login_timestamp": stamp, "token": {"HY_APP_AUTH_v1": token}, "user": person})

    def _hello(self, received: Received) -> Answer:
        verdict = self._verdict(received)
        if verdict.reasons:
            raise Refusal(verdict.reasons[0], 401, {"reasons": verdict.reasons})
        return self.success(200, verdict.claims)

    def _heartbeat(self, _received: Received) -> Answer:
        document = {
            "delta": "59.078µs",
            "heartbeat": "a7ef8fba741237f693c3",
            "request_timestamp": int(self.now()),
            "version": self.version,
        }
        return self.success(200, document) if self.dialect_2024 else self._plain(200, document)

    def _teapot(self, _received: Received) -> Answer:
        raise Refusal("teapot", 418)

    def _create(self, received: Received) -> Answer:
        key = received.headers.get("idempotency-key", "")
        with self._lock:
            if self.honour_idempotency_key and key in self._by_idempotency_key:
                return self._by_idempotency_key[key]
            answer = self._create_from(parsed(received.body), received.headers.get("x-request-id", ""), key)
            if key:
                self._by_idempotency_key[key] = answer
            return answer

    def _create_from(self, body: dict[str, Any], request_id: str, key: str) -> Answer:
        urls = list_file_urls(body)
        tasks = tasks_of(body) if urls else []
        tags = {} if urls else tags_of(body)
        study_id = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        study = Study(study_id, len(self.studies), tags, request_id, key, tasks=tasks)
        results: dict[str, Any] = {"pbs_study_id": study_id}
        if urls:
            study.tasks_requested = 1
            study.callback_url = str(body.get("callback_url") or "")
            study.files = {file_id_of(url.encode()): StoredFile(0) for url in urls}
            results["file_ids"] = list(study.files)
        self.studies[study_id] = study
        return self.success(201, results)

    def _study(self, study_id: str) -> Study:
        try:
            return self.studies[study_id]
        except KeyError:
            raise Refusal("not_found", 404) from None

    def _upload(self, received: Received, study_id: str) -> Answer:
        study = self._study(study_id)
        query = received.query
        kind = file_type_of(received.headers.get("content-type", ""), query, received.body)
        diameter = diameter_of(query.get("rbc_diameter"))
        members = members_of(received.body) if kind == "zip" else []
        file_id = file_id_of(received.body)
        with self._lock:
            if study.tasks:
                raise Refusal("study_closed")
            study.files.setdefault(file_id, StoredFile(len(received.body), members)).received += 1
            study.rbc_diameter = diameter or study.rbc_diameter
            if self.keep_bodies:
                self.uploaded_bytes[file_id] = received.body
        results: dict[str, Any] = {"pbs_study_id": study_id, "file_id": file_id}
        return self.success(201, results | ({"file_ids": members} if kind == "zip" else {}))

    def _request_tasks(self, received: Received, study_id: str) -> Answer:
        study = self._study(study_id)
        body = parsed(received.body)
        tasks = tasks_of(body)
        with self._lock:
            study.tasks_requested += 1
            if study.tasks:
                raise Refusal("study_closed")
            study.tasks = tasks
            study.callback_url = str(body.get("callback_url") or "")
        return self.success(202, {"pbs_study_id": study_id, "tasks": tasks})

    def stage(self, study: Study) -> tuple[str, float]:
        """Return the status of a study and its progress, without counting as a read."""
        if not study.tasks:
            return "open", 0.0
        if study.status_reads >= self.polls_until_ready:
            return ("failed", 1.0) if self.fail_studies else ("ready", 1.0)
        return ("processing" if study.status_reads else "queued"), study.status_reads / self.polls_until_ready

    def _status(self, _received: Received, study_id: str, task: str | None = None) -> Answer:
        study = self._study(study_id)
        with self._lock:
            if task is not None and task not in study.tasks:
                raise Refusal("not_found", 404)
            status, progress = self.stage(study)
            study.status_reads += bool(study.tasks)
        results = {"pbs_study_id": study_id, "report_status": status, "progress": progress}
        return self.success(200, results | {"progress_message": WORDS[status]})

    def _ready(self, study_id: str) -> Study:
        study = self._study(study_id)
        status, progress = self.stage(study)
        if status != "ready":
            raise Refusal("report_not_ready", 404, {"report_status": status, "progress": progress})
        return study

    def _report(self, received: Received, study_id: str) -> Answer:
        study = self._ready(study_id)
        text = received.query.get("version", str(study.versions))
        if not re.fullmatch("[1-9][0-9]{0,8}", text):
            raise Refusal("bad_version")
        if int(text) > study.versions:
            raise Refusal("not_found", 404)
        return self.success(200, documented_report(study_id, study.file_ids, int(text)))

    def _task_report(self, _received: Received, study_id: str, task: str) -> Answer:
        study = self._study(study_id)
        if task not in study.tasks:
            raise Refusal("not_found", 404)
        return self.success(200, later_report(study_id, self._ready(study_id).file_ids, task))
