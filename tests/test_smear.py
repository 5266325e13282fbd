from __future__ import annotations

import copy
import math
import pickle
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.errors import ConfigError, ScaleNotCredibleError
from hemato_lab.smear import ArraySource, Field, Scale, SkippedFile, Smear, Tile, Window

NUMBERS = st.integers(-40, 40)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    x, y, width, height = draw(NUMBERS), draw(NUMBERS), draw(st.integers(0, 30)), draw(st.integers(0, 30))
    return Window(x, y, x + width, y + height)


def pixels_of(window: Window) -> set[tuple[int, int]]:
    return {(x, y) for x in range(window.x0, window.x1) for y in range(window.y0, window.y1)}


def picture(width: int = 7, height: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def field_of(pixels: np.ndarray, um_per_px: float | None = None) -> Field:
    return Field("a.png", ArraySource(pixels), "sha224-i-00", um_per_px)


@given(windows())
def test_a_window_counts_its_pixels(window: Window) -> None:
    assert window.area == len(pixels_of(window)) == window.width * window.height


@given(windows(), windows())
def test_the_intersection_is_the_set_of_common_pixels(one: Window, other: Window) -> None:
    common = one.intersect(other)
    assert pixels_of(common) == pixels_of(one) & pixels_of(other)
    assert pixels_of(other.intersect(one)) == pixels_of(common)
    assert one.intersect(one) == one


@given(windows(), st.integers(0, 9))
def test_growing_adds_the_margin_on_every_side_and_can_be_undone(window: Window, margin: int) -> None:
    grown = window.expand(margin)
    assert (grown.width, grown.height) == (window.width + 2 * margin, window.height + 2 * margin)
    assert grown.intersect(window) == window
    assert grown.expand(-margin) == window


@given(windows(), NUMBERS, NUMBERS)
def test_a_window_owns_the_pixel_centres_inside_and_half_a_pixel_around(window: Window, x: int, y: int) -> None:
    inside = (x, y) in pixels_of(window)
    for dx in (-0.5, 0.0, 0.49):
        for dy in (-0.5, 0.0, 0.49):
            assert window.owns(x + dx, y + dy) == inside
            assert window.owns_each(np.array([x + dx, -1e9]), np.array([y + dy, 0.0])).tolist() == [inside, False]


def test_a_window_indexes_rows_and_columns() -> None:
    image = picture(20, 10)
    window = Window(3, 1, 8, 4)
    np.testing.assert_array_equal(image[window.slices()], image[1:4, 3:8])


@pytest.mark.parametrize("corners", [(1, 0, 0, 5), (0, 5, 5, 4)])
def test_a_window_does_not_end_before_it_begins(corners: tuple[int, int, int, int]) -> None:
    with pytest.raises(ConfigError, match="ends before it begins"):
        Window(*corners)


VALUES = [
    Window(0, 1, 2, 3),
    ArraySource(picture()),
    field_of(picture()),
    Scale.from_um_per_px(0.1),
    Tile(0, Window(0, 0, 7, 5), Window(0, 0, 7, 5), picture()),
    SkippedFile("a.txt", "unsupported-format", "is no image"),
    Smear("s", (field_of(picture()),), {"stain": "Giemsa"}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_cannot_be_changed_and_take_no_other_attributes(value: object) -> None:
    for one in fields(value):  # type: ignore[arg-type]
        with pytest.raises(FrozenInstanceError):
            setattr(value, one.name, getattr(value, one.name))
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        value.colour = "red"  # type: ignore[attr-defined]
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_survive_pickling_and_copying(value: object) -> None:
    for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):  # noqa: S301 (our own bytes)
        assert repr(again) == repr(value)


def test_windows_compare_by_value_and_sort() -> None:
    assert Window(0, 0, 1, 1) == Window(0, 0, 1, 1)
    assert len({Window(0, 0, 1, 1), Window(0, 0, 1, 1), Window(0, 0, 1, 2)}) == 2
    assert sorted([Window(1, 0, 2, 2), Window(0, 5, 2, 7)]) == [Window(0, 5, 2, 7), Window(1, 0, 2, 2)]


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)],
)
def test_only_rgb_bytes_are_an_image(pixels: np.ndarray) -> None:
    with pytest.raises(ConfigError, match=r"shape \(height, width, 3\) and dtype uint8") as caught:
        ArraySource(pixels)
    assert str(pixels.shape) in caught.value.problem
    assert caught.value.hint


@given(windows())
def test_reading_is_cut_to_the_fields_border(window: Window) -> None:
    image = picture(21, 17)
    read = field_of(image).read(window)
    inside = sorted(pixels_of(window) & pixels_of(Window(0, 0, 21, 17)))
    assert read.size == 3 * len(inside)
    if inside:
        (x0, y0), (x1, y1) = inside[0], inside[-1]
        np.testing.assert_array_equal(read, image[y0 : y1 + 1, x0 : x1 + 1])


