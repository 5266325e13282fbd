"""What a network that draws maps is shown of a field, and where its maps are believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.detectors import SHIPPED_MODEL
from hemato_lab.detectors.field_view import FIELD_OF_VIEW, SURROUND, FieldView
from hemato_lab.imaging.network_grid import network_density
from hemato_lab.imaging.tiling import read_tile
from hemato_lab.networks import WINDOW_STEP, load_network
from hemato_lab.smear import Window
from tests.calibrated import Array, calibrated
from tests.detectors.dots import CELL
from tests.networks.graphs import as_network, map_model

if TYPE_CHECKING:
    from hemato_lab.networks import Network

LAW = settings(deadline=None, max_examples=150)
WIDTH, HEIGHT = 700, 500
DIAMETERS = (15.0, 24.0, 41.0, 96.0)
"""Of red cells in pixels: coarser and finer than the network's grid, where they measure 24."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return as_network(map_model(), tmp_path_factory.mktemp("models") / "map.onnx")


@pytest.fixture(scope="module")
def views(network: Network) -> dict[float, FieldView]:
    """A view of a field for each diameter of red cells."""
    blank = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    return {diameter: FieldView(calibrated(blank, diameter), network) for diameter in DIAMETERS}


@st.composite
def areas(draw: st.DrawFn) -> Window:
    x0, y0 = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return Window(x0, y0, draw(st.integers(x0 + 1, WIDTH)), draw(st.integers(y0 + 1, HEIGHT)))


EACH = given(areas(), st.sampled_from(DIAMETERS), st.integers(0, 120))


@LAW
@EACH
def test_windows_keep_to_whole_steps(views: dict[float, FieldView], area: Window, diameter: float, reach: int) -> None:
    window = views[diameter].window(area, reach)
    assert [side % WINDOW_STEP for side in (window.x0, window.y0, window.x1, window.y1)] == [0] * 4


@LAW
@EACH
def test_a_window_holds_all_that_matters_and_little_more(
    views: dict[float, FieldView], area: Window, diameter: float, reach: int
) -> None:
    """All around the area, but no farther beyond the field than the surround; steps are rounded outwards."""
    view = views[diameter]
    window, step, margin = view.window(area, reach), view.grid.step, reach + FIELD_OF_VIEW
    for start, end, first, last, size in (
        (window.x0, window.x1, area.x0, area.x1, WIDTH),
        (window.y0, window.y1, area.y0, area.y1, HEIGHT),
    ):
        low, high = max(first * step - margin, -SURROUND), min(last * step + margin, size * step + SURROUND)
        assert low - WINDOW_STEP - 1 < start <= low
        assert high <= end < high + WINDOW_STEP + 1


@LAW
@EACH
def test_every_place_in_reach_of_the_area_and_on_the_field_is_seen(
    views: dict[float, FieldView], area: Window, diameter: float, reach: int
) -> None:
    view = views[diameter]
    step, field = view.grid.step, view.grid.window
    sides = [
        np.array([max(first * step - reach, 0.0), min(last * step + reach, end) - 0.01])
        for first, last, end in ((area.x0, area.x1, field.x1), (area.y0, area.y1, field.y1))
    ]
    x, y = (side.ravel() for side in np.meshgrid(*sides))
    assert view.seen(x, y, view.window(area, reach)).all()


def test_a_place_is_seen_when_all_that_matters_around_it_was_shown(views: dict[float, FieldView]) -> None:
    view = views[24.0]
    x, y = np.meshgrid(np.arange(-20.5, WIDTH + 20), np.arange(-20.5, HEIGHT + 20))
    on_field = (x >= 0) & (y >= 0) & (x < WIDTH) & (y < HEIGHT)

    def seen(window: Window) -> Array:
        return view.seen(x.ravel(), y.ravel(), window).reshape(x.shape)

    np.testing.assert_array_equal(seen(Window(-16, -16, 720, 528)), on_field)
    np.testing.assert_array_equal(
        seen(Window(160, 128, 480, 400)),
        (x >= 160 + FIELD_OF_VIEW) & (x < 480 - FIELD_OF_VIEW) & (y >= 128 + FIELD_OF_VIEW) & (y < 400 - FIELD_OF_VIEW),
    )
    # From the field's own border on, beside cut sides.
    np.testing.assert_array_equal(
        seen(Window(-16, 0, 400, 528)), on_field & (x < 400 - FIELD_OF_VIEW) & (y >= FIELD_OF_VIEW)
    )


def test_nothing_of_an_empty_area_is_shown(views: dict[float, FieldView]) -> None:
    assert views[24.0].window(Window(30, 40, 30, 90), 40).area == 0


