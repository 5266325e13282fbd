"""The report as a FHIR R4 bundle: a DiagnosticReport, its Observations, the specimen and the software.

Nothing in it is of a patient, and nothing is verified: the report is ``partial`` and observations are ``preliminary``,
the two states whose definitions say that data may be unverified. There are no dates, as the analysis knows none. The id
of every resource is made from its content, so that no analysis of a smear replaces what another one said; the
identifier of the report is that of the study.
"""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from hemato_lab import __version__
from hemato_lab.export import text as plain_text
from hemato_lab.export.characters import printable, storable
from hemato_lab.export.fhir_observations import observations, reviewed_of
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hemato_lab.analysis import Analysis

_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
_FOR_RESEARCH: Final = {
    "security": [{"system": f"{_TERMINOLOGY}/v3-ActReason", "code": "HRESCH", "display": "healthcare research"}]
}
_NOT_STATED: Final = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}
_LABORATORY: Final = {
    "coding": [{"system": f"{_TERMINOLOGY}/observation-category", "code": "laboratory", "display": "Laboratory"}]
}
_HAEMATOLOGY: Final = {"coding": [{"system": f"{_TERMINOLOGY}/v2-0074", "code": "HM", "display": "Hematology"}]}
_BLOOD: Final = {"system": "http://snomed.info/sct", "code": "119297000", "display": "Blood specimen"}


def render(analysis: Analysis) -> bytes:
    """Return the bundle as JSON in ASCII."""
    return f"{json.dumps(bundle(analysis), indent=1, allow_nan=False)}\n".encode("ascii")


def bundle(analysis: Analysis) -> dict[str, Any]:
    """Return the bundle, JSON-ready."""
    study = analysis.report.pbs_study_id
    specimen, device = _specimen(analysis), _device(analysis)
    common = {
        "status": "preliminary",
        "category": [_LABORATORY],
        "subject": _NOT_STATED,
        "specimen": _reference(specimen),
        "device": _reference(device),
    }
    measured = _each_once(
        _resource("Observation", study, {**common, **one})
        for one in observations(analysis.report, reviewed_of(analysis))
    )
    report = _report(analysis, measured, specimen)
    resources = [report, *measured, specimen, device]
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources]
    return _resource("Bundle", study, {"type": "collection", "entry": entries})


def _each_once(resources: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return resources without repeated ones: the same content has the same id."""
    return list({one["id"]: one for one in resources}.values())


def _report(analysis: Analysis, measured: list[dict[str, Any]], specimen: dict[str, Any]) -> dict[str, Any]:
    study = analysis.report.pbs_study_id
    content = {
        "text": {"status": "generated", "div": _narrative(analysis)},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": storable(f"urn:uuid:{study}")}],
        "status": "partial",
        "category": [_HAEMATOLOGY],
        "code": {"text": "peripheral blood smear, read automatically for research"},
        "subject": _NOT_STATED,
        "specimen": [_reference(specimen)],
        "result": [_reference(one) for one in measured],
        "conclusion": _words(analysis),
        "presentedForm": [{"contentType": "text/plain; charset=utf-8", "language": "en", "data": _encoded(analysis)}],
    }
    return _resource("DiagnosticReport", study, content)


def _resource(kind: str, study: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource whose id is made from its content: a server keeps one content under one id."""
    stated = json.dumps(content, sort_keys=True)
    identity = str(uuid5(NAMESPACE_URL, f"hemato_lab:fhir:{kind}:{study!a}:{stated}"))
    return {"resourceType": kind, "id": identity, "meta": _FOR_RESEARCH, **content}


def _reference(resource: Mapping[str, Any]) -> dict[str, str]:
    return {"reference": f"urn:uuid:{resource['id']}"}


def _specimen(analysis: Analysis) -> dict[str, Any]:
    fields = "1 field" if len(analysis.smear) == 1 else f"{len(analysis.smear)} fields"
    content = {
        "type": {"coding": [_BLOOD], "text": "peripheral blood smear"},
        "subject": _NOT_STATED,
        "note": [{"text": f"{fields} of a film, as images"}],
    }
    return _resource("Specimen", analysis.report.pbs_study_id, content)


def _device(analysis: Analysis) -> dict[str, Any]:
    """Return the software with its models, whose hashes say which they are."""
    models = analysis.provenance.get("models")
    listed = models if isinstance(models, dict) else {}
    versions = [("hemato_lab", __version__), *((f"model {name}", _hash(model)) for name, model in listed.items())]
    content = {
        "deviceName": [{"name": "hemato_lab", "type": "model-name"}],
        "type": {"text": "software for research"},
        "version": [{"type": {"text": str(what)}, "value": value} for what, value in versions if value],
        "note": [{"text": RESEARCH_USE_NOTICE}],
    }
    return _resource("Device", analysis.report.pbs_study_id, content)


def _hash(model: Any) -> str:
    stated = model.get("sha256") if isinstance(model, dict) else None
    return f"sha256:{stated}" if isinstance(stated, str) else ""


def _words(analysis: Analysis) -> str:
    return printable(plain_text.render(analysis).decode("utf-8")).strip()


def _encoded(analysis: Analysis) -> str:
    return base64.b64encode(plain_text.render(analysis)).decode("ascii")


def _narrative(analysis: Analysis) -> str:
    notice, words = escape(RESEARCH_USE_NOTICE), escape(_words(analysis))
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{notice}</p><pre>{words}</pre></div>'
