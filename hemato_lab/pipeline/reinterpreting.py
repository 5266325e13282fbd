"""`reinterpret`: the report of an analysis made again from other cells, as a reader has corrected them.

Nothing is detected, named or judged by quality again: what the pictures are like does not change with what a reader
says about a cell.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hemato_lab import __version__
from hemato_lab.analysis import Analysis
from hemato_lab.diagnosis import rules_sha256
from hemato_lab.errors import ConfigError, ScaleNotCredibleError
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.pipeline.interpretation import Interpretation
from hemato_lab.pipeline.interpreting import interpret, reading_of
from hemato_lab.pipeline.reporting import compose_report, provenance_of
from hemato_lab.reference import BloodCount, ClinicalContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.detections import Detections
    from hemato_lab.pipeline.interpreting import Reading

_OF_THE_DETECTION: Final = ("package", "models", "parameters", "libraries", "inputs", "scale", "skipped")
"""Parts of the provenance that stay as they were when the cells were found."""
_HINT: Final = "analyse the images again with this version"


def reinterpret(
    analysis: Analysis,
    detections: Detections,
    *,
    interpretation: Interpretation | None = None,
    decisions: Mapping[str, Any] | None = None,
) -> Analysis:
    """Make findings, statistics, differential, text and report again from other cells of the same smear.

    Parameters
    ----------
    analysis : Analysis
        Made by `hemato_lab.analyze`; its pixels are read once more for their illumination.
    detections : Detections
        Cells of the same fields. Names are taken as they are. Rows whose column `hemato_lab.detections.REVIEWED` says
        that a reader renamed them keep their names whatever is measured.
    interpretation : Interpretation or None
        None takes that of the analysis.
    decisions : mapping or None
        What the report says about the decisions that the cells rest on, JSON-ready; its ``counts`` are told in the
        text. None for what the analysis says of decisions already (`decisions_told`).

    Returns
    -------
    Analysis
        With the same cells and no new decisions it equals `analysis`; one that was read from a folder of results has
        rounded numbers, and equals it but for last digits (`hemato_lab.export.reading.read_analysis`).

    Raises
    ------
    ConfigError
        If the analysis does not say how it was made, or rested on rules of the user's own and `interpretation` is None.
    ScaleNotCredibleError
        If its smear has no scale.
    InputError
        If the pixels can no longer be read.
    """
    chosen = interpretation_of(analysis) if interpretation is None else interpretation
    told = decisions_told(analysis) if decisions is None else decisions
    reading = replace(_reading(analysis, detections), decisions=told)
    parameters = analysis.provenance["parameters"]
    interpreted = interpret(reading, chosen, rbc_per_ul=parameters["rbc_per_ul"])
    provenance = provenance_of(analysis.smear, parameters, {}, interpreted, chosen)
    provenance |= {key: analysis.provenance[key] for key in _OF_THE_DETECTION}
    if told:
        made_by = {"package": {"name": "hemato_lab", "version": __version__}}
        provenance["review"] = made_by | {key: told[key] for key in ("log_sha256", "counts") if key in told}
    report = compose_report(reading, interpreted, provenance, level=chosen.level)
    return Analysis(analysis.smear, detections, report, provenance, analysis.quality)


def decisions_told(analysis: Analysis) -> Mapping[str, Any]:
    """Return what the report of an analysis says about decisions of readers, empty where it was not corrected."""
    review = analysis.report.extension.get("review")
    told = review.get("decisions") if isinstance(review, dict) else None
    return told if isinstance(told, dict) else {}


def interpretation_of(analysis: Analysis) -> Interpretation:
    """Return how an analysis was interpreted, from its provenance.

    Raises
    ------
    ConfigError
        If it does not say so, or the rules were a file of the user's own.
    """
    stated = _stated(analysis)
    if stated["rules"].get("sha256") != rules_sha256():
        problem = "was interpreted by other rules than those that ship with this version"
        hint = "give interpretation= with the file of these rules, or with the rules you want"
        raise ConfigError(problem, subject=analysis.smear.name, hint=hint)
    context = stated["context"]
    known = ClinicalContext(
        context.get("age_group"), context.get("sex"), BloodCount.from_mapping(context.get("blood_count", {}))
    )
    overrides = _nested(stated["reference"].get("overrides", {}))
    return Interpretation(known, **stated["interpretation"], reference=overrides or None)


def _nested(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return overrides by path as the tables of ``reference.toml``."""
    tables: dict[str, Any] = {}
    for path, value in overrides.items():
        *above, key = path.split(".")
        table = tables
        for part in above:
            table = table.setdefault(part, {})
        table[key] = value
    return tables


def _stated(analysis: Analysis) -> Mapping[str, Any]:
    provenance = analysis.provenance
    needed = (*_OF_THE_DETECTION, "interpretation", "reference", "rules", "context")
    missing = [key for key in needed if key not in provenance]
    if missing:
        problem = f"does not say how it was made ({', '.join(missing)} not stated)"
        raise ConfigError(problem, subject=analysis.smear.name, hint=_HINT)
    return provenance


def _reading(analysis: Analysis, detections: Detections) -> Reading:
    smear, parameters = analysis.smear, _stated(analysis)["parameters"]
    if smear.scale is None:
        raise ScaleNotCredibleError("the analysis has no scale", subject=smear.name, hint=_HINT)
    unjudged = [one.name for one in smear.fields if one.name not in analysis.quality]
    if unjudged:
        raise ConfigError("its quality was not judged", subject=unjudged[0], hint=_HINT)
    return reading_of(
        smear,
        [calibrate(field, smear.scale) for field in smear.fields],
        detections,
        analysis.quality,
        detector=parameters["detector"],
        names=parameters["names"],
    )
