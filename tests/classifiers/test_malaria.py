from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hemato_lab.classifiers import make_classifier
from hemato_lab.classifiers.crops import cell_on_black
from hemato_lab.classifiers.malaria import MEASUREMENTS, measure

CELL = np.array([214, 160, 158])
CHROMATIN = np.array([150, 60, 140])


def drawn_cell(*, size: int = 130, spots: int = 0, colour: np.ndarray = CHROMATIN, noise: float = 1.5) -> np.ndarray:
    """A round red cell on black with a pale centre and, if wanted, chromatin dots."""
    generator = np.random.default_rng(spots)
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / (size / 2)
    radius = np.hypot(x, y)
    image = CELL + 18 * np.exp(-((radius / 0.35) ** 2))[..., None] + generator.normal(0, noise, (size, size, 1))
    for place in range(spots):
        angle = 2.0 * place
        dot = np.hypot(x - 0.5 * np.cos(angle), y - 0.5 * np.sin(angle)) < 0.09
        image[dot] = colour
    image[radius > 0.95] = 0
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def probability(crop: np.ndarray) -> float:
    answer = make_classifier("classical").classify([crop])
    return float(answer.probabilities[0, answer.classes.index("parasitised RBC")])


def test_a_chromatin_dot_makes_a_parasitised_cell() -> None:
    assert probability(drawn_cell()) < 0.1
    assert probability(drawn_cell(spots=1)) > 0.9


def test_several_crops_keep_their_order_and_sum_to_one() -> None:
    answer = make_classifier("classical").classify([drawn_cell(), drawn_cell(spots=2), drawn_cell()])
    assert answer.names.tolist() == ["uninfected RBC", "parasitised RBC", "uninfected RBC"]
    np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1.0, rtol=1e-12)


def test_the_answer_does_not_depend_on_how_the_cell_lies() -> None:
    crop = drawn_cell(spots=1)
    for turned in (crop[::-1], crop[:, ::-1], crop.transpose(1, 0, 2), np.rot90(crop)):
        np.testing.assert_allclose(measure(np.ascontiguousarray(turned)), measure(crop), rtol=1e-9)


def test_measurements_do_not_depend_on_the_black_around_or_much_on_magnification() -> None:
    crop = drawn_cell(spots=1, noise=0.0)
    padded = np.pad(crop, ((20, 5), (0, 31), (0, 0)))
    np.testing.assert_allclose(measure(padded), measure(crop), rtol=0.01)
    larger = measure(drawn_cell(size=260, spots=1, noise=0.0))
    assert larger[0] == pytest.approx(measure(crop)[0], rel=0.1)


def test_spot_contrast_is_the_optical_density_of_the_dot() -> None:
    large_dot = drawn_cell(spots=1, noise=0.0)
    encoded = np.array([CHROMATIN[1], CELL[1]]) / 255.0
    dot, cell = ((encoded + 0.055) / 1.055) ** 2.4  # sRGB decoding of values above 0.04045
    # the coarse blur (a tenth of the cell) keeps part of a dot of radius 0.045 cells
    assert 0.6 * np.log10(cell / dot) < measure(large_dot)[0] < np.log10(cell / dot)


def test_a_dark_spot_without_colour_counts_less() -> None:
    grey = (CELL * 0.45).astype(np.int64)
    colour = MEASUREMENTS.index("spot_colour")
    assert measure(drawn_cell(spots=1, colour=grey))[colour] < 0.2 * measure(drawn_cell(spots=1))[colour]


def test_slow_shading_is_no_spot() -> None:
    shaded = drawn_cell(noise=0.0) * np.linspace(0.7, 1.0, 130)[None, :, None]
    assert measure(np.round(shaded).astype(np.uint8))[0] < 0.15 * measure(drawn_cell(spots=1, noise=0.0))[0]


def test_the_mask_is_the_largest_part_with_its_holes_filled() -> None:
    crop = np.zeros((60, 60, 3), dtype=np.uint8)
    crop[10:50, 10:40] = 200
    crop[20:25, 20:25] = 10
    crop[5:8, 50:55] = 200
    expected = np.zeros((60, 60), dtype=bool)
    expected[10:50, 10:40] = True
    assert np.array_equal(cell_on_black(crop), expected)


def test_a_black_crop_is_undecided() -> None:
    black = np.zeros((40, 40, 3), dtype=np.uint8)
    assert np.isnan(measure(black)).all()
    assert probability(black) == 0.5


@pytest.mark.skipif("HEMATO_LAB_DATASETS" not in os.environ, reason="HEMATO_LAB_DATASETS names no dataset folder")
def test_validation_cells_are_told_apart() -> None:
    from hemato_lab.evaluation.dataset import CropSet, read_dataset
    from hemato_lab.evaluation.runner import read_crop

    dataset = read_dataset(Path(os.environ["HEMATO_LAB_DATASETS"]) / "nih_malaria_cells")
    assert isinstance(dataset, CropSet)
    crops = dataset.in_split("val")[::4]
    answer = make_classifier("classical").classify([read_crop(crop.path) for crop in crops])
    assert np.mean(answer.names == np.array([crop.label for crop in crops])) > 0.88
