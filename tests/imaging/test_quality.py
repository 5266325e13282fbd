from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab import vocabulary
from hemato_lab.detections import Detections
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.content import FieldContent
from hemato_lab.imaging.quality import FieldOptics, measure_optics, quality_gates
from hemato_lab.phantom import Recipe
from hemato_lab.smear import Field, Scale

if TYPE_CHECKING:
    from collections.abc import Callable

GATES = ("focus", "exposure", "background", "stain", "monolayer", "content", "scale")
PALE = ("stain", "haemoglobin", (0.02, 0.05, 0.04))
SPOILED = {
    "focus": [("camera", "blur_um", 1.2)],
    "exposure": [("illumination", "level", 0.3)],
    "background": [("illumination", "falloff", 0.55)],
    "stain": [PALE],
    "monolayer": [("", "red_cells_per_mm2", 16_000.0), ("", "overlap", 0.5)],
}
Phantom = tuple[Field, Detections, Recipe]
NO_CELLS = [("", "red_cells_per_mm2", 0.0), ("", "white_cells_per_mm2", 0.0), ("", "platelets_per_mm2", 0.0)]


def optics_of(phantom: Phantom) -> FieldOptics:
    field, _, recipe = phantom
    return measure_optics(field, calibrate(field, Scale.from_um_per_px(recipe.um_per_px)))


def gates_of(phantom: Phantom, disagreement: float | None = 0.0) -> dict[str, Any]:
    """Gates of a field with the counts of its truth."""
    field, truth, recipe = phantom
    red = np.array([vocabulary.detector_class(name) == vocabulary.RBC for name in truth["name"].tolist()], bool)
    return quality_gates(
        optics_of(phantom),
        FieldContent(0.9, int(red.sum()), 0, 0),
        overlapped=int(truth["overlapped"][red].sum()),
        area_mm2=field.window.area * recipe.um_per_px**2 * 1e-6,
        scale_disagreement=disagreement,
    )


@pytest.mark.parametrize("name", ["normal", "malaria"])
def test_a_good_field_passes_every_gate(name: str, phantom: Callable[..., Phantom]) -> None:
    gates = gates_of(phantom(name))
    assert {gate: gates[gate] for gate in GATES} == dict.fromkeys(GATES, "ok")


@pytest.mark.parametrize("gate", SPOILED)
def test_what_is_wrong_trips_its_gate(gate: str, phantom: Callable[..., Phantom]) -> None:
    gates = gates_of(phantom("normal", 0.125, *SPOILED[gate]))
    assert gates[gate] != "ok"
    assert not gates[gate].startswith("not assessed")
    # One fault may show in the background's scatter too, but in none of the others.
    assert {other for other in GATES if gates[other] != "ok"} <= {gate, "background"}


def test_too_much_light_is_told_from_too_little(phantom: Callable[..., Phantom]) -> None:
    bright = gates_of(phantom("normal", 0.125, ("illumination", "level", 1.2)))
    dark = gates_of(phantom("normal", 0.125, *SPOILED["exposure"]))
    assert bright["exposure"].startswith("over-exposed")
    assert dark["exposure"].startswith("dark")
    assert bright["background_level"] > 250
    assert dark["background_level"] < 160


def test_an_empty_field_is_not_assessed_rather_than_good(phantom: Callable[..., Phantom]) -> None:
    gates = gates_of(phantom("normal", 0.125, *NO_CELLS), disagreement=None)
    for gate in ("focus", "stain", "monolayer", "scale"):
        assert gates[gate].startswith("not assessed")
    assert gates["exposure"] == "ok"
    assert gates["edge_width_um"] == gates["red_cell_density"] == gates["red_cells_per_mm2"] == 0
    assert gates["overlap_share"] is None


def test_outlines_widen_with_the_blur_whatever_the_magnification(phantom: Callable[..., Phantom]) -> None:
    sharpness = []
    for blur in (0.2, 0.9):
        widths = [
            optics_of(phantom("normal", um_per_px, ("camera", "blur_um", blur), size=size)).edge_width_um
            for um_per_px, size in ((0.15, (300, 220)), (0.25, (180, 132)))
        ]
        assert widths[0] == pytest.approx(widths[1], rel=0.2)
        sharpness.append(widths[0])
    assert sharpness[1] > 2 * sharpness[0]


def test_the_lamp_is_measured(phantom: Callable[..., Phantom]) -> None:
    assert optics_of(phantom("normal", 0.125, ("illumination", "falloff", 0.0))).fall_off < 0.05
    assert optics_of(phantom("normal")).fall_off == pytest.approx(0.15, abs=0.05)


