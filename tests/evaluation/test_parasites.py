from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError, ScaleNotCredibleError, UnreadableInputError
from hemato_lab.evaluation.dataset import DetectionSet
from hemato_lab.evaluation.fields import FieldOutcome
from hemato_lab.evaluation.parasites import (
    MOST_FALSE,
    ParasiteEvidence,
    Reader,
    _stage_index,
    evaluate_parasites,
    is_parasite,
    parasite_figures,
)

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[..., DetectionSet]
Table = Callable[[Sequence[tuple[str, float, float, float, float]]], Detections]
READER = Reader("synthetic", {"malaria": "ab" * 32}, 0.5)
RING, LATER = "ring trophozoite", "trophozoite"


def scored(dataset: DetectionSet, tables: Sequence[Detections | Exception], **options: Any) -> dict[str, Any]:
    """With a detector that knows its answers, or what to raise, by the number in the file's name."""

    def detect(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
        answer = tables[int(path.stem)]
        if isinstance(answer, Exception):
            raise answer
        return FieldOutcome(answer, 40.0)

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
    # a stage that the set does not know is a call all the same
    assert result["recall"] == pytest.approx(2 / 3, abs=1e-6)
    assert result["precision"] == pytest.approx(2 / 4, abs=1e-6)
    assert result["false_per_1000"] == pytest.approx(2 / 5 * 1000, abs=1e-3)
    # one in 1,000 of five cells is none: .9 and .8 lie on parasites, .7 does not
    assert result["recall_at_1_per_1000"] == pytest.approx(2 / 3, abs=1e-6)
    assert result["score_at_1_per_1000"] == pytest.approx(0.8)
    ring = result["stages"][RING]
    assert (ring["truth"], ring["recall"]) == (3, pytest.approx(1 / 3, abs=1e-6))
    assert ring["precision"] == pytest.approx(1 / 3, abs=1e-6)
    assert result["stage_macro_f1"] == pytest.approx(1 / 3, abs=1e-6)
    assert result["stage_macro_f1_found"] == pytest.approx(2 / 3, abs=1e-6)
    assert result["models"] == {"malaria": "ab" * 32}


def test_two_stages_in_two_fields_worked_by_hand(build: Build, table: Table) -> None:
    dataset = build(
        [
            [(RING, 50, 50, 40), (LATER, 150, 50, 40), ("RBC", 250, 50, 40)],
            [(RING, 50, 50, 40), (RING, 150, 50, 40), (LATER, 250, 50, 40)],
        ]
    )
    first = [(RING, 50, 50, 0.8), ("uncategorised RBC", 150, 50, 0.2), (RING, 250, 50, 0.7)]  # right, missed, false
    second = [(RING, 50, 50, 0.95), (LATER, 150, 50, 0.9), (LATER, 250, 50, 0.85)]  # the middle one is named wrongly
    result = scored(dataset, [found(table, first), found(table, second)])
    assert (result["images"], result["red_cells"], result["parasites"]) == (2, 6, 5)
    assert (result["recall"], result["precision"]) == (0.8, 0.8)
    assert result["false_per_1000"] == pytest.approx(1000 / 6, abs=1e-6)
    assert (result["recall_at_1_per_1000"], result["score_at_1_per_1000"]) == (0.8, 0.8)
    # of three called rings two are, and two of the three marked are called so; of the later stage one and one of two
    for name, truth, share in ((RING, 3, 2 / 3), (LATER, 2, 1 / 2)):
        stage = result["stages"][name]
        assert stage["truth"] == truth
        assert [stage[figure] for figure in ("precision", "recall", "f1")] == pytest.approx([share] * 3, abs=1e-6)
    assert result["stage_macro_f1"] == pytest.approx((2 / 3 + 1 / 2) / 2, abs=1e-6)
    # of the four called and marked: both called rings are, of three; one of the two called later is, of one
    assert result["stage_macro_f1_found"] == pytest.approx((2 * 2 / (2 + 3) + 2 * 1 / (2 + 1)) / 2, abs=1e-6)
    # each field is drawn alone in a quarter of the resamples: 1 of 2 or 3 of 3 are found, 1 of 3 cells or none is false
    assert result["groups"] == 2
    assert result["limits"]["recall"] == [0.5, 1.0]
    assert result["limits"]["false_per_1000"] == pytest.approx([0.0, 1000 / 3], abs=1e-6)
    assert result["limits"]["stage_macro_f1"] is not None
    json.dumps(result, allow_nan=False)


def test_a_parasite_without_any_cell_found_is_missed(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40), (RING, 150, 50, 40)]])
    result = scored(dataset, [found(table, [(RING, 50, 50, 0.9)])])
    assert (result["recall"], result["recall_at_1_per_1000"], result["precision"]) == (0.5, 0.5, 1.0)


