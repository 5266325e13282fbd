from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.evaluation.dataset import DetectionSet
from hemato_lab.evaluation.fields import FieldOutcome
from hemato_lab.evaluation.findings import evaluate_findings
from hemato_lab.evaluation.parasites import Reader
from hemato_lab.evaluation.table import table_of

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[..., DetectionSet]
Table = Callable[[Sequence[tuple[str, float, float, float, float]]], Detections]
READER = Reader("synthetic", {"malaria": "ab" * 32}, 0.5)
RING = "ring trophozoite"


def compared(dataset: DetectionSet, tables: Sequence[Detections | Exception]) -> dict[str, Any]:
    def detect(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
        answer = tables[int(path.stem)]
        if isinstance(answer, Exception):
            raise answer
        return FieldOutcome(answer, 40.0)

    return evaluate_findings(dataset, detect, READER, split="test")


def cells(table: Table, rows: Sequence[tuple[str, float]]) -> Detections:
    return table([(name, x, 50.0, 40.0, 0.9) for name, x in rows])


def test_types_are_compared_where_they_are_marked(build: Build, table: Table):
    """Four marks, of which one is not found and one is called otherwise; what lies elsewhere does not count."""
    marks = [("target cell", 50, 50, 40), ("target cell", 150, 50, 40), ("spherocyte", 250, 50, 40)]
    dataset = build([[*marks, ("spherocyte", 450, 50, 40)]])
    seen = cells(table, [("target cell", 55), ("normal RBC", 150), ("spherocyte", 250), ("spherocyte", 900)])
    result = compared(dataset, [seen])
    assert (result["marked"], result["found"]) == (4, 3)
    assert {name: (one["truth"], one["counted"], one["bias"]) for name, one in result["types"].items()} == {
        "target cell": (2, 1, -0.5),
        "spherocyte": (1, 1, 0.0),
    }
    assert "3 of 4 marked cells with a type found" in table_of(result)


def test_sizes_have_no_bias_without_a_pixel_size(build: Build, table: Table):
    result = compared(build([[("microcyte", 50, 50, 40)]]), [cells(table, [("normal RBC", 50)])])
    assert result["types"]["microcyte"] == {"truth": 1, "counted": 0, "bias": None, "limits": None}


def test_parasitaemia_by_hand(build: Build, table: Table):
    """Marked 1 of 4 and 2 of 4, found 1 of 4 and 1 of 4: differences of 0 and -25 points."""
    first = [(RING, 50, 50, 40), *[("RBC", 150 + 100 * k, 50, 40) for k in range(3)]]
    second = [(RING, 50, 50, 40), (RING, 150, 50, 40), ("RBC", 250, 50, 40), ("RBC", 350, 50, 40)]
    found = cells(table, [(RING, 50), *[("normal RBC", 150 + 100 * k) for k in range(3)]])
    result = compared(build([first, second]), [found, found])["parasitaemia"]
    spread = 1.96 * np.std([0, -25], ddof=1)
    assert result == {
        "truth_percent": 37.5,
        "percent": 25.0,
        "bias": -12.5,
        "agreement": pytest.approx([-12.5 - spread, -12.5 + spread], abs=1e-5),
        "images": 2,
    }


def test_the_differential_is_that_of_the_white_cells_found(build: Build, table: Table):
    dataset = build([[("WBC", 50, 50, 80), ("WBC", 250, 50, 80)], [("WBC", 50, 50, 80)]])
    tables = [cells(table, [("neutrophil", 50), ("nucleated RBC", 250)]), cells(table, [("lymphocyte", 50)])]
    result = compared(dataset, tables)["differential"]
    assert (result["n"], result["truth"]) == (2, 3)
    assert {name: one["count"] for name, one in result["types"].items()} == {"neutrophil": 1, "lymphocyte": 1}


def test_refused_images_count_for_nothing(build: Build, table: Table):
    dataset = build([[("target cell", 50, 50, 40)], [("target cell", 50, 50, 40)]])
    result = compared(dataset, [cells(table, [("target cell", 50)]), ScaleNotCredibleError("no scale")])
    assert result["types"]["target cell"]["truth"] == 1
    assert len(result["refused"]) == 1
    assert "refused, no credible scale" in table_of(result)
