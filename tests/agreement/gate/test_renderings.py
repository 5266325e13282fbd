"""The result as JUnit XML and as Markdown."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from markdown_it import MarkdownIt

from hemato_lab.agreement.gate import junit, markdown
from hemato_lab.agreement.gate.judging import judge
from hemato_lab.agreement.gate.model import GateResult, PairedMetric, PairedMetrics
from hemato_lab.agreement.gate.plain import one_line, plain
from hemato_lab.agreement.gate.settings import GateSettings, Rule
from hemato_lab.report import RESEARCH_USE_NOTICE

LIVE = "https://evil.example/x @octocat #12 www.evil.example a@b.example deadbeefdeadbeef owner/project#1 GH-1 ![x](y)"
HOSTILE = "<b>|\x00\x1b[31m`*_\ud800]]>&\"'"


def result(undecided: str = "fail", name: str = "rbc-density") -> GateResult:
    before = np.full(30, 5000.0)
    metrics = [
        ("same", before, before, 30),
        (name, before, before * 0.97, 30),
        ("rare", before, before + np.tile([-150.0, 100, 50], 10), 3),
    ]
    made = tuple(
        PairedMetric(one, "/mm2", smears := tuple(map(str, range(size))), smears, a[:size], b[:size], np.ones(size))
        for one, a, b, size in metrics
    )
    settings = GateSettings(metric=(Rule(match="*", relative=0.02),), undecided=undecided)
    return judge(PairedMetrics(("old run", HOSTILE), made, remarks=(f"1 smear failed: {HOSTILE}.",)), settings)


def cases(document: bytes) -> dict[str, ET.Element]:
    return {case.attrib["name"]: case for case in ET.fromstring(document).iter("testcase")}  # noqa: S314 (our own)


def test_every_metric_is_a_test_and_what_fails_says_why():
    found = cases(junit.render(result()))
    assert list(found) == ["rbc-density", "rare", "same"]
    failure = found["rbc-density"].find("failure")
    assert failure.attrib["type"] == "fail"
    assert "fell by 3 %, from 5000 /mm2 to 4850 /mm2" in failure.attrib["message"]
    assert found["rare"].find("failure").attrib["type"] == "undecided"
    assert found["same"].find("failure") is None


@pytest.mark.parametrize(("undecided", "failures", "skipped"), [("fail", "2", "0"), ("pass", "1", "1")])
def test_totals_are_those_of_the_cases(undecided: str, failures: str, skipped: str):
    suites = ET.fromstring(junit.render(result(undecided)))  # noqa: S314 (our own)
    for counted in (suites, suites.find("testsuite")):
        totals = {key: counted.attrib[key] for key in ("tests", "failures", "errors", "skipped")}
        assert totals == {"tests": "3", "failures": failures, "errors": "0", "skipped": skipped}
    assert len(list(suites.iter("failure"))) == int(failures)
    assert len(list(suites.iter("skipped"))) == int(skipped)


def test_the_xml_has_notice_runs_and_settings():
    suites = ET.fromstring(junit.render(result()))  # noqa: S314 (our own)
    properties = {one.attrib["name"]: one.attrib["value"] for one in suites.iter("property")}
    assert properties["notice"] == RESEARCH_USE_NOTICE
    assert (properties["baseline"], properties["confidence"]) == ("old run", "0.95")
    assert "stays shut" in suites.find("testsuite/system-out").text


def test_any_name_is_valid_in_both():
    shown = cases(junit.render(result(name=HOSTILE)))
    assert "<b>|\ufffd\ufffd[31m`*_\ufffd]]>&\"'" in shown
    rows = [line for line in markdown.render(result(name=HOSTILE)).decode().splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") == len(markdown.HEAD) + 1 for line in rows)


@pytest.mark.parametrize("name", [HOSTILE, LIVE, "``a` b``", "`", "```", "a|b", "\\|`", "- [x] y", "\n# head\n"])
def test_text_from_outside_is_code_in_which_nothing_is_live(name: str):
    page = markdown.render(replace(result(name=name), labels=(name, name))).decode()
    shown, rest = [], []
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(page):
        assert token.type != "html_block"
        for part in token.children or ():
            (shown if part.type == "code_inline" else rest).append(part)
    assert {part.type for part in rest} <= {"text", "strong_open", "strong_close", "softbreak"}
    own = " ".join(part.content for part in rest)
    assert not set("@#`<>|[]") & set(own)
    assert "://" not in own
    assert one_line(name) in [part.content for part in shown]


def test_nothing_acts_on_a_terminal_or_turns_the_writing():
    acting = "a\x1b[2J\x9b\x07\r\u202eb\u2066\u2028c\x7f"
    for render in (markdown.render, junit.render):
        assert not set(acting[1:]) - set("[2Jbc") & set(render(result(name=acting)).decode())
    assert plain("a\tb\nc\r\nd") == "a\tb\nc\nd"
    assert one_line(" a\n b\x1b") == "a b\ufffd"


def test_what_the_settings_ignore_is_a_test_that_was_skipped():
    ignoring = replace(result(), not_judged=("matched", LIVE))
    found = cases(junit.render(ignoring))
    assert found["matched"].find("skipped").attrib["message"] == "not judged: the settings ignore it"
    suite = ET.fromstring(junit.render(ignoring)).find("testsuite")  # noqa: S314 (our own)
    assert (suite.attrib["tests"], suite.attrib["skipped"], suite.attrib["failures"]) == ("5", "2", "2")
    assert len(found) == 5


def test_the_page_says_what_why_and_how():
    page = markdown.render(result()).decode()
    assert "**The gate stays shut: 1 of 3 metrics pass, 1 fails, 1 undecided.**" in page
    assert page.index("## Fails") < page.index("## Undecided") < page.index("## All metrics") < page.index("## Remarks")
    assert (
        "| `rbc-density` | fail | `5000 /mm2` | `4850 /mm2` | `−3 %` | `−3 to −3 %` | `2 % either way` | 30 |" in page
    )
    assert "The ids of smears are on this page" in page
    assert "95 % limits from 2000 paired resamples" in page
    assert "keeps the gate shut" in page
    assert "passes." in markdown.render(result("pass")).decode().splitlines()[-3]
    assert page.rstrip().endswith(RESEARCH_USE_NOTICE)


@pytest.mark.parametrize("render", [markdown.render, junit.render])
def test_the_bytes_depend_on_the_result_alone(render):
    """In other processes, in which text has other hashes, at other times and places."""
    code = (
        "import sys; from tests.agreement.gate.test_renderings import result;"
        f" from hemato_lab.agreement.gate import {render.__module__.rsplit('.', 1)[1]} as module;"
        " sys.stdout.buffer.write(module.render(result()))"
    )
    for hashes, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        environment = {**os.environ, "PYTHONHASHSEED": hashes, "TZ": zone}
        ran = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)  # noqa: S603
        assert ran.stdout == render(result())
    assert render(result(name="other")) != render(result())
    assert render(result("pass")) != render(result())
