from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from hemato_lab.kernels.votes import FULL_VOTE, cast_votes, circle_evidence

LAW = settings(deadline=None, max_examples=100)
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)


def brute_force(across: np.ndarray, down: np.ndarray, radii: np.ndarray, weakest: float, full: float) -> np.ndarray:
    votes = np.zeros(across.shape, np.int64)
    for y, x in np.ndindex(across.shape):
        gradient = np.array([across[y, x], down[y, x]], np.float64)
        length = float(np.sqrt(gradient @ gradient))
        if length < weakest or length == 0:
            continue
        for radius in radii:
            column, row = np.floor(np.array([x, y]) + radius * (gradient / length) + 0.5).astype(int)
            if 0 <= column < across.shape[1] and 0 <= row < across.shape[0]:
                votes[row, column] += int(FULL_VOTE * min(length / full, 1.0))
    return votes


@LAW
@given(st.data(), SHAPES, st.lists(st.floats(0, 8), max_size=4), st.floats(0, 2), st.floats(0.1, 4))
def test_equals_brute_force(
    data: st.DataObject, shape: tuple[int, int], distances: list[float], weakest: float, full: float
) -> None:
    gradients = st.one_of(st.just(0.0), st.floats(-3, 3, width=32))
    across = data.draw(arrays(np.float32, shape, elements=gradients))
    down = data.draw(arrays(np.float32, shape, elements=gradients))
    radii = np.array(distances)
    votes = cast_votes(across, down, radii, weakest, full)
    assert votes.dtype == np.int32
    np.testing.assert_array_equal(votes, brute_force(across, down, radii, weakest, full))


def blurred_disc(shape: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1)