def test_red_cells_are_as_dense_as_their_stain(phantom: Callable[..., Phantom]) -> None:
    usual, pale = optics_of(phantom("normal")), optics_of(phantom("normal", 0.125, PALE))
    # Foreground density is the mean of green and blue: 0.2125 and 0.045 a unit of haemoglobin.
    assert usual.red_cell_density == pytest.approx(0.2125, rel=0.15)
    assert usual.blue_per_green == pytest.approx(0.180 / 0.245, rel=0.08)
    assert pale.red_cell_density == pytest.approx(0.045, abs=0.02)


@pytest.fixture(scope="module")
def good(phantom: Callable[..., Phantom]) -> FieldOptics:
    return optics_of(phantom("normal"))


COUNTS: dict[str, Any] = {
    "content": FieldContent(0.9, 80, 1, 4),
    "overlapped": 4,
    "area_mm2": 0.01,
    "scale_disagreement": 0.0,
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # DOMAIN.md section 2.4: below 2,000 per mm2 too thin, above 13,000 too thick, more than a fifth in overlap
        ({"content": FieldContent(0.9, 15, 1, 4)}, "too thin"),
        ({"content": FieldContent(0.9, 25, 1, 4)}, "ok"),
        ({"content": FieldContent(0.9, 125, 1, 4)}, "ok"),
        ({"content": FieldContent(0.9, 140, 1, 4)}, "too thick"),
        ({"overlapped": 15}, "ok"),
        ({"overlapped": 20}, "too thick: 25 % of the red cells overlap or touch"),
        ({"content": FieldContent(0.9, 5, 1, 4), "overlapped": 0}, "not assessed: too few red cells"),
        ({"area_mm2": 0.0}, "too thin"),
    ],
)
def test_the_monolayer_by_density_and_overlap(good: FieldOptics, change: dict[str, Any], expected: str) -> None:
    assert quality_gates(good, **{**COUNTS, **change})["monolayer"].startswith(expected)


DENSE = {"content": FieldContent(0.9, 140, 1, 4)}


@pytest.mark.parametrize(
    ("change", "verdict", "share"),
    [
        # 80 red cells, 4 of them split: 5 % of all, more of those that were measured
        ({"overlap_measured": 80}, "ok", 0.05),
        ({"overlap_measured": 40}, "ok", 0.1),
        ({"overlap_measured": 16}, "too thick: 25 % of the red cells overlap or touch", 0.25),
        ({"overlap_measured": 9}, "not assessed: overlap measured in too few of the red cells", 0.444),
        ({"overlap_measured": 0, "overlapped": 0}, "not assessed: overlap measured in none of the red cells", None),
        # what density alone can tell is told all the same
        (
            {"overlap_measured": 0, "overlapped": 0, **DENSE},
            "too thick: 14000 red cells per mm2, overlap not assessed",
            None,
        ),
        ({"overlap_measured": 0, "overlapped": 0, "area_mm2": 0.1}, "too thin", None),
    ],
)
def test_the_share_of_overlap_is_of_the_cells_that_were_measured(
    good: FieldOptics, change: dict[str, Any], verdict: str, share: float | None
) -> None:
    gates = quality_gates(good, **{**COUNTS, **change})
    assert (gates["monolayer"], gates["overlap_share"]) == (verdict, share)


@pytest.mark.parametrize(
    ("disagreement", "expected"),
    [
        (None, "not assessed: no red-cell size was read from this field"),
        (0.0, "ok"),
        (0.14, "ok"),
        (-0.14, "ok"),
        (0.16, "differ from the scale by +16 %"),
        (-0.4, "differ from the scale by -40 %"),
    ],
)
def test_a_stated_scale_may_differ_by_fifteen_per_cent(
    good: FieldOptics, disagreement: float | None, expected: str
) -> None:
    assert quality_gates(good, **{**COUNTS, "scale_disagreement": disagreement})["scale"].endswith(expected)


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("exposure", {"background_level": 179.0}),
        ("exposure", {"saturated_share": 0.02}),
        ("background", {"fall_off": 0.31}),
        ("background", {"misfit": 0.031}),
        ("stain", {"blue_per_green": 2.0}),
        ("stain", {"blue_per_green": 0.1}),
        ("stain", {"red_cell_density": 0.02}),
        ("stain", {"has_colour": False}),
        ("focus", {"edge_width_um": 4.0}),
    ],
)
def test_each_limit_is_looked_at(good: FieldOptics, gate: str, change: dict[str, float]) -> None:
    gates = quality_gates(replace(good, **change), **COUNTS)
    assert [name for name in GATES if gates[name] != "ok"] == [gate]


def test_gates_and_figures_are_plain_json(good: FieldOptics) -> None:
    gates = quality_gates(good, **COUNTS)
    assert json.loads(json.dumps(gates)) == gates
    assert gates["red_cells_per_mm2"] == 8000
    assert gates["overlap_share"] == 0.05
    assert gates["lit_share"] == 1.0
