"""Small analyses made by hand, for the tests of what shows and exports them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hemato_lab.analysis import Analysis
from hemato_lab.detections import Detections
from hemato_lab.report import (
    Diagnosis,
    DiagnosticReport,
    FeatureStatistic,
    HeatMapEntry,
    MorphologicalFinding,
    Report,
)
from hemato_lab.smear import ArraySource, Field, Scale, SkippedFile, Smear

GROUND = (230, 225, 235)
HOSTILE = "<script>alert('x')</script>\"&"


def plain_field(name: str, width: int, height: int) -> Field:
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = GROUND
    return Field(name, ArraySource(pixels), "sha224-i-" + "0" * 56)


def cells(rows: list[tuple[int, str, float, float, float]]) -> Detections:
    field, name, x, y, radius = zip(*rows, strict=True)
    return Detections(
        {
            "field": np.array(field),
            "x": np.array(x, float),
            "y": np.array(y, float),
            "radius": np.array(radius, float),
            "name": np.array(name),
            "score": np.ones(len(rows)),
            "area_um2": np.full(len(rows), 44.0),
        }
    )


@pytest.fixture
def analysis() -> Analysis:
    """Two fields, five cells, three of them in the second."""
    smear = Smear(
        "sample",
        (plain_field("first.png", 640, 480), plain_field("second.png", 700, 500)),
        {"batch": "7"},
        Scale.from_rbc_diameter_px(100),
        (SkippedFile("bad.jpg", "unreadable", "the file is empty"),),
    )
    detections = cells(
        [
            (0, "RBC", 100, 100, 40),
            (0, "platelet", 300, 300, 12),
            (1, "RBC", 200, 200, 40),
            (1, "WBC", 400, 250, 80),
            (1, "RBC", 600, 400, 40),
        ]
    )
    report = Report(
        "11111111-2222-5333-8444-555555555555",
        tuple(one.file_id for one in smear.fields),
        {"rbc-density": FeatureStatistic("5321", "/mm2"), "blast-density": FeatureStatistic("not assessed", "%")},
        {"RBC": MorphologicalFinding.of(tuple(HeatMapEntry.at(x, 100, 40) for x in (100, 200, 600)))},
        DiagnosticReport((Diagnosis(3, "0.20", "B", "D69.6", "Thrombocytopenia, unspecified", "Low platelets"),)),
        "No demographics or clinical history were provided.",
        {
            "feature_statistics": {
                "rbc-density": {
                    "assessed": True,
                    "method": "counted",
                    "n": 3,
                    "limits_95": [4329.0, 6472.0],
                    "limits_95_with_scale": [4000.0, 7000.5],
                    "assumption": "none",
                    "insufficient_count": True,
                    "remarks": ["from 3 cells only: no more than an order of magnitude"],
                },
                "blast-density": {
                    "assessed": False,
                    "reason": "the classical detector tells no blasts",
                    "method": "none",
                },
            }
        },
    )
    quality = {
        "first.png": {"focus": {"ok": True, "energy": 12.345678}, "stain": {"ok": False}},
        "second.png": {"focus": {"ok": None, "energy": 3}},
    }
    return Analysis(smear, detections, report, {"version": "0.1.0", "parameters": {"tile_size": 1024}}, quality)


@pytest.fixture
def checked_analysis(analysis: Analysis) -> Analysis:
    """The same with the quality that the pipeline gives, its first field too thick, and an estimated scale."""
    passed = dict.fromkeys(("focus", "exposure", "background", "stain", "monolayer", "scale"), "ok")
    measured = {
        "edge_width_um": 0.63,
        "background_level": 232,
        "background_colour": "#eeece8",
        "fall_off": 0.128,
        "red_cell_density": 0.199,
        "lit_share": 1.0,
        "red_cells_per_mm2": 6960,
        "overlap_share": 0.83,
    }
    wrong = {"monolayer": "too thick: 83 % of the red cells overlap or touch"}
    scale = Scale.from_rbc_diameter_px(100, origin="estimated from red cells")
    return replace(
        analysis,
        smear=replace(analysis.smear, scale=scale),
        quality={"first.png": {**passed, **wrong, **measured}, "second.png": {**passed, **measured}},
        provenance={
            "version": "0.1.0",
            "parameters": {"detector": "classical"},
            "inputs": [{"name": "first.png"}],
            "skipped": [],
            "models": {},
        },
    )


@pytest.fixture
def empty_analysis() -> Analysis:
    """A field without cells or scale, and a report without findings."""
    return Analysis(Smear("empty", (plain_field("one.png", 20, 10),)), Detections.empty(), Report("id"))


@pytest.fixture
def hostile_analysis() -> Analysis:
    """Markup in every text that may come from outside."""
    smear = Smear(
        HOSTILE,
        (plain_field(HOSTILE, 40, 30),),
        {HOSTILE: HOSTILE},
        None,
        (SkippedFile(HOSTILE, HOSTILE, HOSTILE),),
    )
    report = Report(
        HOSTILE,
        (HOSTILE,),
        {HOSTILE: FeatureStatistic(HOSTILE, HOSTILE)},
        {HOSTILE: MorphologicalFinding(HOSTILE)},
        DiagnosticReport((Diagnosis(1, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),)),
        HOSTILE,
        {"feature_statistics": {HOSTILE: {"reason": HOSTILE, "n": HOSTILE, "assumption": [HOSTILE]}}},
    )
    return Analysis(smear, Detections.empty(), report, {HOSTILE: {HOSTILE: HOSTILE}}, {HOSTILE: {HOSTILE: HOSTILE}})
