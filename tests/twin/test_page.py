"""The page of live studies: nothing from elsewhere, nothing put in but text, nothing that its policy forbids."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.twin.page import HEADERS, page

HARNESS = Path(__file__).with_name("page_in_node.mjs")
NODE = shutil.which("node")
HOSTILE = "<img src=x onerror=alert(1)>"
STUDY: dict[str, Any] = {
    "pbs_study_id": "4bb7fe9e-b608-4d68-adbe-8655c991f494",
    "report_status": "processing",
    "progress": 0.25,
    "progress_message": "The images are being read",
    "created": 1_682_945_428.0,
    "files": 3,
    "tasks": ["pbs_v1"],
    "versions": 0,
    "callbacks": [],
}


class Elements(HTMLParser):
    """Every element with its attributes, and the text of those that hold code."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.code: dict[str, str] = {}
        self._inside = ""
        self.feed(page())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 (the library calls it so)
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"}:
            self.code[self._inside] = data


def overview(*studies: dict[str, Any]) -> dict[str, Any]:
    jobs = {"queued": 1, "leased": 2, "done": 3, "failed": 4}
    return {"version": "hemato_lab_twin.9", "region": "eu", "workers": 2, "jobs": jobs, "studies": list(studies)}


def watched(*answers: dict[str, Any]) -> dict[str, Any]:
    """Return what the page asked and showed when it got these answers, one after the other."""
    if NODE is None:
        pytest.skip("there is no node to run the page's script with")
    wish = {"script": Elements().code["script"], "answers": answers}
    done = subprocess.run([NODE, str(HARNESS)], input=json.dumps(wish), capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def answered(*studies: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": overview(*studies)}


def rows(state: dict[str, Any]) -> list[list[str]]:
    """Return the texts of the table, a list a study."""
    return [
        [cell["text"] or "".join(inner["text"] for inner in cell["children"]) for cell in row["children"]]
        for row in state["studies"]["children"]
    ]


def test_nothing_comes_from_elsewhere() -> None:
    for tag, attributes in Elements().elements:
        assert tag not in {"iframe", "object", "embed", "form", "base", "img"}
        for name, value in attributes.items():
            assert not name.startswith("on"), "handlers belong into the script"
            assert name != "style"
            if name in {"src", "href", "action", "srcset"}:
                assert value in {"/openapi.json", "data:,"}
    assert not re.search(r"https?:|//[a-z]|url\(|@import", page().replace("// ", ""))


def test_policy_permits_the_pages_own_code_and_nothing_else() -> None:
    policy = dict(part.split(" ", 1) for part in HEADERS["content-security-policy"].split("; "))
    code = Elements().code
    for directive, tag in (("script-src", "script"), ("style-src", "style")):
        digest = base64.b64encode(sha256(code[tag].encode()).digest()).decode()
        assert policy[directive] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in HEADERS["content-security-policy"]


def test_script_puts_nothing_in_as_markup() -> None:
    script = Elements().code["script"]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function|setAttribute", script)
    assert "textContent" in script


def test_headers_are_fit_to_be_sent() -> None:
    for name, value in HEADERS.items():
        assert re.fullmatch(r"[a-z-]+", name)
        assert re.fullmatch(r"[ -~]+", value)


def test_page_says_what_it_is_not() -> None:
    assert RESEARCH_USE_NOTICE in page()
    assert "not Hemato.AI" in page()


def test_one_script_and_one_style() -> None:
    tags = [tag for tag, _ in Elements().elements]
    assert tags.count("script") == tags.count("style") == tags.count("table") == 1


def test_studies_are_shown() -> None:
    ready = {
        **STUDY,
        "pbs_study_id": "another",
        "report_status": "ready",
        "progress": 1,
        "versions": 2,
        "callbacks": [{"event": "ready 1", "state": "failed", "attempts": 10, "problem": "answered 500"}],
    }
    found = watched(answered(STUDY, ready))
    (state,) = found["states"]
    first, second = rows(state)
    assert first[:8] == [STUDY["pbs_study_id"], "processing", "", "The images are being read", "pbs_v1", "3", "0", ""]
    assert second[1] == "ready"
    assert second[6:8] == ["2", "ready 1: failed (answered 500)"]
    bars = [row["children"][2]["children"][0] for row in state["studies"]["children"]]
    assert [(bar["name"], bar["value"]) for bar in bars] == [("progress", 0.25), ("progress", 1)]
    assert state["server"]["text"] == "hemato_lab_twin.9 as region eu"
    assert state["work"]["text"] == "2 workers; jobs: 1 queued, 2 leased, 3 done, 4 failed"
    assert state["state"]["text"] == "live"
    assert state["none"]["hidden"]


def test_overview_is_asked_for_again_and_again() -> None:
    moved = {**STUDY, "report_status": "ready", "progress": 1.0, "versions": 1}
    found = watched(answered(STUDY), answered(moved), answered())
    assert [address for address, _ in found["asked"]] == ["/_twin/overview"] * 3
    assert [state["wait"] for state in found["states"]] == [1000] * 3
    before, after, gone = found["states"]
    assert rows(before)[0][1] == "processing"
    assert rows(after)[0][1] == "ready"
    assert rows(gone) == []
    assert not gone["none"]["hidden"]


def test_new_studies_come_first() -> None:
    new = {**STUDY, "pbs_study_id": "new"}
    _, state = watched(answered(STUDY), answered(new, STUDY))["states"]
    assert [row[0] for row in rows(state)] == ["new", STUDY["pbs_study_id"]]


@pytest.mark.parametrize(
    "answer", [{"failure": "Failed to fetch"}, {"status": 503, "body": {}}, {"status": 200, "body": {"studies": 1}}]
)
def test_lost_connection_is_told_and_does_not_end_it(answer: dict[str, Any]) -> None:
    live, lost, again = watched(answered(STUDY), answer, answered(STUDY))["states"]
    assert live["state"]["text"] == again["state"]["text"] == "live"
    assert lost["state"]["className"] == "lost"
    assert lost["state"]["text"].startswith("no connection to the twin: ")
    assert len(rows(lost)) == 1  # what was known stays


def test_hostile_values_stay_text() -> None:
    study = {
        **STUDY,
        "pbs_study_id": HOSTILE,
        "report_status": HOSTILE,
        "progress": HOSTILE,
        "progress_message": HOSTILE,
        "tasks": [HOSTILE],
        "files": HOSTILE,
        "callbacks": [{"event": HOSTILE, "state": HOSTILE, "attempts": 1, "problem": HOSTILE}],
    }
    (state,) = watched(answered(study))["states"]  # whatever sets more than text raises in the harness
    (row,) = rows(state)
    assert row[0] == row[1] == row[3] == row[4] == row[5] == HOSTILE
    status = state["studies"]["children"][0]["children"][1]["children"][0]
    assert status["className"] == "status "
    assert state["studies"]["children"][0]["children"][2]["children"][0]["value"] == 0