def test_any_stage_is_a_call_where_only_parasites_are_marked() -> None:
    assert _stage_index(np.array([RING, "parasitised RBC", "RBC", "gametocyte"]), ["parasitised RBC"]).tolist() == [
        *(0, 0, -1, 0)
    ]
    assert _stage_index(np.array([RING, "parasitised RBC", "schizont"]), [RING]).tolist() == [0, 1, 1]


def test_a_stage_of_which_none_was_called_does_not_hide_the_others(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40), ("trophozoite", 150, 50, 40)]])
    result = scored(dataset, [found(table, [(RING, 50, 50, 0.9), ("RBC", 150, 50, 0.1)])])
    assert result["stage_macro_f1_found"] == 1.0
    assert result["stage_macro_f1"] == 0.5


def test_cells_on_ignored_marks_count_nowhere(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40), (RING, 150, 50, 40)]], difficult=frozenset({(0, 1)}))
    result = scored(dataset, [found(table, [(RING, 50, 50, 0.9), (RING, 150, 50, 0.8)])])
    assert (result["red_cells"], result["parasites"], result["recall"], result["precision"]) == (1, 1, 1.0, 1.0)


def test_equal_scores_are_called_together(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40), ("RBC", 150, 50, 40)]])
    result = scored(dataset, [found(table, [(RING, 50, 50, 0.9), (RING, 150, 50, 0.9)])])
    assert result["recall"] == 1.0
    assert result["recall_at_1_per_1000"] == 0.0


@pytest.mark.parametrize("complete", [["RBC"], [RING, "RBC"]])
def test_fields_without_exhaustive_marks_are_refused(build: Build, table: Table, complete: list[str]) -> None:
    """Every stage that the set knows has to be marked, whether it occurs or not, and in every image."""
    dataset = build([[(RING, 50, 50, 40)]] * 2, complete=[[RING, LATER], complete])
    with pytest.raises(ConfigError, match="no exhaustively marked parasites"):
        scored(dataset, [found(table, [(RING, 50, 50, 0.9)])] * 2)
    assert scored(dataset, [found(table, [(RING, 50, 50, 0.9)])], limit=1)["recall"] == 1.0


def test_nothing_found_is_a_recall_of_nothing(build: Build, table: Table) -> None:
    result = scored(build([[(RING, 50, 50, 40)]]), [table([])])
    assert (result["recall"], result["recall_at_1_per_1000"], result["red_cells"]) == (0.0, 0.0, 0)
    assert result["precision"] is result["false_per_1000"] is None


def test_a_refused_field_has_missed_its_parasites_and_an_unreadable_one_none(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40)]] * 4)
    cells = found(table, [(RING, 50, 50, 0.9)])
    refused, damaged = ScaleNotCredibleError("no red cell"), UnreadableInputError("is damaged")
    result = scored(dataset, [cells, refused, damaged, cells])
    assert (result["images"], result["parasites"], result["red_cells"]) == (3, 3, 2)
    assert result["recall"] == result["recall_at_1_per_1000"] == pytest.approx(2 / 3, abs=1e-6)
    assert result["refused"] == ["images/001.jpg"]
    assert result["skipped"] == [{"file": "images/002.jpg", "reason": "is damaged"}]
    assert result["groups"] == 3
    with pytest.raises(UnreadableInputError, match="is damaged"):
        scored(dataset, [damaged] * 4)


def test_marked_places_are_found_by_their_centres(build: Build, table: Table) -> None:
    dataset = build([[(RING, 50, 50, 40)]], boxes=False, diameters=[40.0])
    cells = [found(table, [(RING, 65, 50, 0.9)])]
    assert scored(dataset, cells, match="center")["recall"] == 1.0
    with pytest.raises(ConfigError, match="--match center"):
        scored(dataset, cells)


