from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.evaluation.dataset import DetectionSet
from hemato_lab.evaluation.fields import FieldOutcome
from hemato_lab.evaluation.parasites import (
    MOST_FALSE,
    ParasiteEvidence,
    Reader,
    evaluate_parasites,
    is_parasite,
    parasite_figures,
)

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[..., DetectionSet]
Table = Callable[[Sequence[tuple[str, float, float, float, float]]], Detections]
READER = Reader("synthetic", {"malaria": "ab" * 32}, 0.5)
RING = "ring trophozoite"


def scored(dataset: DetectionSet, tables: Sequence[Detections], **options: Any) -> dict[str, Any]:
    def detect(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
        return FieldOutcome(tables[int(path.stem)], 40.0)

    return evaluate_parasites(dataset, detect, READER, split="test", **options)


def found(table: Table, rows: Sequence[tuple[str, float, float, float]]) -> Detections:
    """Cells from (name, x, y, parasite score)."""
    cells = table([(name, x, y, 40, 0.9) for name, x, y, _ in rows])
    return cells.with_columns(parasite_score=np.array([row[3] for row in rows]))


def test_one_field_worked_by_hand(build: Build, table: Table) -> None:
    dataset = build(
        [[(RING, 50, 50, 40), (RING, 150, 50, 40), (RING, 250, 50, 40), ("RBC", 350, 50, 40), ("WBC", 450, 50, 80)]]
    )
    cells = found(
        table,
        [
            (RING, 50, 50, 0.9),  # found and named
            ("schizont", 150, 50, 0.8),  # found, named otherwise; the set knows no schizont
            ("uncategorised RBC", 250, 50, 0.3),  # found as a cell, its parasite is not
            (RING, 350, 50, 0.7),  # a healthy cell
            (RING, 550, 50, 0.6),  # nothing there
        ],
    )
    result = scored(dataset, [cells])
    assert (result["red_cells"], result["parasites"], result["threshold"]) == (5, 3, 0.5)
    # a name that the set does not know is no call of one of its stages
    assert result["recall"] == pytest.approx(1 / 3, abs=1e-6)
    assert result["precision"] == pytest.approx(1 / 3, abs=1e-6)
    assert result["false_per_1000"] == pytest.approx(2 / 5 * 1000, abs=1e-3)
    # one in 1,000 of five cells is none: .9 and .8 lie on parasites, .7 does not
    assert result["recall_at_1_per_1000"] == pytest.approx(2 / 3, abs=1e-6)
    assert result["score_at_1_per_1000"] == pytest.approx(0.8)
    ring = result["stages"][RING]
    assert (ring["truth"], ring["recall"]) == (3, pytest.approx(1 / 3, abs=1e-6))
    assert ring["precision"] == pytest.approx(1 / 3, abs=1e-6)
    assert result["stage_macro_f1"] == pytest.approx(1 / 3, abs=1e-6)
    assert result["stage_macro_f1_found"] == 1.0
    assert result["models"] == {"malaria": "ab" * 32}


def test_a_parasite_without_any_cell_found_is_missed(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40), (RING, 150, 50, 40)]])
    result = scored(dataset, [found(table, [(RING, 50, 50, 0.9)])])
    assert (result["recall"], result["recall_at_1_per_1000"], result["precision"]) == (0.5, 0.5, 1.0)


def test_cells_on_ignored_marks_count_nowhere(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40), (RING, 150, 50, 40)]], difficult=frozenset({(0, 1)}))
    result = scored(dataset, [found(table, [(RING, 50, 50, 0.9), (RING, 150, 50, 0.8)])])
    assert (result["red_cells"], result["parasites"], result["recall"], result["precision"]) == (1, 1, 1.0, 1.0)


def test_equal_scores_are_called_together(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40), ("RBC", 150, 50, 40)]])
    result = scored(dataset, [found(table, [(RING, 50, 50, 0.9), (RING, 150, 50, 0.9)])])
    assert result["recall"] == 1.0
    assert result["recall_at_1_per_1000"] == 0.0


def test_fields_without_exhaustive_marks_are_refused(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40)]], complete=[["RBC"]])
    with pytest.raises(ConfigError, match="no exhaustively marked parasites"):
        scored(dataset, [found(table, [(RING, 50, 50, 0.9)])])


def test_nothing_found_is_a_recall_of_nothing(build: Build, table: Table) -> None:
    result = scored(build([[(RING, 50, 50, 40)]]), [table([])])
    assert (result["recall"], result["recall_at_1_per_1000"], result["red_cells"]) == (0.0, 0.0, 0)
    assert result["precision"] is result["false_per_1000"] is None


@pytest.mark.parametrize(("name", "expected"), [(RING, True), ("parasitised RBC", True), ("sickle cell", False)])
def test_parasites_are_known_by_their_names(name: str, *, expected: bool) -> None:
    assert is_parasite(name) == expected


cells = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.7, 0.9]), st.booleans(), st.integers(0, 3)),
    min_size=1,
    max_size=60,
)


@given(cells, st.integers(0, 3))
def test_the_best_recall_is_that_of_the_best_allowed_threshold(
    rows: list[tuple[float, bool, int]], missed: int
) -> None:
    """Against trying every threshold on every image weight by hand."""
    rows.sort(key=lambda row: -row[0])
    score, infected, image = (np.array(column) for column in zip(*rows, strict=True))
    marked = np.bincount(image[infected], minlength=4).astype(float)
    marked[0] += missed
    evidence = ParasiteEvidence(
        score=score.astype(float),
        called=np.where(score >= 0.5, 0, -1),
        truth=np.where(infected, 0, -1),
        image=image,
        marked=marked[:, None],
        red_cells=np.bincount(image, minlength=4).astype(float),
    )
    weight = np.array([[1.0, 1, 1, 1], [2, 0, 1, 1], [400, 1, 700, 3]])
    figures = parasite_figures(evidence, ("ring trophozoite",), weight)
    for row, one in enumerate(weight):
        total = one @ marked
        allowed = [0.0]
        for threshold in sorted(set(score[score > 0])):
            called = score >= threshold
            if one[image[called & ~infected]].sum() <= MOST_FALSE * one[image].sum():
                allowed.append(one[image[called & infected]].sum() / total if total else np.nan)
        expected = max(allowed) if total else np.nan
        np.testing.assert_allclose(figures["recall_at_1_per_1000"][row], expected)
        if figures["false_per_1000"][row] <= 1:
            assert not figures["recall"][row] > figures["recall_at_1_per_1000"][row] + 1e-12