@pytest.mark.parametrize("diameter", [24.0, 41.0])
def test_maps_are_drawn_of_the_density_of_the_field_and_of_nothing_beyond(network: Network, diameter: float) -> None:
    """The network multiplies every second red density by the number of the channel; its gain is 2.5."""
    pixels = np.random.default_rng(3).integers(60, 256, (200, 260, 3), np.uint8)
    calibration = calibrated(pixels, diameter)
    view = FieldView(calibration, network)
    _, density = network_density(pixels, calibration.field.window, view.grid, calibration.illumination)
    height, width = density.shape[1:]
    whole = np.zeros((16 + height + 200, 16 + width + 200), np.float32)
    whole[16 : 16 + height, 16 : 16 + width] = density[0]
    core = calibration.field.window
    for window in (Window(-16, -16, 160, 112), Window(32, 16, 96, 128), Window(48, 32, 288, 224)):
        maps = view.maps(read_tile(calibration.field, 0, core, 0), window)
        shown = whole[window.y0 + 16 : window.y1 + 16, window.x0 + 16 : window.x1 + 16]
        np.testing.assert_allclose(maps, 2.5 * shown[None, ::2, ::2] * np.array([1, 2])[:, None, None], rtol=1e-6)
    assert (view.stride, view.network) == (2, network)


@pytest.mark.parametrize("name", ["parasites", "detector", SHIPPED_MODEL])
def test_what_lies_farther_than_the_field_of_view_changes_no_bit(name: str) -> None:
    """At the first and last places of a step, in windows whose far parts are other noise."""
    network = load_network(name)
    stride = network.card.stride or 1
    random = np.random.default_rng(1)
    side, middle = 2 * FIELD_OF_VIEW + 2 * WINDOW_STEP, FIELD_OF_VIEW + WINDOW_STEP
    first = random.uniform(0, 0.6, (1, 3, side, side)).astype(np.float32)
    (drawn,) = network.run(first)
    last = WINDOW_STEP // stride - 1
    for row, column in ((0, 0), (0, last), (last, 0), (last, last)):
        at = (0, slice(None), middle // stride + row, middle // stride + column)
        centre = [place * stride + stride // 2 for place in at[2:]]
        near = [slice(place - FIELD_OF_VIEW, place + FIELD_OF_VIEW) for place in centre]
        second = random.uniform(0, 0.6, first.shape).astype(np.float32)
        assert not np.array_equal(network.run(second)[0][at], drawn[at])
        second[:, :, near[0], near[1]] = first[:, :, near[0], near[1]]
        np.testing.assert_array_equal(network.run(second)[0][at], drawn[at])


def test_the_maps_that_ship_have_the_same_bits_in_every_window() -> None:
    """Wherever a place is seen at all, in windows of several sizes and corners."""
    random = np.random.default_rng(4)
    pixels = random.integers(90, 240, (520, 640, 3), np.uint8)
    calibration = calibrated(pixels, CELL)
    view = FieldView(calibration, load_network("parasites"))
    tile = read_tile(calibration.field, 0, calibration.field.window, 0)
    everything = Window(-16, -16, 656, 544)
    whole = view.maps(tile, everything)
    compared = 0
    for window in (Window(-16, 64, 272, 544), Window(160, 96, 480, 400), Window(208, -16, 656, 304)):
        maps = view.maps(tile, window)
        x, y = np.meshgrid(np.arange(window.x0, window.x1, 2) + 1.0, np.arange(window.y0, window.y1, 2) + 1.0)
        seen = view.seen(x.ravel(), y.ravel(), window).reshape(x.shape)
        top, left = (window.y0 - everything.y0) // 2, (window.x0 - everything.x0) // 2
        part = whole[:, top : top + x.shape[0], left : left + x.shape[1]]
        np.testing.assert_array_equal(maps[:, seen], part[:, seen])
        compared += np.count_nonzero(seen)
    assert compared > 20_000


def test_the_highest_value_around_the_middle_of_each_box_is_found(network: Network) -> None:
    """Against a search through all places that touch the part of the box around its middle."""
    view = FieldView(calibrated(np.full((HEIGHT, WIDTH, 3), 255, np.uint8), CELL), network)
    window, reach = Window(32, 48, 232, 208), 0.3
    random = np.random.default_rng(5)
    heat = random.normal(size=(80, 100)).astype(np.float32)
    corner = random.uniform([40, 56], [190, 170], (50, 2))
    boxes = np.concatenate([corner, corner + random.uniform(6, 40, (50, 2))], axis=1)
    highest = view.highest(heat, boxes, window, reach)
    for (x0, y0, x1, y1), value in zip(boxes, highest, strict=True):
        left, right = (x0 + x1) / 2 - reach * (x1 - x0), (x0 + x1) / 2 + reach * (x1 - x0)
        top, bottom = (y0 + y1) / 2 - reach * (y1 - y0), (y0 + y1) / 2 + reach * (y1 - y0)
        starts_x, starts_y = window.x0 + 2 * np.arange(100), window.y0 + 2 * np.arange(80)
        columns, rows = (starts_x <= right) & (starts_x + 2 > left), (starts_y <= bottom) & (starts_y + 2 > top)
        assert value == heat[np.ix_(rows, columns)].max()