@pytest.mark.parametrize("score", [np.nan, 0.0, None])
def test_cells_that_were_not_asked_for_parasites_are_never_called(
    build: Build, table: Table, score: float | None
) -> None:
    """NaN and 0 stand for not asked, as does a table without the column."""
    cells = table([("RBC", 50, 50, 40, 0.9), ("RBC", 150, 50, 40, 0.8)])
    if score is not None:
        cells = cells.with_columns(parasite_score=np.full(2, score))
    result = scored(build([[(RING, 50, 50, 40)]]), [cells])
    assert (result["red_cells"], result["recall"], result["recall_at_1_per_1000"]) == (2, 0.0, 0.0)
    assert (result["false_per_1000"], result["precision"]) == (0.0, None)


@pytest.mark.parametrize(("cells", "allowed"), [(999, False), (1000, True), (1999, True), (9000, True)])
def test_one_false_call_in_exactly_1000_cells_is_allowed(cells: int, *, allowed: bool) -> None:
    """The surest cell is called falsely, the next rightly, the others not at all."""
    truth = np.full(cells, -1)
    truth[1] = 0
    evidence = ParasiteEvidence(
        score=np.r_[0.9, 0.8, np.zeros(cells - 2)],
        called=np.where(np.arange(cells) < 2, 0, -1),
        truth=truth,
        image=np.zeros(cells, np.intp),
        marked=np.ones((1, 1)),
        red_cells=np.array([cells], np.float64),
    )
    figures = parasite_figures(evidence, (RING,), np.ones((1, 1)))
    assert figures["recall_at_1_per_1000"][0] == float(allowed)
    assert figures["false_per_1000"][0] == pytest.approx(1000 / cells)


def random_fields(table: Table, seed: int) -> tuple[list[list[tuple[str, float, float, float]]], list[Detections]]:
    """Five fields of marked cells on a grid, and cells found on most of them and beside them, with ties of scores."""
    random = np.random.default_rng(seed)
    places = [(60.0 * i, 60.0 * j) for i in range(1, 10) for j in range(1, 7)]
    marks, tables = [], []
    for _ in range(5):
        names = random.choice(["RBC", RING, LATER], len(places), p=[0.6, 0.2, 0.2])
        called = random.choice(["uncategorised RBC", RING, LATER], len(places))
        asked = random.integers(0, 8, len(places)) / 8
        there, seen = random.random(len(places)) < 0.8, random.random(len(places)) < 0.9
        rows = list(zip(names.tolist(), called.tolist(), asked.tolist(), places, strict=True))
        marks.append([(name, *place, 40.0) for (name, _, _, place), one in zip(rows, there, strict=True) if one])
        cells = [(call, *place, score) for (_, call, score, place), one in zip(rows, seen, strict=True) if one]
        tables.append(found(table, cells))
    return marks, tables


@pytest.mark.parametrize("seed", range(3))
def test_neither_the_order_of_images_nor_that_of_cells_matters(build: Build, table: Table, seed: int) -> None:
    marks, tables = random_fields(table, seed)
    plain = scored(build(marks), tables)
    random = np.random.default_rng(seed)
    shuffled = [one.select(random.permutation(len(one))) for one in tables]
    assert scored(build(marks), shuffled, jobs=3) == plain
    order = random.permutation(len(marks))
    other = scored(build([marks[i] for i in order]), [tables[i] for i in order])
    # limits are drawn by the number of a group, which is that of its first image
    for result in (plain, other, *plain["stages"].values(), *other["stages"].values()):
        del result["limits"]
    assert other == plain


@pytest.mark.parametrize(("name", "expected"), [(RING, True), ("parasitised RBC", True), ("sickle cell", False)])
def test_parasites_are_known_by_their_names(name: str, *, expected: bool) -> None:
    assert is_parasite(name) == expected


Row = tuple[float, int, int, int]
"""Parasite score, called stage, marked stage (-1 for none) and image of a red cell."""

stage = st.integers(-1, 1)
cell = st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.7, 0.9]), stage, stage, st.integers(0, 3))
cells = st.lists(cell, min_size=1, max_size=60)
missed_of = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=4, max_size=4)
times = st.lists(st.integers(0, 3), min_size=4, max_size=4)
STAGES = (RING, LATER)


