"""A twin with studies in every state, for requests at random: nothing is downloaded, called or analysed meanwhile."""

from __future__ import annotations

import io
import time
import uuid
import zipfile
from contextlib import ExitStack, closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import jwt
import pytest
import requests

from hemato_lab.resources import shipped
from hemato_lab.twin import jobs, server, studies
from hemato_lab.twin.database import open_database, transaction
from hemato_lab.twin.service import Settings
from hemato_lab.twin.worker import work_on
from tests.twin.conftest import image_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.twin.service import Service

TASKS = ["pbs_v1", "MALARIA_ANY_ANY"]
LIST = {"files": ["https://files.example/1.png"], "tasks": ["pbs_v1"], "tags": {"batch_id": "7"}}


class NoErrands:
    """Downloads nothing and calls nobody: the requests name hosts that are none of ours."""

    def __init__(self, service: Service) -> None:
        pass

    def stop(self, wait_s: float) -> None:
        pass


class FuzzedTwin:
    """A running twin and all that is known of it.

    Attributes
    ----------
    closed : list of str
        Ids of studies that are queued, analysed, failed, and to be downloaded.
    tokens : dict
        Values of the header Authorization, by what they are.
    """

    def __init__(self, folder: Path, *, prepared: bool = True) -> None:
        self._folder = folder
        self._prepared = prepared
        self._opened = ExitStack()
        self.session = requests.Session()
        self.session.trust_env = False

    def __enter__(self) -> Self:
        patch = self._opened.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(server, "Errands", NoErrands)
        self._server = self._opened.enter_context(server.Server(Settings(self._folder), workers=0))
        self._opened.enter_context(self.session)
        self.url = self._server.url
        self.tokens = self._tokens()
        self.closed = self._closed_studies() if self._prepared else []
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def credentials(self) -> dict[str, str]:
        """What logs in."""
        first = self._server.first
        assert first is not None
        return {"user": first.email, "pass_hash": sha256(first.password.encode()).hexdigest()}

    def _tokens(self) -> dict[str, str]:
        valid, service = self._signed(), self._server.service
        assert service is not None
        assert self._server.first is not None
        with closing(open_database(self._folder)) as connection:
            user = service.accounts.__class__(connection).user(self._server.first.user_id)
        assert user is not None
        return {
            "valid": valid,
            "bearer": f"Bearer {valid}",
            "session": service.judge.new_session(user, "user"),
            "device": self._signed(role="device"),
            "expired": self._signed(iat=1_600_000_000),
            "elsewhere": self._signed(aud="eu.api.hemato.ai"),
            "unsigned": valid.rpartition(".")[0] + ".",
            "garbage": "Bearer ..;,=",
            "none": "",
        }

    def _signed(self, **changes: Any) -> str:
        first, now = self._server.first, int(time.time())
        assert first is not None
        claims: dict[str, Any] = {
            "jti": str(uuid.uuid4()),
            "iss": first.issuer,
            "iat": now,
            "exp": now + 3600,
            "aud": ["127.0.0.1"],
            "sub": first.user_id,
            "role": "admin",
            "kid": first.key_id,
        }
        return jwt.encode(claims | changes, first.private_key.read_bytes(), "RS256")

    def post(self, path: str, **options: Any) -> Any:
        """Return the results of a request that has to succeed."""
        headers = {"Authorization": self.tokens["valid"], **options.pop("headers", {})}
        answer = self.session.post(f"{self.url}{path}", headers=headers, timeout=60, **options)
        assert answer.ok, answer.text
        return answer.json()["results"]

    def open_study(self, content: bytes = b"") -> str:
        """Return the id of a study that takes files, and has one."""
        study_id: str = self.post("/pbs", json={"tags": {"batch_id": "7"}})["pbs_study_id"]
        self.post(f"/pbs/{study_id}/files?file_name=1.png", data=content or image_bytes(1))
        return study_id

    def _closed_studies(self) -> list[str]:
        field = (shipped("sample_data") / "malaria" / "images" / "field_01.jpg").read_bytes()
        jpeg = {"Content-Type": "image/jpeg"}
        ready: str = self.post("/pbs", json={"tags": {"batch_id": "8"}})["pbs_study_id"]
        self.post(f"/pbs/{ready}/files", data=field, headers=jpeg)
        failed, queued = self.open_study(), self.open_study()
        for study_id in (ready, failed, queued):
            self.post(f"/pbs/{study_id}/tasks", json={"tasks": TASKS})
        with closing(open_database(self._folder)) as connection:
            for study_id in (ready, failed):
                with transaction(connection):
                    job = jobs.lease(connection, "analyse", "a worker", time.time())
                assert job is not None
                assert job.study_id == study_id
                if study_id == ready:
                    work_on(self._folder, connection, job)
                else:
                    with transaction(connection):
                        jobs.fail(connection, job, "The image is no smear", time.time())
            found = studies.study_by_id(connection, ready)
            assert found is not None
            assert found.state == "ready", found.message
        return [ready, failed, queued, self.post("/pbs", json=LIST)["pbs_study_id"]]


def zipped(*contents: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.png", content)
    return stream.getvalue()


def uploads() -> list[bytes]:
    """Return files that may be uploaded, sound ones and others."""
    png, jpeg = image_bytes(2), image_bytes(3, kind="JPEG")
    archive = zipped(png, image_bytes(4))
    return [png, jpeg, archive, png[:40], jpeg[:-10], archive[:-5], zipped(), zipped(b"no image"), b"", b"GIF89a"]
