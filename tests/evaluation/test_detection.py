from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError, DatasetError, ScaleNotCredibleError
from hemato_lab.evaluation.dataset import DetectionSet
from hemato_lab.evaluation.detection import DetectorCard, class_figures, evaluate_detection
from hemato_lab.evaluation.evidence import gather_evidence
from hemato_lab.evaluation.fields import Detect, FieldOutcome

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[..., DetectionSet]
Table = Callable[[Sequence[tuple[str, float, float, float, float]]], Detections]
CARD = DetectorCard("synthetic", {"RBC": 0.5, "WBC": 0.5, "platelet": 0.5})


def answering(tables: Sequence[Detections | None], diameter: float = 50.0) -> Detect:
    """A detector that knows its answers by the number in the file's name; None is a refusal."""

    def detect(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
        answer = tables[int(path.stem)]
        if answer is None:
            raise ScaleNotCredibleError("no red cell", subject=str(path))
        return FieldOutcome(answer, diameter if rbc_diameter_px is None else rbc_diameter_px)

    return detect


def scored(dataset: DetectionSet, tables: Sequence[Detections | None], **options: Any) -> dict[str, Any]:
    return evaluate_detection(dataset, answering(tables), CARD, split="test", **options).to_json()


def test_one_field_worked_by_hand(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40), ("RBC", 150, 50, 40), ("RBC", 250, 50, 40), ("WBC", 400, 300, 80)]])
    found = table(
        [
            ("RBC", 52, 50, 40, 0.9),  # found
            ("RBC", 150, 90, 40, 0.8),  # touches a cell at its border: false
            ("RBC", 150, 50, 38, 0.7),  # found
            ("RBC", 500, 50, 40, 0.3),  # false, below the threshold
            ("WBC", 400, 300, 80, 0.4),  # found, below the threshold
        ]
    )
    result = scored(dataset, [found])
    red, white = result["classes"]["RBC"], result["classes"]["WBC"]
    assert red["truth"] == 3
    assert red["ap50"] == pytest.approx(1 / 3 + 1 / 3 * 2 / 3, abs=1e-6)
    assert red["precision"] == red["recall"] == red["f1"] == pytest.approx(2 / 3, abs=1e-6)
    assert (red["count_bias"], red["count_mae"], red["count_fields"], red["count_truth"]) == (0.0, 0.0, 1, 3.0)
    # of the three that are reported: .9 true, .8 false, .7 true, each in a bin of its own
    assert red["ece"] == pytest.approx((0.1 + 0.8 + 0.3) / 3, abs=1e-6)
    assert white["ap50"] == 1.0
    assert (white["precision"], white["recall"], white["f1"]) == (None, 0.0, 0.0)
    assert (white["count_bias"], white["count_mae"]) == (-1.0, 1.0)
    assert result["classes"]["platelet"]["ap50"] is None
    assert result["mean_ap50"] == pytest.approx((red["ap50"] + 1.0) / 2, abs=1e-6)


def test_the_surer_detection_takes_the_cell(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40)]])
    red = scored(dataset, [table([("RBC", 45, 50, 40, 0.6), ("RBC", 51, 50, 40, 0.9)])])["classes"]["RBC"]
    # by falling score the match comes first, so the false one costs precision but no area
    assert (red["ap50"], red["precision"]) == (1.0, 0.5)
    only_the_sure = [table([("RBC", 45, 50, 40, 0.4), ("RBC", 51, 50, 40, 0.9)])]
    assert scored(dataset, only_the_sure)["classes"]["RBC"]["recall"] == 1.0


def test_a_score_at_the_threshold_counts(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40)]])
    assert scored(dataset, [table([("RBC", 50, 50, 40, 0.5)])])["classes"]["RBC"]["recall"] == 1.0
    assert scored(dataset, [table([("RBC", 50, 50, 40, 0.4999)])])["classes"]["RBC"]["recall"] == 0.0


