"""Folders of results with made-up figures, in the shape in which a batch leaves them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import CELLS_FILE, COMPARISON_FILE, REPORT_FILE, smear_folder
from hemato_lab.batch.model import BatchResult, Outcome
from hemato_lab.report import Diagnosis, DiagnosticReport, FeatureStatistic, Report
from hemato_lab.statistics.limits import poisson_limits

AREA_MM2 = 0.03
HEAD = "field_name,field,x,y,radius,name,score,area_um2"


def report(
    red: int,
    white: int,
    *,
    sickle: int | None = None,
    um_per_px: float = 0.1,
    focus: str = "ok",
    candidate: str | None = None,
    version: str = "0.1.0",
) -> Report:
    counts = {"rbc-density": red, "wbc-density": white}
    limits = {key: tuple(limit / AREA_MM2 for limit in _limits(count)) for key, count in counts.items()}
    details = {key: {"n": count, "limits_95": list(limits[key])} for key, count in counts.items()}
    details["platelet-density"] = {"assessed": False, "reason": "no scale"}
    found = () if candidate is None else (Diagnosis(5, "0.9", "D", candidate, "Something long", "Something"),)
    return Report(
        pbs_study_id="made-up",
        feature_statistics={
            "rbc-density": FeatureStatistic(f"{red / AREA_MM2:.4g}", "/mm2"),
            "wbc-density": FeatureStatistic(f"{white / AREA_MM2:.4g}", "/mm2"),
            "platelet-density": FeatureStatistic("not assessed", "/mm2"),
        },
        diagnostic_report=DiagnosticReport(found),
        extension={
            "feature_statistics": details,
            "cells_found": {"RBC": red, "WBC": white},
            "findings": {} if sickle is None else {"sickle cell": {"count": sickle}, "target cell": {"count": 0}},
            "review": {"required": bool(found), "reasons": []},
            "quality": {"f1.png": {"focus": focus, "scale": "ok"}, "f2.png": {"focus": focus, "scale": "too small"}},
            "provenance": {
                "package": {"name": "hemato_lab", "version": version},
                "inputs": [{"name": "f1.png"}, {"name": "f2.png"}],
                "scale": {"um_per_px": um_per_px, "rbc_diameter_px": 7.5 / um_per_px, "origin": "stated"},
            },
        },
    )


def with_extension(made: Report, **parts: Any) -> Report:
    """Return a report whose extension has other parts; those of the provenance are added to what it has."""
    provenance = made.extension["provenance"] | parts.pop("provenance", {})
    return replace(made, extension={**made.extension, **parts, "provenance": provenance})


def _limits(count: int) -> tuple[float, float]:
    limits = poisson_limits(count)
    return limits.low, limits.high


def cells(*names: str) -> str:
    rows = [f"f1.png,0,{10 + number}.5000,20.0000,3.0000,{name},0.9000," for number, name in enumerate(names)]
    return "\n".join([HEAD, *rows, ""])


def write_done(out: Path, entry: SmearEntry, made: Report, table: str = cells("RBC")) -> Outcome:
    folder = smear_folder(out, entry.smear_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT_FILE).write_text(made.to_json(indent=2) + "\n", encoding="ascii", newline="\n")
    (folder / CELLS_FILE).write_text(table, encoding="utf-8", newline="\n")
    return Outcome(entry, "done", files={REPORT_FILE: "0" * 64, CELLS_FILE: "0" * 64}, stages={"local": "done"})


def failed(entry: SmearEntry, code: str = "unreadable", error: str = "a.png: is empty (copy it again)") -> Outcome:
    return Outcome(entry, "failed", code, error, stages={"local": "failed"})


def entry(smear_id: str, **values: Any) -> SmearEntry:
    return SmearEntry(smear_id, (f"/data/{smear_id}/f1.png", f"/data/{smear_id}/f2.png"), **values)


def batch(out: Path, smears: int, *, seed: int = 0, strange: Mapping[int, Report] | None = None) -> BatchResult:
    """Write so many smears with Poisson counts of the same blood; ``strange`` says which are others."""
    rng = np.random.default_rng(seed)
    outcomes = []
    for number in range(smears):
        ordinary = report(int(rng.poisson(210)), int(rng.poisson(3)), sickle=int(rng.poisson(0.3)))
        made = (strange or {}).get(number, ordinary)
        outcomes.append(write_done(out, entry(f"p{number // 2}/s{number}", patient=f"P{number // 2}"), made))
    return BatchResult(out, tuple(outcomes))


def write_compared(
    out: Path, outcome: Outcome, file: str, *, first: float, second: float, names: Mapping[tuple[str, str], int]
) -> Outcome:
    """Write how a smear compares with another reading, with the figures of one statistic and the names of cells."""
    same = sum(count for pair, count in names.items() if pair[0] == pair[1])
    document = {
        "summary": {
            "matched": same,
            "first_only": 2,
            "second_only": 1,
            "reclassified": sum(names.values()) - same,
            "kappa": 0.5,
            "precision": None if file == COMPARISON_FILE else 0.75,
            "recall": None,
            "f1": None,
        },
        "statistics": [
            {"statistic": "rbc-density", "first": first, "second": second, "unit": "/mm2", "problem": ""},
            {"statistic": "wbc-density", "first": 1.0, "second": None, "unit": "", "problem": "missing"},
        ],
        "cells": {"names": [{"first": one, "second": two, "cells": count} for (one, two), count in names.items()]},
    }
    (smear_folder(out, outcome.entry.smear_id) / file).write_text(json.dumps(document), encoding="ascii")
    return replace(outcome, files={**outcome.files, file: "0" * 64})
