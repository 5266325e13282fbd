"""The result as JUnit XML, which every service for continuous integration shows: one test a metric."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from hemato_lab.agreement.gate.model import FAIL, PASS, UNDECIDED
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.agreement.gate.model import GateResult, MetricVerdict

_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold in any form."""
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SUITE: Final = "hemato-lab gate"


def render(result: GateResult) -> bytes:
    """Return the XML in UTF-8: metrics that are undecided fail, or are skipped where the settings let them pass."""
    shut = UNDECIDED if result.settings.undecided == FAIL else ""
    failures = [one for one in result.verdicts if one.decision in {FAIL, shut}]
    skipped = [one for one in result.verdicts if one.decision == UNDECIDED and one not in failures]
    totals = {"tests": len(result.verdicts), "failures": len(failures), "errors": 0, "skipped": len(skipped)}
    counts = {key: str(count) for key, count in totals.items()}
    suites = Element("testsuites", {"name": _SUITE, **counts})
    suite = SubElement(suites, "testsuite", {"name": _SUITE, **counts})
    properties = SubElement(suite, "properties")
    told = {"notice": RESEARCH_USE_NOTICE, "baseline": result.labels[0], "current": result.labels[1]}
    told |= {key: str(value) for key, value in result.settings.model_dump(exclude={"metric"}).items()}
    for key, value in told.items():
        SubElement(properties, "property", {"name": key, "value": _clean(value)})
    for verdict in result.verdicts:
        _add_case(suite, verdict, "failure" if verdict in failures else "skipped")
    SubElement(suite, "system-out").text = _clean("\n".join((result.sentence, *result.remarks)))
    indent(suites)
    return f"{_HEAD}{tostring(suites, encoding='unicode')}\n".encode()


def _add_case(suite: Element, verdict: MetricVerdict, otherwise: str) -> None:
    case = SubElement(suite, "testcase", {"classname": "hemato_lab.gate", "name": _clean(verdict.name)})
    reason = _clean(verdict.reason)
    if verdict.decision == PASS:
        SubElement(case, "system-out").text = reason
        return
    told = {"message": reason}
    if otherwise == "failure":
        told["type"] = verdict.decision
    SubElement(case, otherwise, told).text = reason


def _clean(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