def gradient_of(image: np.ndarray, sigma: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    across = ndimage.gaussian_filter(image, sigma, order=(0, 1)).astype(np.float32)
    down = ndimage.gaussian_filter(image, sigma, order=(1, 0)).astype(np.float32)
    return across, down


@pytest.mark.parametrize(("x", "y", "radius"), [(40, 30, 20), (33, 41, 12), (50, 36, 26)])
def test_the_votes_of_a_disc_peak_at_its_centre_and_radius(x: int, y: int, radius: int) -> None:
    across, down = gradient_of(blurred_disc((75, 90), x, y, radius))
    tallest = {}
    for tried in range(6, 32):
        votes = ndimage.uniform_filter(
            cast_votes(across, down, np.array([float(tried)]), 0.05, 0.2).astype(float), 3, mode="constant"
        )
        tallest[tried] = votes.max(), np.unravel_index(votes.argmax(), votes.shape)
    best = max(tallest, key=lambda tried: tallest[tried][0])
    assert abs(best - radius) <= 1
    assert np.hypot(*(np.array(tallest[best][1]) - (y, x))) <= 1.5


def test_votes_add_up_over_radii_and_do_not_depend_on_the_layout() -> None:
    random = np.random.default_rng(2)
    across, down = random.normal(size=(2, 30, 40)).astype(np.float32)
    radii = np.array([2.0, 5.5, 9.0])
    together = cast_votes(across, down, radii, 0.3, 1.0)
    np.testing.assert_array_equal(together, sum(cast_votes(across, down, radii[i : i + 1], 0.3, 1.0) for i in range(3)))
    np.testing.assert_array_equal(
        together, cast_votes(np.asfortranarray(across), np.asfortranarray(down), radii[::-1], 0.3, 1.0)
    )


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_an_empty_image_has_no_votes(shape: tuple[int, int]) -> None:
    nothing = np.zeros(shape, np.float32)
    assert cast_votes(nothing, nothing, np.ones(2), 0.1, 1.0).shape == shape


RADII = 6.0 * 1.06 ** np.arange(40)


def circle(x: float, y: float, radius: float, share: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Points of a circle, as many as an 8-connected contour has pixels (2 sqrt(2) / pi a pixel of length)."""
    whole = 2 * np.pi * radius * 2 * np.sqrt(2) / np.pi
    angles = np.arange(round(share * whole)) * (2 * np.pi / whole)
    outward = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.array([x, y]) + radius * outward, -outward


def together(*circles: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([one[0] for one in circles]), np.concatenate([one[1] for one in circles])


def explained_radius(evidence: np.ndarray) -> float:
    """Radius in the middle of the evidence: votes are binned coarsely, neighbouring radii explain a circle as well."""
    return float(np.exp(np.sum(evidence * np.log(RADII)) / evidence.sum()))


@pytest.mark.parametrize("index", [3, 12, 20, 30])
def test_a_circle_is_explained_by_its_own_radius(index: int) -> None:
    radius = RADII[index]
    points, directions = circle(150, 160, radius)
    evidence = circle_evidence(points, directions, (300, 310), RADII, 0.3)
    assert explained_radius(evidence) == pytest.approx(radius, rel=0.03)
    # One whole circle: support 1 less the floor.
    assert evidence[index] == pytest.approx(0.7, abs=0.03)
    far = np.abs(np.log(RADII / radius)) > 0.25
    assert not evidence[far].any()


@settings(deadline=None, max_examples=25)
@given(st.floats(9, 40), st.floats(60, 240), st.floats(60, 240))
def test_the_radius_is_found_wherever_the_circle_lies(radius: float, x: float, y: float) -> None:
    evidence = circle_evidence(*circle(x, y, radius), (300, 300), RADII, 0.3)
    assert explained_radius(evidence) == pytest.approx(radius, rel=0.05)


def test_part_of_a_circle_supports_in_proportion_and_below_the_floor_not_at_all() -> None:
    radius = RADII[18]
    for share in (1.0, 0.75, 0.5):
        evidence = circle_evidence(*circle(100, 100, radius, share), (200, 200), RADII[18:19], 0.3)
        assert evidence[0] == pytest.approx(share - 0.3, abs=0.03)
    assert circle_evidence(*circle(100, 100, radius, 0.25), (200, 200), RADII[18:19], 0.3)[0] == 0


def test_overlapping_circles_are_all_counted() -> None:
    radius = RADII[20]
    centres = [(80.0, 80.0), (80 + 1.2 * radius, 80.0), (80.0, 80 + 0.9 * radius), (180.0, 170.0)]
    points, directions = together(*(circle(*centre, radius) for centre in centres))
    evidence = circle_evidence(points, directions, (240, 260), RADII, 0.5)
    assert explained_radius(evidence) == pytest.approx(radius, rel=0.05)
    assert evidence[20] == pytest.approx(4 * 0.5, abs=0.2)


def test_circles_of_two_sizes_make_two_maxima() -> None:
    small, large = RADII[10], RADII[25]
    points, directions = together(
        circle(60, 60, small), circle(140, 60, small), circle(100, 130, small), circle(230, 150, large)
    )
    evidence = circle_evidence(points, directions, (240, 320), RADII, 0.5)
    assert evidence[10] == pytest.approx(3 * 0.5, abs=0.15)
    assert evidence[25] == pytest.approx(0.5, abs=0.05)
    assert evidence[15:21].max() < 0.1


def test_circles_cut_by_the_border_and_centres_outside_count() -> None:
    radius = RADII[22]
    points, directions = circle(-0.3 * radius, 100, radius)
    seen = points[:, 0] >= 0
    evidence = circle_evidence(points[seen], directions[seen], (200, 200), RADII, 0.2)
    assert explained_radius(evidence) == pytest.approx(radius, rel=0.05)
    assert evidence[22] == pytest.approx(seen.mean() - 0.2, abs=0.03)


def test_points_that_look_anywhere_explain_nothing() -> None:
    random = np.random.default_rng(3)
    angles = random.uniform(0, 2 * np.pi, 1500)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = random.uniform(0, 300, (1500, 2))
    assert circle_evidence(points, directions, (300, 300), RADII[8:], 0.3).max() < 0.3
    nothing = np.empty((0, 2))
    assert not circle_evidence(nothing, nothing, (50, 60), RADII, 0.3).any()
