"""A twin as the vendor's users know the API: the document's shell commands, tokens made by Node, a script in Python.

All of them are programs of their own that talk to a real ``hemato-lab serve``.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import shutil
import subprocess
import sys
import threading
from hashlib import sha224
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest

import hemato_lab as hl
from hemato_lab.resources import shipped
from tests.twin.described import answer_schema, validator
from tests.twin.registered_token import claims, register
from tests.twin.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PACKAGE = "jsonwebtoken@9.0.2"
NPM_S = 60
FIRST_FIELD = "field_01.jpg"


class Elsewhere:
    """A user's own web server: it has an image to download, and takes callbacks."""

    def __init__(self, image: bytes) -> None:
        self.called: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        elsewhere = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, image)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                elsewhere.called.put((self.path, json.loads(body)))
                self._answer(204, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def needs(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program, path=search_path()) is None]
    if missing:
        pytest.skip(f"this machine has no {', '.join(missing)}")


def search_path() -> str:
    """Return where programs are, those of this environment first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def plain_environment(home: Path) -> dict[str, str]:
    """Return an environment without proxies and without settings of whoever runs the tests."""
    settings = home / "httpie"
    settings.mkdir(exist_ok=True)
    (settings / "config.json").write_text('{"disable_update_warnings": true}')
    return {"PATH": search_path(), "HOME": str(home), "HTTPIE_CONFIG_DIR": str(settings), "LC_ALL": "C.UTF-8"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("twin")
    with Serving(folder, "--allow", "127.0.0.0/8", "--lenient-claims") as running:
        yield running


@pytest.fixture(scope="module")
def image() -> Path:
    return shipped("sample_data") / "malaria" / "images" / FIRST_FIELD


@pytest.fixture
def elsewhere(image: Path) -> Iterator[Elsewhere]:
    with Elsewhere(image.read_bytes()) as running:
        yield running


@pytest.fixture
def answers(serving: Serving, elsewhere: Elsewhere, image: Path, tmp_path: Path) -> dict[str, Any]:
    """What the document's commands were answered, by the command's name."""
    needs("bash", "curl", "http", "openssl", "ssh-keygen", "shasum")
    signing = [sys.executable, str(HERE / "registered_token.py"), str(serving.folder)]
    environment = plain_environment(tmp_path) | {
        "API": serving.url,
        "USER_NAME": serving.access["user"],
        "YOUR_ACTUAL_PASSWORD": serving.access["password"],
        "IMAGE_PATH": str(image),
        "CALLBACK": f"{elsewhere.url}/pbs_report_is_ready",
        "FILE_URL": f"{elsewhere.url}/{FIRST_FIELD}?X-Amz-Signature=12b74b07",
        "SIGN": shlex.join([*signing, serving.access["issuer"], serving.access["user id"]]),
    }
    script = ["bash", str(HERE / "document_commands.sh")]
    done = subprocess.run(  # noqa: S603
        script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "PRIVATE KEY" in (tmp_path / "private_key.txt").read_text()
    assert "PUBLIC KEY" in (tmp_path / "public_key.txt").read_text()
    return {path.stem: json.loads(path.read_bytes()) for path in tmp_path.glob("*.json")}


def test_commands_of_the_vendors_document(
    serving: Serving, elsewhere: Elsewhere, answers: dict[str, Any], image: Path
) -> None:
    expected = {
        "login": ("POST", "/auth/login", 202),
        "hello": ("POST", "/auth/hello", 200),
        "create": ("POST", "/pbs", 201),
        "upload": ("POST", "/pbs/{study_id}/files", 201),
        "tasks": ("POST", "/pbs/{study_id}/tasks", 202),
        "status": ("GET", "/pbs/{study_id}/status", 200),
        "report": ("GET", "/pbs/{study_id}/report", 200),
        "submit": ("POST", "/pbs", 201),
        "heartbeat": ("GET", "/heartbeat", 200),
    }
    for name, answer in answers.items():
        method, path, status = expected[name.partition("_")[0]]
        validator(answer_schema(method, path, status)).validate(answer)
        assert answer.get("status", status) == status, name
    by_both = {name.partition("_")[0] for name in answers if name.endswith("_curl")}
    assert by_both == set(expected) - {"submit", "heartbeat"}

    results = {name: answer.get("results", {}) for name, answer in answers.items()}
    file_id = f"sha224-i-{sha224(image.read_bytes()).hexdigest()}"
    assert results["login_curl"]["user"]["email"] == serving.access["user"]
    assert results["hello_httpie"] == results["hello_curl"]
    assert results["hello_curl"]["sub"] == serving.access["user id"]
    assert results["create_httpie"] != results["create_curl"]
    assert results["upload_httpie"]["file_id"] == results["upload_curl"]["file_id"] == file_id
    assert results["tasks_httpie"]["tasks"] == ["pbs_v1"]
    assert results["status_curl"] == results["status_httpie"]
    assert results["status_curl"]["report_status"] == "ready"
    assert results["report_httpie"] == results["report_curl"]
    study_id = results["create_curl"]["pbs_study_id"]
    assert results["report_curl"]["pbs_study_id"] == study_id
    assert results["report_curl"]["file_ids"] == [file_id]
    expected_report = hl.analyze(hl.open_smear(image)).report.to_dict()
    assert results["report_curl"]["feature_statistics"] == expected_report["feature_statistics"]

    # Every study calls back: each of workflow 1 once, that of workflow 2 twice.
    submitted = results["submit_httpie"]["pbs_study_id"]
    called = [elsewhere.called.get(timeout=120) for _ in range(4)]
    bodies = sorted((path, body["pbs_study_id"], body["report_status"]) for path, body in called)
    path_of = "/pbs_report_is_ready/{}/".format
    assert bodies == sorted(
        [
            ("/pbs_report_is_ready/2", submitted, "queued"),
            ("/pbs_report_is_ready/2", submitted, "ready"),
            (path_of(study_id), study_id, "ready"),
            (path_of(results["create_httpie"]["pbs_study_id"]), results["create_httpie"]["pbs_study_id"], "ready"),
        ]
    )
    callback = validator({"$ref": "#/components/schemas/Callback"})
    for _, body in called:
        callback.validate(body)
        assert body["pbs_stody_id"] == body["pbs_study_id"]


@pytest.fixture(scope="module")
def own_key(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A key pair made as the document says, and the id that it is registered under."""
    needs("openssl", "ssh-keygen")
    folder = tmp_path_factory.mktemp("keys")
    private, public = folder / "jwtRS256.key", folder / "jwtRS256.key.pub"
    make = ["ssh-keygen", "-q", "-t", "rsa", "-b", "4096", "-m", "PEM", "-f", str(private), "-N", ""]
    convert = ["openssl", "rsa", "-in", str(private), "-pubout", "-outform", "PEM", "-out", str(public)]
    for command in (make, convert):
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return private, register(str(serving.folder), serving.access["issuer"], str(public))


