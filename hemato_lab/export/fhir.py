"""The report as a FHIR R4 bundle: a DiagnosticReport, its Observations, the specimen and the software.

Nothing in it is of a patient, and nothing is verified: the report is ``partial`` and observations are ``preliminary``,
the two states whose definitions say that data may be unverified. There are no dates, as the analysis knows none.
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
from hemato_lab.export.fhir_observations import observations
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    measured = [
        {
            **_head("Observation", f"{study}:{number}"),
            "status": "preliminary",
            "category": [_LABORATORY],
            "subject": _NOT_STATED,
            "specimen": _reference(specimen),
            "device": _reference(device),
            **one,
        }
        for number, one in enumerate(observations(analysis.report))
    ]
    report = {
        **_head("DiagnosticReport", study),
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
    resources = [report, *measured, specimen, device]
    return {
        **_head("Bundle", study),
        "type": "collection",
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources],
    }


def _head(resource: str, name: str) -> dict[str, Any]:
    """Return what every resource begins with; its id is the same for the same study."""
    identity = str(uuid5(NAMESPACE_URL, f"hemato_lab:fhir:{resource}:{name!a}"))
    return {"resourceType": resource, "id": identity, "meta": _FOR_RESEARCH}


def _reference(resource: Mapping[str, Any]) -> dict[str, str]:
    return {"reference": f"urn:uuid:{resource['id']}"}


def _specimen(analysis: Analysis) -> dict[str, Any]:
    fields = "1 field" if len(analysis.smear) == 1 else f"{len(analysis.smear)} fields"
    return {
        **_head("Specimen", analysis.report.pbs_study_id),
        "type": {"coding": [_BLOOD], "text": "peripheral blood smear"},
        "subject": _NOT_STATED,
        "note": [{"text": f"{fields} of a film, as images"}],
    }


def _device(analysis: Analysis) -> dict[str, Any]:
    """Return the software with its models, whose hashes say which they are."""
    models = analysis.provenance.get("models")
    listed = models if isinstance(models, dict) else {}
    versions = [("hemato_lab", __version__), *((f"model {name}", _hash(model)) for name, model in listed.items())]
    return {
        **_head("Device", analysis.report.pbs_study_id),
        "deviceName": [{"name": "hemato_lab", "type": "model-name"}],
        "type": {"text": "software for research"},
        "version": [{"type": {"text": str(what)}, "value": value} for what, value in versions if value],
        "note": [{"text": RESEARCH_USE_NOTICE}],
    }


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
