from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.classifiers.base import Classification
from hemato_lab.errors import ConfigError, UnreadableInputError
from hemato_lab.evaluation.classification import Answers, crop_figures, evaluate_crops
from hemato_lab.evaluation.dataset import CropSet, LabelledCrop
from hemato_lab.evaluation.naming import common_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


UNSURE = 0.58


class Told:
    """Answers with probabilities written into the first pixels of each crop; knows none below `UNSURE`."""

    name = "told"
    model_sha256 = "ab" * 32

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.told_diameter: float | None = None

    def classify(self, crops: Sequence[np.ndarray], *, rbc_diameter_px: float | None = None) -> Classification:
        self.told_diameter = rbc_diameter_px
        rows = [crop[0, : len(self.classes), 0] / 100.0 for crop in crops]
        table = np.array(rows).reshape(len(crops), len(self.classes))
        return Classification(self.classes, table, table.max(axis=1) < UNSURE)


def crop_set(rows: Sequence[tuple[str, Sequence[int], str]]) -> tuple[CropSet, Callable[[Path], np.ndarray]]:
    """Rows of label, percentages, group; and a reader that hands out the percentages as pixels."""
    crops = tuple(
        LabelledCrop(Path(f"{i}.jpg"), f"cells/{i}.jpg", label, "test", group)
        for i, (label, _, group) in enumerate(rows)
    )

    def read(path: Path) -> np.ndarray:
        percentages = rows[int(path.stem)][1]
        pixels = np.zeros((1, len(percentages), 3), dtype=np.uint8)
        pixels[0, :, 0] = percentages
        return pixels

    return CropSet("cells", tuple(dict.fromkeys(row[0] for row in rows)), crops), read


POSITIVE, NEGATIVE = "parasitised RBC", "uninfected RBC"


def test_a_binary_set_worked_by_hand() -> None:
    dataset, read = crop_set(
        [
            (POSITIVE, (90, 10), "a"),
            (POSITIVE, (60, 40), "a"),
            (POSITIVE, (30, 70), "b"),
            (NEGATIVE, (20, 80), "b"),
            (NEGATIVE, (55, 45), "c"),
        ]
    )
    result = evaluate_crops(dataset, Told((POSITIVE, NEGATIVE)), read, split="test").to_json()
    assert (result["dataset"], result["split"], result["classifier"], result["crops"]) == ("cells", "test", "told", 5)
    assert result["model_sha256"] == "ab" * 32
    assert result["accuracy"] == pytest.approx(0.6)
    assert result["confusion"] == {POSITIVE: {POSITIVE: 2, NEGATIVE: 1}, NEGATIVE: {POSITIVE: 1, NEGATIVE: 1}}
    positive, negative = result["classes"][POSITIVE], result["classes"][NEGATIVE]
    assert positive["truth"] == 3
    assert positive["precision"] == positive["recall"] == positive["f1"] == pytest.approx(2 / 3, abs=1e-6)
    assert negative["precision"] == negative["recall"] == negative["f1"] == 0.5
    assert result["macro_f1"] == pytest.approx((2 / 3 + 1 / 2) / 2, abs=1e-6)
    # of 6 pairs: .9 and .6 beat both, .3 beats .2 only
    assert result["auc"] == pytest.approx(5 / 6, abs=1e-6)
    # 15 bins: .9 | .6 right and .55 wrong share none: 8/15 < .55 <= 9/15 holds .6 too; .7; .8
    expected = (0.1 + abs(1.15 - 1) + 0.7 + 0.2) / 5
    assert result["ece"] == pytest.approx(expected, abs=1e-6)
    # only the wrong .55 is below what the classifier knows
    assert result["unknown"] == pytest.approx(1 / 5, abs=1e-6)
    assert result["accuracy_known"] == pytest.approx(3 / 4, abs=1e-6)
    assert result["left_out"] == {}
    json.dumps(result, allow_nan=False)


def test_a_stated_diameter_reaches_the_classifier_and_the_result() -> None:
    dataset, read = crop_set([(POSITIVE, (90, 10), "a"), (NEGATIVE, (20, 80), "b")])
    classifier = Told((POSITIVE, NEGATIVE))
    result = evaluate_crops(dataset, classifier, read, split="test", rbc_diameter_px=40.0).to_json()
    assert classifier.told_diameter == 40.0
    assert result["scale"] == {"rbc_diameter_px": 40.0, "origin": "stated"}


def test_crops_without_a_common_scale_tell_it_themselves() -> None:
    """The pixels of these crops are black but for the first row's first channel."""
    dataset, read = crop_set([(POSITIVE, (30, 10), "a"), (NEGATIVE, (20, 38), "b")])
    classifier = Told((POSITIVE, NEGATIVE))
    evaluate_crops(dataset, classifier, read, split="test", rbc_diameter_px=99.0)
    result = evaluate_crops(dataset, classifier, read, split="test").to_json()
    assert classifier.told_diameter is None
    assert result["scale"] == {"rbc_diameter_px": None, "origin": "cells on black"}