def test_the_json_has_the_documented_names(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40)], [("WBC", 50, 50, 40)]])
    result = scored(dataset, [table([("RBC", 50, 50, 40, 0.9)])] * 2)
    assert list(result)[:7] == ["dataset", "split", "detector", "model_sha256", "images", "mean_ap50", "classes"]
    assert (result["dataset"], result["split"], result["detector"]) == ("built", "test", "synthetic")
    assert result["model_sha256"] is None
    assert result["images"] == 2
    assert result["notice"] == "For Research Use Only. Not for use in diagnostic procedures."
    for scores in result["classes"].values():
        figures = {"ap50", "precision", "recall", "f1", "ece", "count_bias", "count_mae", "count_error"}
        assert {"truth", "threshold", *figures} < set(scores)
        assert set(scores["limits"]) == figures
    json.dumps(result, allow_nan=False)


def test_the_count_error_is_relative_to_the_marked_cells_of_each_field(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50 * i, 50, 40) for i in range(1, 5)], [("RBC", 50, 50, 40), ("RBC", 150, 50, 40)], []])
    found = [
        table([("RBC", 50 * i, 50, 40, 0.9) for i in range(1, 6)]),  # 5 of 4
        table([("RBC", 50, 50, 40, 0.9)]),  # 1 of 2
        table([("RBC", 50, 50, 40, 0.9)]),  # 1 of none, of which no share can be taken
    ]
    red = scored(dataset, found)["classes"]["RBC"]
    assert red["count_error"] == pytest.approx((1 / 4 + 1 / 2) / 2, abs=1e-6)
    assert red["count_mae"] == 1.0


def test_names_roll_up_to_their_detector_class(build: Build, table: Table) -> None:
    dataset = build([[("ring trophozoite", 50, 50, 40), ("sickle cell", 150, 50, 40), ("WBC", 300, 300, 80)]])
    found = table(
        [
            ("normal RBC", 50, 50, 40, 0.9),
            ("gametocyte", 150, 50, 40, 0.9),
            ("band neutrophil", 300, 300, 80, 0.9),
            ("artefact", 500, 300, 80, 0.9),
        ]
    )
    result = scored(dataset, [found])
    assert set(result["classes"]) == {"RBC", "WBC", "platelet"}
    assert (result["classes"]["RBC"]["truth"], result["classes"]["RBC"]["f1"]) == (2, 1.0)
    assert (result["classes"]["WBC"]["truth"], result["classes"]["WBC"]["f1"]) == (1, 1.0)
    assert result["classes"]["platelet"]["count_bias"] == 0.0


def test_difficult_objects_are_neither_truth_nor_false(build: Build, table: Table) -> None:
    marks = [[("RBC", 50, 50, 40), ("RBC", 150, 50, 40)]]
    found = table([("RBC", 50, 50, 40, 0.9), ("RBC", 150, 50, 40, 0.8), ("RBC", 152, 50, 40, 0.7)])
    red = scored(build(marks, difficult=frozenset({(0, 1)})), [found])["classes"]["RBC"]
    assert (red["truth"], red["precision"], red["recall"], red["ap50"], red["count_bias"]) == (1, 1.0, 1.0, 1.0, 0.0)


def test_unmarked_cells_count_as_false_unless_ignored(build: Build, table: Table) -> None:
    dataset = build(
        [[("RBC", 50, 50, 40), ("WBC", 300, 300, 80)], [("RBC", 50, 50, 40)]],
        complete=[["WBC", "sickle cell"], ["RBC", "WBC"]],
    )
    # one red cell found and one unmarked in both fields; one white cell found and one false in the first
    reds = [("RBC", 50, 50, 40, 0.8), ("RBC", 200, 50, 40, 0.9)]
    whites = [("WBC", 300, 300, 80, 0.9), ("WBC", 500, 300, 80, 0.95)]
    tables = [table(reds + whites), table(reds)]
    strict = scored(dataset, tables)["classes"]
    assert (strict["RBC"]["precision"], strict["RBC"]["count_bias"], strict["RBC"]["count_fields"]) == (0.5, 1.0, 2)
    lenient = scored(dataset, tables, ignore_incomplete=True)["classes"]
    # the first field names sickle cells as complete, which says nothing about other red cells
    assert lenient["RBC"]["precision"] == pytest.approx(2 / 3, abs=1e-6)
    assert (lenient["RBC"]["count_bias"], lenient["RBC"]["count_fields"]) == (1.0, 1)
    # false .9, then the two found of .8: precision 1/2 and 2/3
    assert lenient["RBC"]["ap50"] == pytest.approx(2 / 3, abs=1e-6)
    assert lenient["RBC"]["recall"] == strict["RBC"]["recall"] == 1.0
    assert lenient["WBC"]["precision"] == strict["WBC"]["precision"] == 0.5


