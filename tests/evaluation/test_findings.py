from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError, ScaleNotCredibleError
from hemato_lab.evaluation import runner
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


def test_doubtful_marks_are_neither_marked_nor_found(build: Build, table: Table):
    marks = [("target cell", 50, 50, 40), ("target cell", 150, 50, 40)]
    dataset = build([marks], difficult=frozenset({(0, 1)}))
    result = compared(dataset, [cells(table, [("target cell", 50), ("target cell", 150)])])
    assert (result["marked"], result["found"]) == (1, 1)
    assert (result["types"]["target cell"]["truth"], result["types"]["target cell"]["counted"]) == (1, 1)


@pytest.mark.parametrize(("away", "found"), [(19.9, 1), (20.1, 0)])
def test_a_mark_is_found_within_half_a_red_cell(build: Build, table: Table, away: float, found: int):
    result = compared(build([[("target cell", 50, 50, 40)]]), [cells(table, [("target cell", 50 + away)])])
    assert (result["marked"], result["found"]) == (1, found)


def test_a_cell_of_another_kind_is_not_found_at_a_mark(build: Build, table: Table):
    result = compared(build([[("target cell", 50, 50, 40)]]), [cells(table, [("platelet", 50)])])
    assert (result["marked"], result["found"], result["types"]) == (1, 0, {})


def test_limits_come_from_images_of_several_patients(build: Build, table: Table):
    """One of two patients without bias, the other with all missed: the bootstrap's extremes are these two."""
    marks = [[("target cell", 50 + 100 * k, 50, 40) for k in range(4)]] * 2
    tables = [cells(table, [(name, 50 + 100 * k) for k in range(4)]) for name in ("target cell", "normal RBC")]
    one = compared(build(marks), tables)["types"]["target cell"]
    assert one == {"truth": 8, "counted": 4, "bias": -0.5, "limits": [-1.0, 0.0]}
    alone = compared(build(marks, groups=["slide", "slide"]), tables)["types"]["target cell"]
    assert alone == {**one, "limits": None}


def test_no_parasitaemia_where_not_every_parasite_is_marked_or_there_is_one_image(build: Build, table: Table):
    marks, found = [(RING, 50, 50, 40), ("RBC", 150, 50, 40)], cells(table, [(RING, 50), ("normal RBC", 150)])
    assert compared(build([marks, marks]), [found, found])["parasitaemia"]["images"] == 2
    assert compared(build([marks, marks], complete=[["RBC"], ["RBC"]]), [found, found])["parasitaemia"] is None
    assert compared(build([marks]), [found])["parasitaemia"] is None


def test_white_cells_are_counted_alike_in_marks_and_in_what_was_found(build: Build, table: Table):
    """Nucleated red cells and smudges are in no differential's total (DOMAIN.md section 3.4)."""
    names = ["WBC", "nucleated RBC", "smudge cell"]
    dataset = build([[(name, 50 + 100 * k, 50, 80) for k, name in enumerate(names)]])
    found = cells(table, [(name, 50 + 100 * k) for k, name in enumerate(["lymphocyte", *names[1:]])])
    result = compared(dataset, [found])["differential"]
    assert (result["n"], result["truth"]) == (1, 1)
    partly = build([[("WBC", 50, 50, 80)]], complete=[["RBC"]])
    assert compared(partly, [found])["differential"]["truth"] is None


def test_the_table_says_all_of_it(build: Build, table: Table):
    marks = [[(RING, 50, 50, 40), ("RBC", 150, 50, 40), ("WBC", 350, 50, 80), ("microcyte", 450, 50, 40)]] * 2
    both = [(RING, 50), ("normal RBC", 150), ("lymphocyte", 350), ("normal RBC", 450)]
    missed = [("normal RBC", 50), *both[1:]]
    text = table_of(compared(build(marks), [cells(table, both), cells(table, missed)]))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "built test: 2 images, detector synthetic, scale estimated"
    assert "4 of 4 marked cells with a type found" in lines
    assert "ring trophozoite 2 1 -0.500 [-1.000, 0.000]" in lines
    assert "microcyte 2 0 -" in lines
    assert "parasitaemia: marked 33.333 %, found 16.667 %, all images together" in lines
    # Differences of 0 and -33.3 points: their standard deviation is 23.57, 1.96 of which are 46.198.
    agreement = "mean difference -16.667 points, 95 % limits of agreement -62.864 to +29.531"
    assert f"of 2 images: {agreement}" in lines
    assert "differential of 2 white cells found, 2 marked" in lines
    assert "lymphocyte 2 100.0 15.8 to 100.0" in lines
    assert "[low, high]: 95 % limits, 1000 resamples of 2 groups" in lines
    assert lines[-1] == "For Research Use Only. Not for use in diagnostic procedures."


def test_the_option_reads_with_the_whole_pipeline_and_goes_with_no_other(
    build: Build, table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    build([[("target cell", 50, 50, 40)]])
    asked: list[tuple[str, str | None]] = []

    def stand_in(detector: str, model: str | None):
        asked.append((detector, model))
        return lambda _path, _diameter: FieldOutcome(cells(table, [("target cell", 50)]), 40.0)

    monkeypatch.setattr(runner, "pipeline_read", stand_in)
    monkeypatch.setattr(runner, "parasite_reader", lambda *_: READER)
    result = runner.run_evaluation(tmp_path, split="test", findings=True, detector="onnx", model="a.onnx")
    assert asked == [("onnx", "a.onnx")]
    assert result["types"]["target cell"]["counted"] == 1
    with pytest.raises(ConfigError, match="--parasites does not go with --findings"):
        runner.run_evaluation(tmp_path, split="test", findings=True, parasites=True)
    with pytest.raises(ConfigError, match="--findings does not go with --classifier"):
        runner.run_evaluation(tmp_path, split="test", findings=True, classifier="malaria")