def signed(program: str, made: dict[str, Any], key: Path, folder: Path) -> str:
    """Return the token that a program of Node signs."""
    command = ["node", str(folder / program), str(key)]
    done = subprocess.run(  # noqa: S603
        command, input=json.dumps(made), capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_tokens(serving: Serving, program: str, own_key: tuple[Path, str], folder: Path) -> None:
    """See that a token of Node is taken, raw and as Bearer, and one signed for another host is not."""
    private, key_id = own_key
    made = claims(serving.access["issuer"], serving.access["user id"], key_id)
    token = signed(program, made, private, folder)
    with httpx.Client(base_url=serving.url) as client:
        for text in (token, f"Bearer {token}"):
            answer = client.post("/auth/hello", headers={"Authorization": text})
            assert answer.status_code == 200, answer.text
            assert answer.json()["results"] == made
            assert client.post("/pbs", headers={"Authorization": text}).status_code == 201
        other = signed(program, made | {"aud": ["eu.api.hemato.ai"]}, private, folder)
        refused = client.post("/auth/hello", headers={"Authorization": other})
    assert refused.status_code == 401
    assert refused.json()["debug_info"]["reasons"] == ["wrong_audience"]


def test_tokens_of_nodes_own_crypto(serving: Serving, own_key: tuple[Path, str]) -> None:
    needs("node")
    check_tokens(serving, "sign_with_crypto.mjs", own_key, HERE)


def test_tokens_of_jsonwebtoken(serving: Serving, own_key: tuple[Path, str], tmp_path: Path) -> None:
    needs("node", "npm")
    program = shutil.copy(HERE / "sign_with_jsonwebtoken.cjs", tmp_path)
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--fetch-retries=0"]
    command = ["npm", "install", PACKAGE, "--prefix", str(tmp_path), "--cache", str(tmp_path / "cache"), *quiet]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=NPM_S)  # noqa: S603
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not get {PACKAGE} within {NPM_S} s: is there a way to its registry?")
    if done.returncode != 0:
        pytest.skip(f"npm cannot install {PACKAGE}: {done.stderr.strip()[-200:]}")
    check_tokens(serving, Path(program).name, own_key, tmp_path)


def test_script_in_the_later_dialect(serving: Serving, own_key: tuple[Path, str], image: Path) -> None:
    private, key_id = own_key
    script = [sys.executable, str(HERE / "later_dialect_script.py"), serving.url, serving.access["issuer"], key_id]
    done = subprocess.run(  # noqa: S603
        [*script, str(private), str(image)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    file_id = f"sha224-i-{sha224(image.read_bytes()).hexdigest()}"
    assert set(told["heartbeat"]) == {"delta", "heartbeat", "request_timestamp", "version"}
    assert told["hello"]["sub"] == "slide scanner 7"
    assert (told["form"]["status"], told["form"]["error"]) == (400, "multipart_not_supported")
    assert "form" in told["form"]["user_message"]
    assert [upload["file_id"] for upload in told["uploads"]] == [file_id, file_id]
    assert told["tasks"] == [202, {"pbs_study_id": told["report"]["pbs_study_id"], "tasks": ["MALARIA_ANY_ANY"]}]
    assert told["status"]["report_status"] == "ready"
    assert told["other_task"] == 404
    validator({"$ref": "#/components/schemas/TaskReports"}).validate(told["report"])
    report = told["report"]["report"]["MALARIA_ANY_ANY"]
    expected = hl.analyze(hl.open_smear(image, rbc_diameter_px=70.0)).report.extension["parasitaemia"]["infected"]
    assert report["positive_count"] == expected["n"] > 0
    assert report["positive_count"] + report["negative_count"] == expected["n_reference"]
    assert {tile["image_id"] for tile in report["tile_data"]} == {file_id}
    assert told["report"]["pbs_study_id"] == told["status"]["pbs_study_id"]
