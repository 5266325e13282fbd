"""The report and the provenance of an analysis."""

from __future__ import annotations

import importlib.metadata
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab import __version__
from hemato_lab.analysis.wording import on_scale
from hemato_lab.report import RESEARCH_USE_NOTICE, Report, local_study_id
from hemato_lab.vocabulary import DETECTOR_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.detections import Detections
    from hemato_lab.smear import Smear
    from hemato_lab.statistics import StatisticsResult

LIBRARIES: Final = ("numpy", "scipy", "numba", "onnxruntime", "pillow", "simplejpeg", "tifffile")
"""Libraries whose version can change a pixel or a digit."""
NO_HISTORY: Final = "No demographics or past medical history is available about the patient."
"""The opening of the vendor's pathology report when nothing was given."""


@cache
def _library_versions() -> Mapping[str, str]:
    """Return the versions of `LIBRARIES`; looking them up takes longer than reading a small picture."""
    return MappingProxyType({name: importlib.metadata.version(name) for name in LIBRARIES})


def provenance_of(smear: Smear, parameters: Mapping[str, Any], models: Mapping[str, str]) -> dict[str, Any]:
    """Return what reproduces an analysis: version, models, parameters, libraries, inputs, scale and files left out.

    Parameters
    ----------
    smear : Smear
        As it was analysed.
    parameters : mapping
        Of `hemato_lab.analyze`, JSON-ready.
    models : mapping of str to str
        SHA-256 of every model file by the model's name.
    """
    scale = smear.scale
    return {
        "package": {"name": "hemato_lab", "version": __version__},
        "models": {name: {"sha256": sha256} for name, sha256 in models.items()},
        "parameters": dict(parameters),
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


NAMED: Final = (
    "Types of white cells, shapes of red cells and malaria parasites were named by networks: each name is a candidate "
    "to be looked at, and nothing can be concluded from it."
)
UNNAMED: Final = "Cell morphology and parasites were not assessed, and nothing can be concluded about them."


def compose_report(
    smear: Smear,
    detections: Detections,
    statistics: StatisticsResult,
    quality: Mapping[str, Any],
    provenance: Mapping[str, Any],
    *,
    named: bool,
) -> Report:
    """Return the report of an analysis in the vendor's schema.

    Everything of ours is in the extension (api/DECISIONS.md section 3). Cell counts by class are candidates found by
    the detector; no morphological finding or diagnosis is stated where no model or rule looked for one. `named` tells
    whether classifiers named the cells.
    """
    file_ids = tuple(dict.fromkeys(field.file_id for field in smear.fields))
    counts = {name: int(np.count_nonzero(detections.of_kind(name))) for name in DETECTOR_CLASSES}
    return Report(
        pbs_study_id=local_study_id(file_ids),
        file_ids=file_ids,
        feature_statistics=statistics.documented,
        pathology_report=_narrative(smear, counts, named=named),
        extension={
            "notice": RESEARCH_USE_NOTICE,
            "feature_statistics": dict(statistics.extension),
            "cells_found": counts,
            "remarks": on_scale(smear.scale),
            "quality": dict(quality),
            "provenance": dict(provenance),
        },
    )


def _narrative(smear: Smear, counts: Mapping[str, int], *, named: bool) -> str:
    fields = len(smear)
    listed = ", ".join(f"{count} {_plural(name, count)}" for name, count in counts.items())
    return (
        f"{NO_HISTORY} {fields} {'image was' if fields == 1 else 'images were'} assessed automatically; candidates "
        f"found: {listed}, those cut by the border of a field included; estimates count fewer, by a border rule. "
        f"{NAMED if named else UNNAMED} "
        f"{RESEARCH_USE_NOTICE}"
    )


def _plural(name: str, count: int) -> str:
    words = {"RBC": "red cell", "WBC": "white cell"}
    word = words.get(name, name)
    return word if count == 1 else f"{word}s"