def test_counts_are_undefined_where_nothing_is_complete(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40)]], complete=[[]])
    red = scored(dataset, [table([("RBC", 50, 50, 40, 0.8)])], ignore_incomplete=True)["classes"]["RBC"]
    assert (red["count_bias"], red["count_mae"], red["count_fields"], red["count_truth"]) == (None, None, 0, None)


def test_bias_and_absolute_error_are_told_apart(build: Build, table: Table) -> None:
    one, other = ("RBC", 50, 50, 40), ("RBC", 150, 50, 40)
    dataset = build([[one, other], [one]])
    tables = [table([(*one, 0.9)]), table([(*one, 0.9), (*other, 0.9)])]
    red = scored(dataset, tables)["classes"]["RBC"]
    assert (red["count_bias"], red["count_mae"]) == (0.0, 1.0)


def test_a_refused_field_finds_nothing_and_is_listed(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40)]] * 2, info={"rbc_diameter_px": 40.0}, diameters=[40.0, 40.0])
    result = scored(dataset, [table([("RBC", 50, 50, 40, 0.9)]), None])
    assert result["refused"] == ["images/001.jpg"]
    assert result["images"] == 2
    assert result["classes"]["RBC"]["recall"] == 0.5
    assert result["scale_error"]["refused"] == 1


def test_other_errors_are_not_swallowed(build: Build) -> None:
    def broken(path: Path, _diameter: float | None) -> FieldOutcome:
        raise ConfigError("a model is missing", subject=str(path))

    with pytest.raises(ConfigError, match=r"000.jpg"):
        evaluate_detection(build([[], []]), broken, CARD, split="test")


def test_points_need_centre_matching(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40)]], boxes=False, diameters=[40.0])
    found = [table([("RBC", 50, 50, 40, 0.9)])]
    with pytest.raises(ConfigError, match=r"000.jpg.*--match center"):
        scored(dataset, found)
    assert scored(dataset, found, match="center")["classes"]["RBC"]["f1"] == 1.0


@pytest.mark.parametrize(("offset", "found"), [(20.0, 1.0), (20.1, 0.0)])
def test_centres_may_differ_by_half_a_truth_diameter(build: Build, table: Table, offset: float, found: float) -> None:
    tables = [table([("RBC", 50 + offset, 50, 10, 0.9)])]
    with_box = build([[("RBC", 50, 50, 40)]], diameters=[200.0])
    assert scored(with_box, tables, match="center")["classes"]["RBC"]["recall"] == found
    point = build([[("RBC", 50, 50, 40)]], boxes=False, diameters=[40.0])
    assert scored(point, tables, match="center")["classes"]["RBC"]["recall"] == found
    of_the_set = build([[("RBC", 50, 50, 40)]], boxes=False, info={"rbc_diameter_px": 40.0})
    assert scored(of_the_set, tables, match="center")["classes"]["RBC"]["recall"] == found


def test_points_without_any_diameter_are_refused(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40)]], boxes=False)
    with pytest.raises(ConfigError, match="rbc_diameter_px"):
        scored(dataset, [table([])], match="center")


def test_circles_stand_for_missing_boxes(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40)]])
    whole = table([("RBC", 50, 50, 40, 0.9)])
    circles = Detections({name: whole[name] for name in ("field", "x", "y", "radius", "name", "score")})
    assert scored(dataset, [circles])["classes"]["RBC"]["f1"] == 1.0


def test_limit_takes_the_first_images(build: Build, table: Table) -> None:
    dataset = build([[("RBC", 50, 50, 40)]] * 3)
    assert scored(dataset, [table([])] * 3, limit=2)["images"] == 2


def test_a_set_without_cells_is_refused(build: Build, document: dict[str, Any], write: Any) -> None:
    from hemato_lab.evaluation.dataset import read_dataset

    document["categories"] = [{"id": 1, "name": "artefact"}]
    document["annotations"] = []
    dataset = read_dataset(write(document))
    assert isinstance(dataset, DetectionSet)
    with pytest.raises(DatasetError, match="kind of RBC, WBC or platelet"):
        evaluate_detection(dataset, answering([]), CARD, split="test")


