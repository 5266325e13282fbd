"""Boxes against a plain greedy suppression and a plain nearest-middle rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.kernels.boxes import ROUNDS, highest_in_windows, keep_best_boxes, share_among_boxes

seeds = st.integers(0, 2**32 - 1)


def boxes_of(seed: int, count: int, side: float = 60.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    corner = random.uniform(-5, side, (count, 2))
    return np.concatenate([corner, corner + random.uniform(0.5, 14, (count, 2))], axis=1)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def better(boxes: np.ndarray, score: np.ndarray) -> list[int]:
    return sorted(range(len(boxes)), key=lambda i: (-score[i], boxes[i, 1], boxes[i, 0]))


def too_much(boxes: np.ndarray, kind: np.ndarray, limits: np.ndarray) -> np.ndarray:
    count = len(boxes)
    rows = [[overlap(boxes[i], boxes[j]) > limits[kind[i], kind[j]] for j in range(count)] for i in range(count)]
    return np.array(rows, bool).reshape(count, count)


def greedy(boxes: np.ndarray, score: np.ndarray, kind: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """The usual search, box after box by falling score."""
    clash, kept = too_much(boxes, kind, limits), np.zeros(len(boxes), bool)
    for index in better(boxes, score):
        kept[index] = not (clash[index] & kept).any()
    return kept


def in_rounds(boxes: np.ndarray, score: np.ndarray, kind: np.ndarray, limits: np.ndarray, rounds: int) -> np.ndarray:
    """The rule as it is written, on the whole table of overlaps."""
    clash = too_much(boxes, kind, limits)
    rank = np.argsort(better(boxes, score))
    undecided, kept = np.ones(len(boxes), bool), np.zeros(len(boxes), bool)
    for _ in range(rounds):
        beaten = (clash & undecided[None, :] & (rank[None, :] < rank[:, None])).any(axis=1)
        best = undecided & ~beaten
        kept |= best
        undecided &= ~best & ~(clash & best[None, :]).any(axis=1)
    return kept


def scene(seed: int, count: int, side: float = 60.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores with ties, kinds and their limits."""
    random = np.random.default_rng(seed)
    limits = random.uniform(0.05, 0.9, (3, 3))
    scores, kinds = np.round(random.uniform(0, 1, count), 1), random.integers(0, 3, count)
    return boxes_of(seed, count, side), scores, kinds, (limits + limits.T) / 2


@given(seeds, st.integers(0, 60))
def test_the_boxes_stay_that_the_rule_keeps(seed: int, count: int) -> None:
    given_boxes = scene(seed, count)
    assert np.array_equal(keep_best_boxes(*given_boxes), in_rounds(*given_boxes, ROUNDS))


@given(seeds, st.integers(0, 40))
def test_without_long_chains_it_is_the_usual_greedy_search(seed: int, count: int) -> None:
    given_boxes = scene(seed, count, 90.0)
    if np.array_equal(in_rounds(*given_boxes, ROUNDS), in_rounds(*given_boxes, ROUNDS + 1)):
        assert np.array_equal(keep_best_boxes(*given_boxes), greedy(*given_boxes))


@given(seeds)
def test_the_far_end_of_a_chain_decides_nothing_here(seed: int) -> None:
    """In a row of boxes, each on the next, what lies beyond the third neighbour makes no difference."""
    left = np.arange(20) * 4.0
    boxes = np.stack([left, np.zeros(20), left + 10, np.full(20, 10.0)], axis=1)
    score, kind, limits = np.random.default_rng(seed).permutation(20) / 20, np.zeros(20, np.int64), np.full((1, 1), 0.4)
    if seed % 5 == 0:
        score = np.linspace(1, 0.1, 20)
    kept = keep_best_boxes(boxes, score, kind, limits)
    for index in range(20):
        near = slice(max(0, index - 3), index + 4)
        alone = keep_best_boxes(boxes[near], score[near], kind[near], limits)
        assert alone[index - near.start] == kept[index]


