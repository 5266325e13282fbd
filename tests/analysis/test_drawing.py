from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor
from skimage.measure import regionprops

from hemato_lab import vocabulary
from hemato_lab.analysis.drawing import LONGEST_SIDE, annotate, fullest_window
from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.smear import ArraySource, Field, Scale, Window

GROUND = (230, 225, 235)


def plain(width: int, height: int) -> Field:
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = GROUND
    return Field("plain", ArraySource(pixels), "id")


def cells(*rows: tuple[str, float, float, float]) -> Detections:
    name, x, y, radius = zip(*rows, strict=True) if rows else ([], [], [], [])
    return Detections(
        {
            "field": np.zeros(len(rows), int),
            "x": np.array(x, float),
            "y": np.array(y, float),
            "radius": np.array(radius, float),
            "name": np.array(name, str),
            "score": np.ones(len(rows)),
        }
    )


def close_to(picture: Image.Image, colour: str, rows: slice) -> np.ndarray:
    pixels = np.asarray(picture).astype(int)[rows]
    return np.abs(pixels - np.array(ImageColor.getrgb(colour))).sum(axis=2) < 30


def drawn(picture: Image.Image, height: int) -> np.ndarray:
    return (np.asarray(picture).astype(int)[:height] != GROUND).any(axis=2)


@pytest.mark.parametrize("name", vocabulary.DETECTOR_CLASSES)
def test_a_ring_lies_where_the_cell_is_in_its_colour(name: str):
    picture = annotate(plain(640, 480), cells((name, 200, 120, 50)), None)
    ring = close_to(picture, vocabulary.term(name).colour, slice(0, 480))
    (region,) = regionprops(ring.astype(np.uint8))
    assert region.centroid == pytest.approx((120, 200), abs=0.6)
    rows, columns = np.nonzero(ring)
    distance = np.hypot(rows - 120, columns - 200)
    assert distance.min() > 48
    assert distance.max() < 54
    angles = np.unique(np.degrees(np.arctan2(rows - 120, columns - 200)).round() // 5)
    assert len(angles) >= 72
    # The cell itself stays free to look at.
    assert not drawn(picture, 480)[120 - 30 : 120 + 31, 200 - 30 : 200 + 31].any()


def test_the_ring_of_a_rarer_name_lies_on_top():
    same_place = [(name, 200.0, 120.0, 50.0) for name in ("WBC", "RBC", "RBC")]
    away = ("RBC", 500.0, 400.0, 20.0)
    picture = annotate(plain(640, 480), cells(*same_place, away), None)
    around = np.s_[60:180]
    assert close_to(picture, vocabulary.term("WBC").colour, around).sum() > 100
    assert not close_to(picture, vocabulary.term("RBC").colour, around).any()


def test_pixels_below_the_rings_are_those_of_the_field():
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    picture = np.asarray(annotate(Field("noise", ArraySource(noise), "id"), cells(), None))
    assert np.array_equal(picture[:480], noise)


def test_small_fields_are_magnified_with_their_cells():
    picture = annotate(plain(100, 80), cells(("RBC", 50, 40, 20)), None)
    zoom = 7
    assert picture.width == 100 * zoom
    ring = close_to(picture, vocabulary.term("RBC").colour, slice(0, 80 * zoom))
    rows, columns = np.nonzero(ring)
    # The centre of pixel 50 lies at 50.5 pixel widths from the border, 353.5 after magnification.
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(50.5 * zoom, abs=0.6)
    assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(40.5 * zoom, abs=0.6)
    assert (columns.max() + 1 - columns.min()) / 2 == pytest.approx(20 * zoom + 2, abs=1.5)


def test_large_fields_show_their_fullest_part():
    field = plain(2 * LONGEST_SIDE + 100, LONGEST_SIDE + 50)
    table = cells(("RBC", 10, 10, 5), ("RBC", LONGEST_SIDE + 20, 30, 5), ("RBC", LONGEST_SIDE + 90, 60, 5))
    window = fullest_window(field, table)
    assert window == Window(LONGEST_SIDE, 0, 2 * LONGEST_SIDE, LONGEST_SIDE)
    picture = annotate(field, table, None)
    assert picture.width == LONGEST_SIDE
    ring = close_to(picture, vocabulary.term("RBC").colour, slice(0, 200))
    assert {int(region) for region in np.nonzero(ring.any(axis=0))[0] // 60} == {0, 1}
    assert fullest_window(field, cells()) == Window(0, 0, LONGEST_SIDE, LONGEST_SIDE)
    corner = cells(("RBC", 2 * LONGEST_SIDE + 99, LONGEST_SIDE + 49, 5))
    assert fullest_window(field, corner) == Window(
        2 * LONGEST_SIDE, LONGEST_SIDE, 2 * LONGEST_SIDE + 100, LONGEST_SIDE + 50
    )


@pytest.mark.parametrize(
    ("width", "um_per_px", "bar_um"), [(640, 0.08, 10), (640, 0.25, 20), (1000, 0.1, 20), (640, 0.02, 2)]
)
def test_the_scale_bar_is_as_long_as_it_says(width: int, um_per_px: float, bar_um: float):
    height = 480
    with_bar = np.asarray(annotate(plain(width, height), cells(), Scale.from_um_per_px(um_per_px))).astype(int)
    dark = (with_bar[height:] < 60).all(axis=2)
    longest = max((len(run) for row in dark for run in "".join("x" if d else " " for d in row).split()), default=0)
    assert longest == round(bar_um / um_per_px)


def test_without_a_scale_there_is_no_bar():
    footer = np.asarray(annotate(plain(640, 480), cells(), None)).astype(int)[480:]
    dark = (footer < 60).all(axis=2)
    assert max(len(run) for row in dark for run in "".join("x" if d else " " for d in row).split()) < 20


def test_the_legend_names_every_colour_in_view():
    table = cells(("RBC", 100, 100, 20), ("WBC", 300, 100, 40), ("platelet", 400, 300, 10))
    picture = annotate(plain(640, 480), table, Scale.from_um_per_px(0.1))
    for name in vocabulary.DETECTOR_CLASSES:
        assert close_to(picture, vocabulary.term(name).colour, slice(480, None)).sum() > 50
    empty = annotate(plain(640, 480), cells(), Scale.from_um_per_px(0.1))
    for name in vocabulary.DETECTOR_CLASSES:
        assert close_to(empty, vocabulary.term(name).colour, slice(480, None)).sum() == 0


def test_a_long_legend_grows_downward():
    names = [name for name, term in vocabulary.TERMS.items() if term.kind == "cell"]
    table = cells(*((name, 20 + 15 * k, 100, 5) for k, name in enumerate(names)))
    picture = annotate(plain(640, 480), table, Scale.from_um_per_px(0.1))
    assert picture.height > annotate(plain(640, 480), cells(), Scale.from_um_per_px(0.1)).height + 100


def test_cells_outside_the_window_are_not_drawn():
    table = cells(("RBC", 100, 100, 10), ("RBC", 600, 400, 10))
    picture = annotate(plain(1280, 960), table, None, window=Window(500, 300, 1140, 780))
    ring = close_to(picture, vocabulary.term("RBC").colour, slice(0, 480))
    rows, columns = np.nonzero(ring)
    assert (rows.mean(), columns.mean()) == pytest.approx((100, 100), abs=1)


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3)])
def test_fields_of_odd_sizes(size: tuple[int, int]):
    assert min(annotate(plain(*size), cells(), Scale.from_um_per_px(0.1)).size) > 30


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError):
        annotate(plain(64, 48), cells(("dragon", 10, 10, 5)), None)
