"""Sizes that a toy network tells by the area of a square bar, at every halving, in ordinary fields and in slides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.errors import ModelError
from hemato_lab.imaging import cell_size, sampling
from hemato_lab.imaging.cell_size import read_cell_size
from hemato_lab.imaging.illumination import Illumination
from hemato_lab.smear import Window
from tests.networks.graphs import TELLS_SIZES, as_network, classifier_model, sizes_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hemato_lab.networks import Network
    from hemato_lab.smear import Field


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return as_network(sizes_model(), tmp_path / "sizes.onnx")


def evenly_lit(field: Field) -> Illumination:
    return Illumination(np.zeros((6, 3)), field.width, field.height, np.ones((1, 1), np.bool_), 0.0)


def bars(shape: tuple[int, int], side: int, places: list[tuple[int, int]]) -> np.ndarray:
    """Red density of one in squares with these first corners (x, y)."""
    density = np.zeros((*shape, 3))
    for x, y in places:
        density[y : y + side, x : x + side, 0] = 1.0
    return density


@pytest.mark.parametrize("side", [4, 8, 11, 16, 23, 32])
def test_a_bar_of_any_size_is_measured(
    side: int, network: Network, photograph: Callable[[np.ndarray], np.ndarray], as_field: Callable[..., Field]
) -> None:
    # A quarter of the field is shown as it is, and the whole of it halved.
    field = as_field(photograph(bars((64, 64), side, [(0, 0)])))
    said = read_cell_size(field, evenly_lit(field), network)
    assert said.diameter_px == pytest.approx(side, rel=0.06)
    assert said.evidence > 0.9


def test_what_two_halvings_say_differently_is_less_sure(
    network: Network, photograph: Callable[[np.ndarray], np.ndarray], as_field: Callable[..., Field]
) -> None:
    # Four bars, one in each quarter: together they look like one of twice the side.
    apart = as_field(photograph(bars((64, 64), 8, [(4, 4), (40, 4), (4, 40), (40, 40)])))
    said = read_cell_size(apart, evenly_lit(apart), network)
    assert said.evidence < 0.7


def test_nothing_in_the_field_is_no_evidence(
    network: Network, photograph: Callable[[np.ndarray], np.ndarray], as_field: Callable[..., Field]
) -> None:
    field = as_field(photograph(np.zeros((96, 96, 3))))
    assert read_cell_size(field, evenly_lit(field), network).evidence < 0.05


def test_a_field_smaller_than_what_is_shown_is_no_evidence(network: Network, as_field: Callable[..., Field]) -> None:
    field = as_field(np.full((20, 200, 3), 128, np.uint8))
    said = read_cell_size(field, evenly_lit(field), network)
    assert (said.diameter_px, said.evidence) == (pytest.approx(8.0), 0.0)


def test_no_cell_is_wider_than_half_the_field(
    network: Network, photograph: Callable[[np.ndarray], np.ndarray], as_field: Callable[..., Field]
) -> None:
    field = as_field(photograph(bars((96, 96), 80, [(8, 8)])))
    assert read_cell_size(field, evenly_lit(field), network).diameter_px <= 48


def test_a_slide_is_shown_at_a_few_places(
    network: Network,
    photograph: Callable[[np.ndarray], np.ndarray],
    as_field: Callable[..., Field],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = [(x, y) for x in range(24, 400, 64) for y in range(24, 400, 64)]
    field = as_field(photograph(bars((400, 400), 16, places)))
    monkeypatch.setattr(sampling, "WHOLE_FIELD_PIXELS", 100_000)
    monkeypatch.setattr(sampling, "SAMPLE_SIDE", 64)
    read: list[Window] = []
    whole = type(field).read
    monkeypatch.setattr(type(field), "read", lambda self, window=None: (read.append(window), whole(self, window))[1])
    read_cell_size(field, evenly_lit(field), network)
    assert len(read) == cell_size.REGIONS_OF_A_SLIDE
    assert all(window.area == 64 * 64 for window in read)
    # No two share a row or a column, so that neither a blank margin nor a thick end decides.
    assert len({window.x0 for window in read}) == len({window.y0 for window in read}) == len(read)


@pytest.mark.parametrize(("length", "side"), [(10, 16), (16, 16), (20, 16), (31, 16), (32, 16), (40, 16), (1000, 16)])
def test_parts_lie_in_the_region_and_cover_what_they_can(length: int, side: int) -> None:
    parts = cell_size._parts(Window(5, 7, 5 + length, 7 + side), side)
    assert len(parts) <= cell_size.CROPS_A_LEVEL
    for part in parts:
        assert (part.y0, part.y1) == (7, 7 + side)
        assert 5 <= part.x0 < part.x1 <= 5 + length
        assert part.width == min(side, length)
    # Alike from both ends, so that mirroring a field shows the same parts but for a pixel.
    middle = np.mean([(part.x0 + part.x1) / 2 for part in parts])
    assert abs(middle - (5 + length / 2)) <= 1


def test_halving_takes_means_of_four() -> None:
    density = np.random.default_rng(0).random((3, 7, 10)).astype(np.float32)
    means = density[:, :6, :].reshape(3, 3, 2, 5, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(cell_size._halved(density), means, rtol=1e-6)


def test_a_network_for_something_else_is_refused(tmp_path: Path, as_field: Callable[..., Field]) -> None:
    field = as_field(np.full((64, 64, 3), 128, np.uint8))
    with pytest.raises(ModelError, match="does not tell the size"):
        read_cell_size(field, evenly_lit(field), as_network(classifier_model(), tmp_path / "other.onnx"))


def test_the_gain_and_the_temperature_of_the_card_are_used(
    tmp_path: Path, photograph: Callable[[np.ndarray], np.ndarray], as_field: Callable[..., Field]
) -> None:
    field = as_field(photograph(bars((64, 64), 8, [(0, 0)])))
    plain = read_cell_size(field, evenly_lit(field), as_network(sizes_model(), tmp_path / "a.onnx"))
    warm = sizes_model(TELLS_SIZES | {"calibration": '{"temperature": 20}'})
    assert read_cell_size(field, evenly_lit(field), as_network(warm, tmp_path / "b.onnx")).evidence < plain.evidence
    # Four times the density is four times the area, twice the side.
    strong = as_network(sizes_model(TELLS_SIZES | {"gain": "4"}), tmp_path / "c.onnx")
    assert read_cell_size(field, evenly_lit(field), strong).diameter_px == pytest.approx(16, rel=0.06)
