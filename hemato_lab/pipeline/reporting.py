"""The report and the provenance of an analysis."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab import __version__
from hemato_lab.analysis.corrections import corrections_of
from hemato_lab.analysis.wording import on_scale
from hemato_lab.diagnosis import rules_sha256
from hemato_lab.findings.assessing import BY_READER, SUMMED
from hemato_lab.narrative import write_narrative
from hemato_lab.narrative.facts import NarrativeFacts, Specimen
from hemato_lab.pipeline.interpretation import LEVELS
from hemato_lab.report import (
    RESEARCH_USE_NOTICE,
    DiagnosticReport,
    HeatMapEntry,
    MorphologicalFinding,
    Report,
    local_study_id,
)
from hemato_lab.statistics.parasitaemia import PARASITISED
from hemato_lab.vocabulary import DETECTOR_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.findings import Findings
    from hemato_lab.pipeline.interpretation import Interpretation, Level
    from hemato_lab.pipeline.interpreting import Interpreted, Reading
    from hemato_lab.smear import Smear

LIBRARIES: Final = ("numpy", "scipy", "numba", "onnxruntime", "pillow", "simplejpeg", "tifffile")
"""Libraries whose version can change a pixel or a digit."""


@cache
def _library_versions() -> Mapping[str, str]:
    """Return the versions of `LIBRARIES`; looking them up takes longer than reading a small picture."""
    return MappingProxyType({name: importlib.metadata.version(name) for name in LIBRARIES})


def provenance_of(
    smear: Smear,
    parameters: Mapping[str, Any],
    models: Mapping[str, str],
    interpreted: Interpreted,
    interpretation: Interpretation,
) -> dict[str, Any]:
    """Return what reproduces an analysis: version, models, parameters, libraries, inputs, scale and files left out.

    Parameters
    ----------
    smear : Smear
        As it was analysed.
    parameters : mapping
        Of `hemato_lab.analyze`, JSON-ready.
    models : mapping of str to str
        SHA-256 of every model file by the model's name.
    interpreted : Interpreted
        For the reference data, rules and assumptions that were used.
    interpretation : Interpretation
        What the user decided.
    """
    scale = smear.scale
    return {
        "package": {"name": "hemato_lab", "version": __version__},
        "models": {name: {"sha256": sha256} for name, sha256 in models.items()},
        "parameters": dict(parameters),
        "interpretation": {"level": interpretation.level, "code_system": interpretation.code_system},
        "reference": interpreted.reference.provenance(),
        "rules": {"version": interpreted.rules.version, "sha256": rules_sha256(interpretation.rules)},
        "context": interpretation.context.to_dict(),
        "assumptions": {
            "rbc_per_ul": interpreted.assumptions.rbc_per_ul,
            "rbc_origin": interpreted.assumptions.rbc_origin,
            "wbc_per_ul": interpreted.assumptions.wbc_per_ul,
            "wbc_origin": interpreted.assumptions.wbc_origin,
        },
        "libraries": dict(_library_versions()),
        "inputs": [
            {"name": field.name, "file_id": field.file_id, "width": field.width, "height": field.height}
            for field in smear.fields
        ],
        "scale": None
        if scale is None
        else {
            "um_per_px": scale.um_per_px,
            "rbc_diameter_px": scale.rbc_diameter_px,
            "origin": scale.origin,
            "relative_uncertainty": round(scale.relative_uncertainty, 4),
        },
        "skipped": [{"name": one.name, "code": one.code, "reason": one.reason} for one in smear.skipped],
    }


def compose_report(
    reading: Reading,
    interpreted: Interpreted,
    provenance: Mapping[str, Any],
    *,
    level: Level,
) -> Report:
    """Return the report of an analysis in the vendor's schema.

    Everything of ours is in the extension (api/DECISIONS.md section 3): what each number, finding, candidate and
    sentence rests on.

    Parameters
    ----------
    reading : Reading
        The smear and its cells.
    interpreted : Interpreted
        What they say.
    provenance : mapping
        Of `provenance_of`.
    level : str
        After which level to stop.
    """
    smear, findings = reading.smear, interpreted.facts.findings
    file_ids = tuple(dict.fromkeys(field.file_id for field in smear.fields))
    diagnosis = interpreted.diagnosis
    narrative = write_narrative(_narrative_facts(reading, interpreted, provenance)) if level == LEVELS[-1] else None
    extension: dict[str, Any] = {
        "notice": RESEARCH_USE_NOTICE,
        "level": level,
        "feature_statistics": dict(interpreted.statistics.extension),
        "cells_found": _cells_found(reading),
        "remarks": on_scale(smear.scale),
        "findings": {name: finding.to_dict() for name, finding in findings.assessed.items()},
        "measurements": {name: one.to_dict() for name, one in findings.measurements.items()},
        "not_assessed": dict(findings.not_assessed),
        "differential": None if interpreted.differential is None else interpreted.differential.to_dict(),
        "parasitaemia": None if interpreted.parasitaemia is None else interpreted.parasitaemia.to_dict(),
        "diagnosis": None if diagnosis is None else diagnosis.to_dict(),
        "review": {
            "required": bool(interpreted.triggers),
            "reasons": [trigger.to_dict() for trigger in interpreted.triggers],
            **({"decisions": dict(reading.decisions)} if reading.decisions else {}),
        },
        "narrative": None if narrative is None else narrative.to_dict(),
        "quality": dict(reading.quality),
        "provenance": dict(provenance),
    }
    return Report(
        pbs_study_id=local_study_id(file_ids),
        file_ids=file_ids,
        feature_statistics=interpreted.statistics.documented,
        morphological_findings=morphological_findings(findings, smear),
        diagnostic_report=DiagnosticReport(() if diagnosis is None else diagnosis.entries),
        pathology_report="" if narrative is None else narrative.text,
        extension=extension,
    )


def morphological_findings(findings: Findings, smear: Smear) -> dict[str, MorphologicalFinding]:
    """Return the findings that were seen, in the vendor's shape; a cell is listed under its narrowest name alone."""
    return {
        name: MorphologicalFinding.of(
            tuple(
                HeatMapEntry.at(one.x, one.y, one.radius, file_id=smear.fields[one.field].file_id)
                for one in finding.circles
            )
        )
        for name, finding in findings.seen().items()
        if finding.circles and (finding.rule == BY_READER or (name != PARASITISED and finding.rule != SUMMED))
    }