def test_nothing_outside_the_split_and_the_limit_is_read() -> None:
    """Not for the scale either: a test split must not be looked at while others are scored."""
    rows = [(POSITIVE, (90, 10), "a"), (NEGATIVE, (20, 80), "b"), (POSITIVE, (60, 40), "c"), (NEGATIVE, (9, 91), "d")]
    dataset, read = crop_set(rows)
    splits = ("val", "test", "val", "val")
    crops = tuple(replace(crop, split=split) for crop, split in zip(dataset.crops, splits, strict=True))
    seen: set[str] = set()

    def watched(path: Path) -> np.ndarray:
        seen.add(path.stem)
        return read(path)

    some = replace(dataset, crops=crops)
    result = evaluate_crops(some, Told((POSITIVE, NEGATIVE)), watched, split="val", limit=2).to_json()
    assert (seen, result["crops"]) == ({"0", "2"}, 2)


@pytest.mark.parametrize(("percentages", "unknown", "known"), [((50, 50), 1.0, None), ((40, 60), 0.0, 0.5)])
def test_accuracy_of_the_known_needs_known_crops(
    percentages: tuple[int, int], unknown: float, known: float | None
) -> None:
    dataset, read = crop_set([(POSITIVE, percentages, "a"), (NEGATIVE, percentages, "b")])
    result = evaluate_crops(dataset, Told((POSITIVE, NEGATIVE)), read, split="test").to_json()
    assert (result["accuracy"], result["unknown"], result["accuracy_known"]) == (0.5, unknown, known)
    assert result["limits"]["unknown"] == [unknown, unknown]
    assert (result["limits"]["accuracy_known"] is None) == (known is None)