def test_the_better_of_two_on_one_cell_stays_and_kinds_have_their_own_limits() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [2, 0, 12, 10], [2, 0, 12, 10]])
    kind = np.array([0, 0, 1])
    limits = np.array([[0.5, 0.9], [0.9, 0.5]])
    kept = keep_best_boxes(boxes, np.array([0.4, 0.9, 0.5]), kind, limits)
    assert kept.tolist() == [False, True, False]
    limits[0, 1] = limits[1, 0] = 1.0
    assert keep_best_boxes(boxes, np.array([0.4, 0.9, 0.5]), kind, limits).tolist() == [False, True, True]


def test_nothing_and_points() -> None:
    assert keep_best_boxes(np.empty((0, 4)), np.empty(0), np.empty(0, np.int64), np.ones((1, 1))).shape == (0,)
    points = np.array([[1.0, 1, 1, 1], [1, 1, 1, 1]])
    assert keep_best_boxes(points, np.zeros(2), np.zeros(2, np.int64), np.zeros((1, 1))).tolist() == [True, True]


@pytest.mark.parametrize(
    ("boxes", "score", "kind"),
    [
        ([[0, 0, 1, 1]], [0.5, 0.5], [0]),
        ([[0, 0, 1, 1]], [0.5], [1]),
        ([[0, 0, 1, 1]], [np.nan], [0]),
        ([[2, 0, 1, 1]], [0.5], [0]),
        ([[0, 0, np.inf, 1]], [0.5], [0]),
    ],
)
def test_what_makes_no_sense_is_refused(boxes: list[list[float]], score: list[float], kind: list[int]) -> None:
    with pytest.raises(ValueError, match=r"box|kind"):
        keep_best_boxes(np.array(boxes, float), np.array(score), np.array(kind), np.ones((1, 1)))


@given(seeds, st.integers(0, 12), st.integers(-40, 40), st.integers(-40, 40))
def test_pixels_go_to_the_nearest_middle_in_any_window(seed: int, count: int, left: int, top: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((31, 37)) < 0.8
    boxes = boxes_of(seed, count, 30.0)
    middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    y, x = np.mgrid[:31, :37]
    expected = np.zeros(mask.shape, int)
    best = np.full(mask.shape, np.inf, np.float32)
    for index in range(count):
        u, v = (x - middle[index, 0]) / size[index, 0], (y - middle[index, 1]) / size[index, 1]
        inside = (x >= boxes[index, 0]) & (x <= boxes[index, 2]) & (y >= boxes[index, 1]) & (y <= boxes[index, 3])
        distance = (u * u + v * v).astype(np.float32)
        nearer = mask & inside & (distance < best)
        best[nearer], expected[nearer] = distance[nearer], index + 1
    found = share_among_boxes(mask, boxes)
    assert np.array_equal(found, expected)
    moved = share_among_boxes(mask, boxes + np.array([left, top, left, top]), (left, top))
    assert np.mean(moved == found) > 0.999  # moving the boxes rounds them, which may decide a tie otherwise
    part = share_among_boxes(np.ascontiguousarray(mask[4:, 7:]), boxes, (7, 4))
    assert np.array_equal(part, found[4:, 7:])


@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 20), st.integers(0, 2**31))
def test_the_highest_in_each_window_is_that_of_numpy(height: int, width: int, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(height, width)).astype(np.float32)
    columns = np.sort(random.integers(0, width, (count, 2)), axis=1)
    rows = np.sort(random.integers(0, height, (count, 2)), axis=1)
    windows = np.stack([columns[:, 0], rows[:, 0], columns[:, 1], rows[:, 1]], axis=1)
    expected = [values[y0 : y1 + 1, x0 : x1 + 1].max() for x0, y0, x1, y1 in windows]
    assert highest_in_windows(values, windows).tolist() == expected


@pytest.mark.parametrize("window", [[-1, 0, 2, 2], [0, 0, 5, 2], [0, 0, 2, 4], [3, 0, 2, 2], [0, 2, 2, 1]])
def test_a_window_outside_of_the_map_or_empty_is_refused(window: list[int]) -> None:
    with pytest.raises(ValueError, match="empty or leaves the map"):
        highest_in_windows(np.zeros((4, 5), np.float32), np.array([window]))
    with pytest.raises(ValueError, match="four columns"):
        highest_in_windows(np.zeros((4, 5), np.float32), np.array(window))
