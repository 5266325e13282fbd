"""The adapter that has the tests of the client meet the twin: it is the twin, and what is left out is named."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.api.loopback import Behaviour
from tests.api.pictures import jpeg
from tests.twin.not_of_the_twin import REASONS
from tests.twin.twin_service import TwinServer, TwinService

TESTS = Path(__file__).parents[1] / "api"
TOKEN = "a-token"  # noqa: S105 (made up)


def test_what_is_left_out_exists() -> None:
    """A name that no test has would hide that the table is out of date."""
    defined = {
        name
        for path in TESTS.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert set(REASONS) <= defined
    assert all(len(reason.split()) > 5 for reason in REASONS.values())


def test_the_twin_itself_answers(tmp_path: Path) -> None:
    service = TwinService(tmp_path, host="127.0.0.1", static_tokens={TOKEN})
    with TwinServer(service) as server, httpx.Client(base_url=server.url, headers={"authorization": TOKEN}) as http:
        made = http.post("/pbs", json={"tags": {"batch": "7"}})
        assert (made.status_code, made.headers["server"]) == (201, "hemato-lab-twin")
        study_id = made.json()["results"]["pbs_study_id"]
        refused = http.post(f"/pbs/{study_id}/files?file_name=a.jpg", content=b"\xff\xd8\xff no picture")
        assert (refused.status_code, refused.json()["error"]) == (400, "bad_image")
        assert http.post(f"/pbs/{study_id}/files?file_name=a.jpg", content=jpeg()).status_code == 201
        assert http.get(f"/pbs/{study_id}/status", headers={"authorization": "another"}).status_code == 401
        (study,) = service.studies.values()
        assert (study.study_id, study.tags, len(study.files)) == (study_id, {"batch": "7"}, 1)
    assert len(list(tmp_path.rglob("sha224-i-*"))) == 1, "in its store"
    assert [one.method for one in service.received] == ["POST", "POST", "POST", "GET"]


def test_its_failures_stand_for_those_of_sockets(tmp_path: Path) -> None:
    service = TwinService(tmp_path, host="127.0.0.1", static_tokens={TOKEN})
    with TwinServer(service) as server:
        server.behaviours.extend([Behaviour.RESET_AFTER_PROCESSING, Behaviour.TRUNCATE_BODY])
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.post(f"{server.url}/pbs", headers={"authorization": TOKEN}, trust_env=False)
        assert len(service.studies) == 2, "processed, and the answers lost"