def _cells_found(reading: Reading) -> dict[str, int]:
    return {name: int(np.count_nonzero(reading.detections.of_kind(name))) for name in DETECTOR_CLASSES}


def _narrative_facts(reading: Reading, interpreted: Interpreted, provenance: Mapping[str, Any]) -> NarrativeFacts:
    documented = {
        key: replace(statistic, details=interpreted.statistics.extension[key])
        for key, statistic in interpreted.statistics.documented.items()
    }
    decided = corrections_of(reading.decisions)
    specimen = Specimen(
        images=len(reading.smear),
        unfit=len(reading.excluded),
        scale=reading.smear.scale,
        cells=_cells_found(reading),
        named=bool(reading.named_by),
        rbc_per_ul=interpreted.assumptions.rbc_per_ul,
        rbc_origin=interpreted.assumptions.rbc_origin,
        version=__version__,
        models=tuple(provenance["models"]),
        decided=decided.counts,
        readers=len(decided.readers),
        damaged_lines=decided.damaged_lines,
        blind_left_out=decided.blind_left_out,
    )
    return NarrativeFacts(
        specimen,
        interpreted.facts,
        documented,
        interpreted.differential,
        interpreted.parasitaemia,
        interpreted.diagnosis,
        interpreted.triggers,
        interpreted.rules.version,
    )