def random_set(
    build: Build, table: Table, seed: int, *, spacing: float, scores: int = 40
) -> tuple[DetectionSet, list[Detections]]:
    """Six fields of cells on a jittered grid, some missed, some invented, some moved too far."""
    generator = np.random.default_rng(seed)
    marks, tables = [], []
    for _ in range(6):
        y, x = np.mgrid[60:420:spacing, 60:580:spacing]
        centers = np.stack([x.ravel(), y.ravel()], axis=1) + generator.uniform(-3, 3, (x.size, 2))
        names = generator.choice(["RBC", "WBC", "platelet"], len(centers), p=[0.8, 0.1, 0.1])
        kept = generator.random(len(centers)) < 0.7
        marks.append([(name, x, y, 40.0) for name, (x, y) in zip(names[kept].tolist(), centers[kept], strict=True)])
        moved = centers + generator.normal(0, 7, centers.shape)
        side = generator.uniform(34, 46, len(centers))
        score = generator.integers(1, scores, len(centers)) / scores  # few distinct ones, so that ties occur
        rows = list(zip(names.tolist(), *moved.T, side, score, strict=True))
        tables.append(table([row for row in rows if generator.random() < 0.8]))
    return build(marks), tables


def devkit_average_precision(dataset: DetectionSet, tables: Sequence[Detections], name: str) -> float:
    """VOCevaldet of the VOC devkit (without its legacy + 1 pixel), written out plainly."""
    truths = [image.truth.named(name) for image in dataset.images]
    taken = [[False] * len(truth) for truth in truths]
    rows = []
    for image, found in enumerate(tables):
        one = found.named(name)
        columns = (one[c] for c in ("y", "x", "x_min", "y_min", "x_max", "y_max"))
        rows += [(-score, image, *rest) for score, *rest in zip(one["score"], *columns, strict=True)]
    hits, precisions, recalls = 0, [], []
    total = sum(len(truth) for truth in truths)
    for rank, (_, image, _, _, x0, y0, x1, y1) in enumerate(sorted(rows), start=1):
        best, chosen = -1.0, -1
        for j in range(len(truths[image])):
            a0, b0, a1, b1 = (truths[image][c][j] for c in ("x_min", "y_min", "x_max", "y_max"))
            width, height = min(x1, a1) - max(x0, a0), min(y1, b1) - max(y0, b0)
            if width > 0 and height > 0:
                common = width * height
                overlap = common / ((x1 - x0) * (y1 - y0) + (a1 - a0) * (b1 - b0) - common)
                if overlap > best:
                    best, chosen = overlap, j
        if best >= 0.5 and not taken[image][chosen]:
            taken[image][chosen] = True
            hits += 1
        precisions.append(hits / rank)
        recalls.append(hits / total)
    area, before = 0.0, 0.0
    for rank, recall in enumerate(recalls):
        area += (recall - before) * max(precisions[rank:])
        before = recall
    return area


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_equals_the_voc_devkit(build: Build, table: Table, seed: int) -> None:
    dataset, tables = random_set(build, table, seed, spacing=50.0)  # cells do not overlap
    result = scored(dataset, tables)
    for name in ("RBC", "WBC", "platelet"):
        expected = devkit_average_precision(dataset, tables, name)
        assert 0.1 < expected < 0.9
        assert result["classes"][name]["ap50"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("spacing", [50.0, 24.0])  # apart, and overlapping by a quarter
def test_average_precision_equals_cocoeval_at_every_recall(build: Build, table: Table, spacing: float) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    dataset, tables = random_set(build, table, 11, spacing=spacing)
    columns = ("x_min", "y_min", "x_max", "y_max")

    def rows(one: Detections, image: int) -> list[dict[str, Any]]:
        boxes = np.stack([one[c] for c in columns], axis=1)
        return [
            {"image_id": image, "category_id": 1, "iscrowd": 0, "area": (b[2] - b[0]) * (b[3] - b[1]),
             "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]], "score": float(s)}
            for b, s in zip(boxes, one["score"], strict=True)
        ]  # fmt: skip

    from hemato_lab.evaluation.evidence import by_falling_score

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        marks = [row for image, one in enumerate(dataset.images) for row in rows(one.truth.named("RBC"), image)]
        truth.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(len(tables))],
            "categories": [{"id": 1, "name": "RBC"}],
            "annotations": [{**row, "id": number} for number, row in enumerate(marks, start=1)],
        }
        truth.createIndex()
        found = [row for i, one in enumerate(tables) for row in rows(by_falling_score(one.named("RBC")), i)]
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.maxDets = [10_000]
        evaluation.params.areaRng = [[0.0, 1e12]]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.params.recThrs = np.arange(1, len(marks) + 1) / len(marks)
        evaluation.evaluate()
        evaluation.accumulate()
    # the mean of the stepwise precision over every attainable recall is the all-point area
    expected = float(evaluation.eval["precision"][0, :, 0, 0, 0].mean())
    assert scored(dataset, tables)["classes"]["RBC"]["ap50"] == pytest.approx(expected, abs=1e-6)