def evidence_of(rows: Sequence[Row], missed: Sequence[tuple[int, int]]) -> ParasiteEvidence:
    """Evidence of four images, in each of which so many parasites of both stages were no cell found."""
    rows = sorted(rows, key=lambda row: -row[0])
    marked = np.array(missed, np.float64)
    for _, _, truth, image in rows:
        if truth >= 0:
            marked[image, truth] += 1
    score, called, truths, images = zip(*rows, strict=True)
    return ParasiteEvidence(
        score=np.array(score, np.float64),
        called=np.array(called, np.intp),
        truth=np.array(truths, np.intp),
        image=np.array(images, np.intp),
        marked=marked,
        red_cells=np.bincount(images, minlength=4).astype(np.float64),
    )


def share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def plain_figures(rows: Sequence[Row], marked: Sequence[int]) -> dict[str, float]:
    """Every figure by going through the cells one by one; ``marked`` parasites of each stage."""
    hits = sum(called >= 0 and truth >= 0 for _, called, truth, _ in rows)
    false = sum(called >= 0 > truth for _, called, truth, _ in rows)
    figures = {
        "recall": share(hits, sum(marked)),
        "precision": share(hits, hits + false),
        "false_per_1000": 1000 * share(false, len(rows)),
    }
    for number, name in enumerate(STAGES):
        right = sum(called == truth == number for _, called, truth, _ in rows)
        named = sum(called == number for _, called, _, _ in rows)
        figures[f"precision {name}"] = share(right, named)
        figures[f"recall {name}"] = share(right, marked[number])
        figures[f"f1 {name}"] = share(2 * right, named + marked[number])
    allowed = [0.0]
    for threshold in {row[0] for row in rows if row[0] > 0}:
        at_least = [row for row in rows if row[0] >= threshold]
        if 1000 * sum(truth < 0 for _, _, truth, _ in at_least) <= len(rows):
            allowed.append(share(sum(truth >= 0 for _, _, truth, _ in at_least), sum(marked)))
    figures["recall_at_1_per_1000"] = max(allowed) if sum(marked) else math.nan
    return figures


@given(cells, missed_of, times)
def test_every_figure_is_that_of_the_cells_one_by_one(
    rows: list[Row], missed: list[tuple[int, int]], repeats: list[int]
) -> None:
    """A weight is the same as repeating an image; a weight of 400 and 700 lets one false call pass."""
    evidence = evidence_of(rows, missed)
    weights = np.array([[1, 1, 1, 1], repeats, [400, 0, 700, 1]])
    figures = parasite_figures(evidence, STAGES, weights.astype(np.float64))
    for number, weight in enumerate(weights):
        repeated = [row for row in rows for _ in range(weight[row[3]])]
        marked = (weight @ evidence.marked).astype(int).tolist()
        for name, expected in plain_figures(repeated, marked).items():
            np.testing.assert_allclose(figures[name][number], expected, atol=1e-9, err_msg=name)


@given(cells, missed_of)
def test_the_best_recall_is_never_below_that_at_an_allowed_score(
    rows: list[Row], missed: list[tuple[int, int]]
) -> None:
    """The score that is told reaches it, within the false calls that are allowed; a perfect caller has the most."""
    evidence = evidence_of(rows, missed)
    weight = np.array([[1.0, 1, 1, 1], [400, 1, 700, 3]])
    figures = parasite_figures(evidence, STAGES, weight)
    for number, one in enumerate(weight):
        parasites, total = one @ evidence.marked.sum(axis=1), one @ evidence.red_cells
        best, told = figures["recall_at_1_per_1000"][number], figures["score_at_1_per_1000"][number]
        if parasites == 0:
            assert np.isnan(best)
            continue
        infected, of_image = evidence.truth >= 0, one[evidence.image]
        for score in {*evidence.score[evidence.score > 0], told}:
            called = evidence.score >= score
            false, recall = of_image[called & ~infected].sum(), of_image[called & infected].sum() / parasites
            if false <= MOST_FALSE * total:
                assert best >= recall - 1e-12
            if score == told:
                assert false <= MOST_FALSE * total
                assert recall == pytest.approx(best)
        assert 0 <= best <= 1


@given(cells, missed_of)
def test_stages_of_found_cells_are_never_named_worse_than_those_of_all(
    rows: list[Row], missed: list[tuple[int, int]]
) -> None:
    """Leaving out what was missed and what is no parasite takes only errors away."""
    figures = parasite_figures(evidence_of(rows, missed), STAGES, np.ones((1, 4)))
    whole, among_found = figures["stage_macro_f1"][0], figures["stage_macro_f1_found"][0]
    assert np.isnan([whole, among_found]).any() or among_found >= whole - 1e-12
