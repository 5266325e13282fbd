"""The result as JUnit XML, which every service for continuous integration shows: one test a metric.

Metrics that the settings ignore are tests that were skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from hemato_lab.agreement.gate.model import FAIL, PASS, UNDECIDED
from hemato_lab.agreement.gate.plain import plain
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.agreement.gate.model import GateResult, MetricVerdict

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SUITE: Final = "hemato-lab gate"


def render(result: GateResult) -> bytes:
    """Return the XML in UTF-8: metrics that are undecided fail, or are skipped where the settings let them pass."""
    shut = UNDECIDED if result.settings.undecided == FAIL else ""
    failures = [one for one in result.verdicts if one.decision in {FAIL, shut}]
    skipped = [one for one in result.verdicts if one.decision == UNDECIDED and one not in failures]
    totals = {
        "tests": len(result.verdicts) + len(result.not_judged),
        "failures": len(failures),
        "errors": 0,
        "skipped": len(skipped) + len(result.not_judged),
    }
    counts = {key: str(count) for key, count in totals.items()}
    suites = Element("testsuites", {"name": _SUITE, **counts})
    suite = SubElement(suites, "testsuite", {"name": _SUITE, **counts})
    properties = SubElement(suite, "properties")
    told = {"notice": RESEARCH_USE_NOTICE, "baseline": result.labels[0], "current": result.labels[1]}
    told |= {key: str(value) for key, value in result.settings.top_keys().items()}
    for key, value in told.items():
        SubElement(properties, "property", {"name": key, "value": plain(value)})
    for verdict in result.verdicts:
        _add_case(suite, verdict, "failure" if verdict in failures else "skipped")
    for name in result.not_judged:
        SubElement(_case(suite, name), "skipped", {"message": "not judged: the settings ignore it"})
    SubElement(suite, "system-out").text = plain("\n".join((result.sentence, *result.remarks)))
    indent(suites)
    return f"{_HEAD}{tostring(suites, encoding='unicode')}\n".encode()


def _add_case(suite: Element, verdict: MetricVerdict, otherwise: str) -> None:
    case = _case(suite, verdict.name)
    reason = plain(verdict.reason)
    if verdict.decision == PASS:
        SubElement(case, "system-out").text = reason
        return
    told = {"message": reason}
    if otherwise == "failure":
        told["type"] = verdict.decision
    SubElement(case, otherwise, told).text = reason


def _case(suite: Element, name: str) -> Element:
    return SubElement(suite, "testcase", {"classname": "hemato_lab.gate", "name": plain(name)})
