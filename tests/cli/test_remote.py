"""``hemato-lab remote`` against a server on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hemato_lab.api import Journal, Policy
from hemato_lab.report import RESEARCH_USE_NOTICE
from tests.api.fake_service import FakeService
from tests.api.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "token-of-the-command-line"  # noqa: S105 (made up)
PASSWORD = "correct horse"  # noqa: S105 (made up)


@pytest.fixture
def service() -> FakeService:
    users = {"ali@example.com": hashlib.sha256(PASSWORD.encode()).hexdigest()}
    return FakeService(users=users, static_tokens={TOKEN}, polls_until_ready=1)


@pytest.fixture
def server(service: FakeService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LoopbackServer]:
    """A server that the environment names, with credentials, and a home of its own for the journal."""
    with LoopbackServer(service) as started:
        monkeypatch.setenv("HEMATO_LAB_BASE_URL", started.url)
        monkeypatch.setenv("HEMATO_LAB_TOKEN", TOKEN)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
        monkeypatch.chdir(tmp_path)
        yield started


@pytest.fixture
def images(tmp_path: Path, photograph: bytes) -> Path:
    folder = tmp_path / "smear"
    folder.mkdir()
    for number in range(3):
        (folder / f"field_{number}.jpg").write_bytes(photograph + bytes([number]))
    return folder


def test_run_uploads_waits_and_writes_the_report(command, server, service, images) -> None:
    done = command("remote", "run", images, "--tag", "batch=7", "--tag", "stain=Giemsa")
    assert done.code == 0, done.err
    (study,) = service.studies.values()
    assert study.tags == {"batch": "7", "stain": "Giemsa"}
    assert len(study.files) == 3
    written = json.loads(Path("hemato_lab_out/smear_remote/report.json").read_text())
    assert written["results"]["pbs_study_id"] == study.study_id
    assert RESEARCH_USE_NOTICE in done.out
    assert RESEARCH_USE_NOTICE in Path("hemato_lab_out/smear_remote/NOTICE.txt").read_text()
    assert all(word in done.out for word in (study.study_id, "rbc-density", "ring trophozoite", "B50"))


def test_the_same_run_fetches_its_report_again_and_fresh_makes_a_new_one(command, server, service, images) -> None:
    assert command("remote", "run", images).code == 0
    again = command("remote", "run", images, "--json")
    assert len(service.studies) == 1
    assert json.loads(again.out)["results"]["pbs_study_id"] in service.studies
    assert command("remote", "run", images, "--fresh", "--out", "elsewhere").code == 0
    assert len(service.studies) == 2
    assert Path("elsewhere/report.json").exists()


def test_submit_status_and_report_in_three_commands(command, server, service, images) -> None:
    study = command("remote", "submit", images, "--zip-above", "0.001").out.strip()
    assert [stored.members != [] for stored in service.studies[study].files.values()] == [True]
    early = command("remote", "report", study)
    assert (early.code, early.out) == (9, "")
    assert "there is no report yet" in early.err
    assert "queued" in command("remote", "status", study).out
    late = command("remote", "report", study, "--wait", "30", "--out", "report.json", "--json")
    assert late.code == 0, late.err
    assert json.loads(late.out) == json.loads(Path("report.json").read_text())
    assert RESEARCH_USE_NOTICE in late.err
    status = json.loads(command("remote", "status", study, "--json").out)
    assert status["results"]["report_status"] == "ready"


def test_submit_has_the_service_download_a_list(command, server, service, monkeypatch) -> None:
    monkeypatch.setattr(
        sys, "stdin", io.StringIO("https://example.com/samples/1/files.json?X-Amz-Signature=abcdef12\n")
    )
    done = command("remote", "submit", "--list-url", "-", "--json")
    assert json.loads(done.out)["pbs_study_id"] in service.studies
    assert json.loads(service.received[-1].body)["tasks"] == ["pbs_v1"]
    document = {"peripheral_blood_sample_id": "xyz", "files": ["https://example.com/a.png"]}
    Path("list.json").write_text(json.dumps(document))
    assert command("remote", "submit", "--list-file", "list.json").out.strip() in service.studies
    assert json.loads(service.received[-1].body)["peripheral_blood_sample_id"] == "xyz"
    assert "abcdef12" not in Journal.of_user().path.read_bytes().decode("latin-1")


@pytest.mark.parametrize("arguments", [[], ["a.jpg", "--list-url", "https://example.com/"]])
def test_submit_takes_one_source(command, server, arguments) -> None:
    done = command("remote", "submit", *arguments)
    assert (done.code, "give files to upload" in done.err) == (2, True)


def test_studies_lists_what_was_made_here(command, server, images) -> None:
    assert "none" in command("remote", "studies").out
    command("remote", "run", images, "--tag", "batch=7")
    assert "batch=7" in command("remote", "studies").out
    assert len(json.loads(command("remote", "studies", "--tag", "batch=7", "--json").out)) == 1
    assert json.loads(command("remote", "studies", "--tag", "batch=8", "--json").out) == []
    assert "none" in command("remote", "studies", "--orphans").out


def test_login_keeps_a_session_and_logout_ends_it(command, server, service, monkeypatch) -> None:
    monkeypatch.delenv("HEMATO_LAB_TOKEN")
    without = command("remote", "hello")
    assert (without.code, "remote login" in without.err) == (2, True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    done = command("remote", "login", "ali@example.com", "--password-stdin")
    assert done.code == 0, done.err
    assert "logged in" in done.out
    (token,) = service.session_tokens
    assert token not in done.out + done.err
    assert command("remote", "hello").code == 0
    assert "forgot" in command("remote", "logout").out
    assert command("remote", "hello").code == 2


def test_a_wrong_password_is_told(command, server, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("wrong\n"))
    done = command("remote", "login", "ali@example.com", "--password-stdin")
    assert done.code == 8
    assert "user and password" in done.err


def test_hello_says_why_not(command, server, monkeypatch) -> None:
    assert command("remote", "hello").out.startswith("The token is accepted.")
    monkeypatch.setenv("HEMATO_LAB_TOKEN", "another")
    refused = command("remote", "hello")
    assert refused.code == 1
    assert refused.out.startswith("The token is refused: ")
    assert json.loads(command("remote", "hello", "--json").out)["status"] == 401


def test_a_key_signs_in(command, server, service, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("HEMATO_LAB_TOKEN")
    assert command("remote", "keygen", "key.pem").code == 0
    service.host = "127.0.0.1"
    service.keys["key-1"] = (tmp_path / "key.pem.pub").read_text()
    names = ("--issuer", "lab.example.org", "--user-id", "user-1")
    accepted = command("remote", "hello", "--key", "key.pem", *names, "--kid", "key-1")
    assert accepted.code == 0, accepted.out + accepted.err
    assert command("remote", "hello", "--key", "key.pem", *names, "--kid", "key-2").code == 1
    incomplete = command("remote", "hello", "--key", "key.pem", *names)
    assert (incomplete.code, "--kid" in incomplete.err) == (2, True)
    assert "not replaced" in command("remote", "keygen", "key.pem").err


@pytest.fixture
def impatient(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> LoopbackServer:
    """The server, and clients that try once."""
    monkeypatch.setattr(Policy, "tries_left", lambda *_: False)
    return server


def test_heartbeat_needs_no_credentials(command, server, monkeypatch) -> None:
    monkeypatch.delenv("HEMATO_LAB_TOKEN")
    assert "a7ef8fba741237f693c3" in command("remote", "heartbeat").out
    assert json.loads(command("remote", "heartbeat", "--json").out)["heartbeat"] == "a7ef8fba741237f693c3"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--region", "mars"], 2, "is no region"),
        (["--base-url", "http://example.com"], 2, "plain http to example.com is refused"),
        (["--base-url", "http://127.0.0.1:9"], 7, "no connection could be made"),
        (["--dialect", "klingon"], 2, "is no dialect"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(command, impatient, arguments, code, words) -> None:
    done = command("remote", "heartbeat", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert len(done.err.splitlines()) == 1


def test_without_a_region_nothing_is_sent(command, server, monkeypatch) -> None:
    monkeypatch.delenv("HEMATO_LAB_BASE_URL")
    done = command("remote", "heartbeat")
    assert (done.code, "there is no default" in done.err) == (2, True)


def test_an_interrupt_is_told_and_the_same_command_goes_on(command, server, service, images, monkeypatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hemato_lab.api.waiting.Waiting.wait", interrupted)
        stopped = command("remote", "run", images)
    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err.endswith("hemato-lab: stopped\n")
    assert command("remote", "run", images).code == 0
    assert len(service.studies) == 1


def test_two_submissions_of_the_same_files_are_one_study(command, server, service, images) -> None:
    assert command("remote", "submit", images).out == command("remote", "submit", images).out
    assert command("remote", "submit", images, "--fresh").code == 0
    assert len(service.studies) == 2


def test_a_region_that_is_named_wins_over_the_address_of_the_environment(command, server, monkeypatch) -> None:
    done = command("remote", "hello", "--region", "nowhere")
    assert (done.code, "is no region" in done.err) == (2, True)


def test_warnings_are_one_line(command, server, service, images) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        done = command("remote", "run", images, "--tag", "patient_name=Jane Doe")
    assert done.code == 0
    warned = [line for line in done.err.splitlines() if "warning" in line]
    assert len(warned) == 1
    assert "Jane" not in done.err
    assert "--tag" in command("remote", "run", images, "--tag", "a=1", "--tag", "a=2").err


def test_an_orphan_is_settled(command, server, service) -> None:
    with Journal.of_user() as journal:
        journal.begin_try("lost", server.url, run_key="", idempotency_key="", workflow=1, now=0.0)
    assert "lost" in command("remote", "studies", "--orphans").out
    assert "none" in command("remote", "studies", "--orphans", "--settle", "lost").out
    assert command("remote", "studies", "--settle", "lost").code == 2