def test_a_field_has_the_size_of_its_source_and_is_read_whole_by_default() -> None:
    image = picture(7, 5)
    one = field_of(image)
    assert (one.width, one.height, one.window) == (7, 5, Window(0, 0, 7, 5))
    np.testing.assert_array_equal(one.read(), image)
    assert one.um_per_px is None


@given(st.floats(0.02, 0.5))
def test_a_stated_pixel_size_makes_a_red_cell_seven_and_a_half_micrometres(um_per_px: float) -> None:
    scale = Scale.from_um_per_px(um_per_px)
    assert scale.rbc_diameter_px * um_per_px == pytest.approx(7.5)
    assert scale.is_independent
    assert scale.relative_uncertainty == 0.01
    assert scale.area_mm2(2_000_000) == pytest.approx(2 * um_per_px**2)


@given(st.floats(15, 375), st.floats(0, 0.3))
def test_a_stated_diameter_adds_the_rulers_own_uncertainty(diameter: float, own: float) -> None:
    scale = Scale.from_rbc_diameter_px(diameter, relative_uncertainty=own)
    assert scale.um_per_px * diameter == pytest.approx(7.5)
    assert not scale.is_independent
    # DOMAIN.md section 2.3: +-0.5 of 7.5 um
    assert scale.relative_uncertainty**2 == pytest.approx(own**2 + (0.5 / 7.5) ** 2)
    assert Scale.from_rbc_diameter_px(diameter).origin == "stated red-cell diameter"


@pytest.mark.parametrize("um_per_px", [0.0199, 0.501, 0.0, -0.1, math.nan, math.inf, -math.inf])
def test_pixel_sizes_that_no_microscope_has_are_refused(um_per_px: float) -> None:
    with pytest.raises(ScaleNotCredibleError, match=r"0\.02-0\.5") as caught:
        Scale.from_um_per_px(um_per_px)
    assert "um_per_px" in caught.value.hint
    assert "rbc_diameter_px" in caught.value.hint


@pytest.mark.parametrize("diameter", [7.5 / 0.51, 7.5 / 0.0199, 0.0, -40.0, math.nan, math.inf])
def test_impossible_red_cell_diameters_are_refused(diameter: float) -> None:
    with pytest.raises(ScaleNotCredibleError):
        Scale.from_rbc_diameter_px(diameter)


@pytest.mark.parametrize("um_per_px", [0.02, 0.5])
def test_the_limits_themselves_are_credible(um_per_px: float) -> None:
    assert Scale.from_um_per_px(um_per_px).um_per_px == um_per_px


@pytest.mark.parametrize(
    ("stated", "by_files", "known"),
    [
        (None, (None, None), None),
        (None, (0.1, None), None),
        (None, (0.1, 0.2), None),
        (None, (0.1, 0.1), 0.1),
        (0.15, (0.1, 0.1), 0.15),
        (0.15, (None, None), 0.15),
    ],
)
def test_the_known_scale_is_stated_or_that_of_all_files(
    stated: float | None, by_files: tuple[float | None, float | None], known: float | None
) -> None:
    fields = [replace(field_of(picture(4, 4)), name=str(n), um_per_px=size) for n, size in enumerate(by_files)]
    smear = Smear("s", tuple(fields), scale=None if stated is None else Scale.from_um_per_px(stated))
    assert (None if smear.known_scale is None else smear.known_scale.um_per_px) == known


def test_a_smear_has_a_field_and_counts_pixels() -> None:
    smear = Smear("s", (field_of(picture(7, 5)), replace(field_of(picture(4, 4)), name="another")))
    assert (len(smear), smear.pixels) == (2, 51)
    assert smear.scale is None
    assert smear.skipped == ()
    with pytest.raises(ConfigError, match="at least one field") as caught:
        Smear("empty one", ())
    assert caught.value.subject == "empty one"
    with pytest.raises(ConfigError, match="two fields have this name"):
        Smear("s", (field_of(picture(7, 5)), field_of(picture(4, 4))))


def test_a_smear_is_shown_in_one_short_line() -> None:
    pixels = ArraySource(np.zeros((4, 5, 3), np.uint8))
    one = Smear("slide 7", (Field("a", pixels, "id"),))
    assert repr(one) == "Smear('slide 7', 1 field, no stated scale)"
    two = replace(one, fields=(*one.fields, Field("b", pixels, "id")), scale=Scale.from_um_per_px(0.125))
    assert repr(two) == "Smear('slide 7', 2 fields, 0.125 um per pixel)"
    assert repr(replace(one, skipped=(SkippedFile("c", "copy", "c: same image as a"),))) == (
        "Smear('slide 7', 1 field, 1 skipped, no stated scale)"
    )