def test_weights_are_the_same_as_repeating_images(build: Build, table: Table) -> None:
    dataset, tables = random_set(build, table, 5, spacing=50.0, scores=1 << 40)  # no ties: copies lie side by side
    weights = np.array([[1.0, 0.0, 3.0, 1.0, 0.0, 2.0], [2.0, 2.0, 0.0, 0.0, 1.0, 1.0]])
    options: dict[str, Any] = {"match": "iou", "ignore_incomplete": False}
    outcomes = [FieldOutcome(one, 50.0) for one in tables]
    counted = np.ones(6, dtype=bool)
    evidence = gather_evidence(dataset, dataset.images, outcomes, "RBC", **options)
    weighted = class_figures(evidence, weights, 0.4, counted)
    for row, weight in enumerate(weights):
        order = np.repeat(np.arange(6), weight.astype(int))
        images, repeated = [dataset.images[i] for i in order], [outcomes[i] for i in order]
        literal = gather_evidence(dataset, images, repeated, "RBC", **options)
        expected = class_figures(literal, np.ones((1, len(order))), 0.4, np.ones(len(order), dtype=bool))
        for name, values in expected.items():
            assert weighted[name][row] == pytest.approx(values[0], abs=1e-12), name


def test_limits_hold_the_figures_and_follow_the_groups(build: Build, table: Table) -> None:
    dataset, tables = random_set(build, table, 2, spacing=50.0)
    result = scored(dataset, tables)
    red = result["classes"]["RBC"]
    for name in ("ap50", "precision", "recall", "f1", "count_bias", "count_mae"):
        low, high = red["limits"][name]
        assert low < red[name] < high
    low, high = result["limits"]["mean_ap50"]
    assert low < result["mean_ap50"] < high
    assert result["groups"] == 6
    marks = [[("RBC", 50, 50, 40)], [("RBC", 50, 50, 40)]]
    together = scored(build(marks, groups=["one", "one"]), [table([])] * 2)
    assert together["groups"] == 1
    assert together["classes"]["RBC"]["limits"]["recall"] is None


def test_counts_of_a_single_group_have_no_limits(build: Build, table: Table) -> None:
    marks = [[("RBC", 50, 50, 40)]] * 3
    dataset = build(marks, complete=[["RBC"], [], []])
    limits = scored(dataset, [table([])] * 3, ignore_incomplete=True)["classes"]["RBC"]["limits"]
    assert limits["count_bias"] is limits["count_mae"] is None
    assert limits["recall"] == [0.0, 0.0]


def test_the_result_is_the_same_for_any_number_of_jobs(build: Build, table: Table) -> None:
    dataset, tables = random_set(build, table, 3, spacing=50.0)
    assert scored(dataset, tables, jobs=1) == scored(dataset, tables, jobs=4)


def test_the_order_of_detections_does_not_matter(build: Build, table: Table) -> None:
    dataset, tables = random_set(build, table, 4, spacing=50.0)
    shuffled = [one.select(np.random.default_rng(0).permutation(len(one))) for one in tables]
    assert scored(dataset, tables) == scored(dataset, shuffled)