def random_rows(seed: int) -> list[tuple[str, tuple[int, ...], str]]:
    random = np.random.default_rng(seed)
    labels = random.choice([POSITIVE, NEGATIVE], 60)
    return [
        (str(label), tuple(random.multinomial(100, [0.4, 0.4, 0.2]).tolist()), f"patient {number % 7}")
        for number, label in enumerate(labels)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_crops_changes_no_figure(seed: int) -> None:
    rows = random_rows(seed)
    order = np.random.default_rng(seed).permutation(len(rows))
    results = []
    for listed in (rows, [rows[number] for number in order]):
        dataset, read = crop_set(listed)
        one = CropSet(dataset.name, (POSITIVE, NEGATIVE), dataset.crops)
        results.append(evaluate_crops(one, Told((POSITIVE, NEGATIVE, "blast")), read, split="test").to_json())
        # limits are drawn by the number of a group, which is that of its first crop
        for result in (results[-1], *results[-1]["classes"].values()):
            del result["limits"]
    assert results[0] == results[1]


answer = st.tuples(st.integers(0, 1), st.integers(0, 2), st.booleans(), st.integers(0, 3))


@given(st.lists(answer, min_size=1, max_size=30))
def test_known_and_unknown_crops_make_up_the_whole(rows: list[tuple[int, int, bool, int]]) -> None:
    """Rows of truth, answer, whether the classifier said that it does not know, and how often the crop occurs."""
    truth, named, unknown, weight = (np.array(column) for column in zip(*rows, strict=True))
    names = common_names([POSITIVE, NEGATIVE], [POSITIVE, NEGATIVE, "blast"], dataset="cells", classifier="told")
    answers = Answers(truth, np.eye(3)[named], unknown.astype(bool), 2)
    figures = crop_figures(answers, names, weight[None].astype(np.float64))
    repeated = np.repeat(np.arange(len(rows)), weight)
    if not len(repeated):
        assert all(np.isnan(figures[name][0]) for name in ("accuracy", "unknown", "accuracy_known"))
        return
    right, known = (named == truth)[repeated], ~unknown.astype(bool)[repeated]
    assert figures["unknown"][0] + np.mean(known) == pytest.approx(1.0)
    expected = np.mean(right[known]) if known.any() else np.nan
    np.testing.assert_allclose(figures["accuracy_known"][0], expected)
    parts = [np.mean(part) * np.mean(right[part]) for part in (known, ~known) if part.any()]
    assert figures["accuracy"][0] == pytest.approx(sum(parts))


def test_the_area_does_not_depend_on_which_name_is_positive() -> None:
    generator = np.random.default_rng(0)
    rows = [
        (str(generator.choice([POSITIVE, NEGATIVE])), tuple(generator.multinomial(100, [0.5, 0.3, 0.2])), str(i))
        for i in range(40)
    ]
    classes = (POSITIVE, NEGATIVE, "blast")
    areas = [
        evaluate_crops(CropSet(d.name, labels, d.crops), Told(classes), read, split="test").to_json()["auc"]
        for d, read in [crop_set(rows)]
        for labels in ((POSITIVE, NEGATIVE), (NEGATIVE, POSITIVE))
    ]
    assert areas[0] == areas[1]


def test_other_answers_are_wrong_and_shown() -> None:
    dataset, read = crop_set([("monocyte", (80, 10, 10), "a"), ("basophil", (10, 20, 70), "b")])
    result = evaluate_crops(dataset, Told(("monocyte", "basophil", "blast")), read, split="test").to_json()
    assert result["confusion"]["basophil"] == {"monocyte": 0, "basophil": 0, "blast": 1}
    assert result["accuracy"] == 0.5
    assert result["auc"] is not None


def test_more_than_two_names_have_no_area_and_no_single_threshold() -> None:
    dataset, read = crop_set(
        [("monocyte", (80, 10, 10), "a"), ("basophil", (10, 80, 10), "b"), ("blast", (0, 20, 80), "c")]
    )
    result = evaluate_crops(dataset, Told(("monocyte", "basophil", "blast")), read, split="test").to_json()
    assert result["auc"] is None
    assert result["limits"]["auc"] is None
    assert result["accuracy"] == 1.0
    assert result["macro_f1"] == 1.0


def test_macro_f1_is_over_the_names_that_occur() -> None:
    dataset, read = crop_set([("monocyte", (80, 20, 0), "a"), ("basophil", (10, 90, 0), "b")])
    wider = CropSet(dataset.name, (*dataset.labels, "blast"), dataset.crops)
    result = evaluate_crops(wider, Told(("monocyte", "basophil", "blast")), read, split="test").to_json()
    assert result["macro_f1"] == 1.0
    assert result["classes"]["blast"] == {
        "truth": 0,
        "precision": None,
        "recall": None,
        "f1": None,
        "limits": {"precision": None, "recall": None, "f1": None},
    }


def test_labels_roll_up_and_say_so() -> None:
    dataset, read = crop_set([("early blast", (90, 10), "a"), ("pro blast", (80, 20), "b"), ("benign", (5, 95), "c")])
    result = evaluate_crops(dataset, Told(("blast", "benign")), read, split="test").to_json()
    assert result["rolled_up"] == {"early blast": "blast", "pro blast": "blast"}
    assert result["classes"]["blast"]["truth"] == 2
    assert result["accuracy"] == 1.0


def test_limits_resample_whole_groups() -> None:
    rows = [(POSITIVE, (90, 10) if group < 5 else (10, 90), str(group)) for group in range(10) for _ in range(50)]
    dataset, read = crop_set(rows)
    one_label = CropSet(dataset.name, (POSITIVE, NEGATIVE), dataset.crops)
    result = evaluate_crops(one_label, Told((POSITIVE, NEGATIVE)), read, split="test").to_json()
    low, high = result["limits"]["accuracy"]
    # ten patients that are all right or all wrong tell as much as ten crops: binomial(10, 1/2) / 10
    assert (low, high) == (0.2, 0.8)
    assert result["groups"] == 10


def test_limit_and_batches_cover_the_crops_once() -> None:
    rows = [(POSITIVE, (90, 10), str(i)) for i in range(150)] + [(NEGATIVE, (10, 90), "x")]
    dataset, read = crop_set(rows)
    result = evaluate_crops(dataset, Told((POSITIVE, NEGATIVE)), read, split="test").to_json()
    assert (result["crops"], result["accuracy"]) == (151, 1.0)
    assert evaluate_crops(dataset, Told((POSITIVE, NEGATIVE)), read, split="test", limit=7).to_json()["crops"] == 7


def test_a_classifier_for_other_cells_is_refused() -> None:
    dataset, read = crop_set([("monocyte", (80, 20), "a"), ("basophil", (10, 90), "b")])
    with pytest.raises(ConfigError, match="no class for monocyte, basophil"):
        evaluate_crops(dataset, Told((POSITIVE, NEGATIVE)), read, split="test")


ROWS = [
    (POSITIVE, (90, 10), "a"),
    (NEGATIVE, (20, 80), "b"),
    (POSITIVE, (60, 40), "c"),
    (NEGATIVE, (55, 45), "d"),
]


@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_crops_that_cannot_be_read_are_set_aside(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """The others have the figures they have without them, and the skipped ones are listed with the reason."""
    monkeypatch.setattr("hemato_lab.evaluation.classification.CROPS_AT_ONCE", at_once)
    dataset, read = crop_set(ROWS)

    def failing(path: Path) -> np.ndarray:
        if path.stem in ("0", "1"):
            raise UnreadableInputError("is empty", subject=path.name)
        return read(path)

    classifier = Told((POSITIVE, NEGATIVE))
    result = evaluate_crops(dataset, classifier, failing, split="test").to_json()
    assert result.pop("skipped") == [
        {"file": "cells/0.jpg", "reason": "is empty"},
        {"file": "cells/1.jpg", "reason": "is empty"},
    ]
    fewer, read_fewer = crop_set(ROWS[2:])
    alone = evaluate_crops(fewer, classifier, read_fewer, split="test").to_json()
    assert alone.pop("skipped") == []
    assert result == alone
    assert (result["crops"], result["accuracy"]) == (2, 0.5)


def test_when_no_crop_can_be_read_the_first_reason_is_raised() -> None:
    dataset, _ = crop_set(ROWS)

    def failing(path: Path) -> np.ndarray:
        raise UnreadableInputError("is empty", subject=path.name)

    with pytest.raises(UnreadableInputError, match=r"0\.jpg: is empty"):
        evaluate_crops(dataset, Told((POSITIVE, NEGATIVE)), failing, split="test")
