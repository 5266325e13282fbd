"""Every kind of cell: amounts, reach, and what makes its shape."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from hemato_lab import vocabulary
from hemato_lab.phantom.drawing import Dye, round_bodies
from hemato_lab.phantom.outline import ellipse_of_polygon, ellipse_radii, outline_of_area, wavy_circle
from hemato_lab.phantom.recipe import SIZES
from hemato_lab.phantom.red_cells import DRAWERS as RED_CELL_DRAWERS
from hemato_lab.phantom.red_cells import Thickness, red_cell
from hemato_lab.phantom.render import DRAWERS
from hemato_lab.phantom.truth import LARGEST_REACH_UM

NUCLEATED = [name for name in DRAWERS if vocabulary.detector_class(name) == vocabulary.WBC] + ["nucleated RBC"]


def painted(cell, step=0.1):
    reach = cell.outline.reach + 1
    axis = np.arange(-reach, reach, step)
    u, v = np.meshgrid(axis, axis)
    return u, v, {dye: np.asarray(plane) for dye, plane in cell.paint(u, v).items()}


def draw(name, seed=3, diameter=None):
    return DRAWERS[name](np.random.default_rng(seed), diameter or SIZES[name].mean_um)


def test_every_size_has_a_drawer_and_a_vocabulary_name():
    assert set(DRAWERS) == set(SIZES)
    assert set(SIZES) <= set(vocabulary.TERMS)


@pytest.mark.parametrize("name", sorted(SIZES))
def test_amounts_are_finite_positive_and_inside_the_outline(name):
    for seed in range(4):
        cell = draw(name, seed)
        u, v, amounts = painted(cell)
        total = sum(amounts.values())
        assert np.isfinite(total).all()
        assert min(plane.min() for plane in amounts.values()) >= 0
        assert total.max() > 0.2
        outside = cell.outline.normalised_radius(u, v) * cell.outline.reach > cell.outline.reach + 0.5
        assert total[outside].sum() < 0.002 * total.sum()


@pytest.mark.parametrize("name", sorted(SIZES))
def test_no_cell_reaches_farther_than_the_margin_allows(name):
    size = SIZES[name]
    largest = size.mean_um * np.exp(2.5 * np.sqrt(np.log1p(size.variation**2)))
    reaches = [draw(name, seed, largest).outline.reach for seed in range(60)]
    assert max(reaches) < LARGEST_REACH_UM


@pytest.mark.parametrize("aspect", [1.0, 1.7, 2.6])
def test_haemoglobin_of_a_star_shaped_cell_is_twice_the_area_times_the_profile_integral(aspect):
    thickness = Thickness(pallor_depth=0.6)
    outline = outline_of_area(ellipse_radii(aspect) * wavy_circle(np.random.default_rng(0), 0.02), 7.5)
    _, _, amounts = painted(red_cell(outline, thickness), 0.03)
    measured = amounts[Dye.HAEMOGLOBIN].sum() * 0.03**2
    profile = quad(lambda rho: float(thickness.amount(np.array([rho]), np.array([0.0]))[0]) * rho, 0, 1)[0]
    assert measured == pytest.approx(2 * np.pi * 7.5**2 / 4 * profile, rel=2e-3)


def radial_profile(name, shares=(0.02, 0.35, 0.75)):
    """Mean haemoglobin at shares of the radius over several cells."""
    rows = []
    for seed in range(12):
        cell = draw(name, seed)
        polygon = cell.outline.local_frame(*cell.outline.polygon().T)
        pole = cell.outline.pole
        row = []
        for share in shares:
            u, v = pole[0] + share * (polygon[0] - pole[0]), pole[1] + share * (polygon[1] - pole[1])
            row.append(np.mean(cell.paint(u[None], v[None])[Dye.HAEMOGLOBIN]))
        rows.append(row)
    return np.mean(rows, axis=0)


def test_profiles_show_what_names_the_shape():
    middle, _, rim = radial_profile("normal RBC")
    assert 0.25 < middle / rim < 0.65
    middle, ring, rim = radial_profile("target cell")
    assert middle > 1.3 * ring
    assert rim > 1.5 * ring
    middle, _, rim = radial_profile("spherocyte")
    assert middle > 1.2 * radial_profile("normal RBC")[2]
    assert middle > rim
    pale = radial_profile("hypochromic cell")
    assert pale[0] < 0.35
    assert pale[2] < radial_profile("normal RBC")[2]


def elongation(name, seed):
    major, minor, _ = ellipse_of_polygon(draw(name, seed).outline.polygon())
    return major / minor


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    # DOMAIN.md section 3.2: the measurable rule of each shape
    [("normal RBC", 1, 1.25), ("ovalocyte", 1.2, 2.05), ("elliptocyte", 1.95, 3.2), ("sickle cell", 2.0, 7)],
)
def test_aspect_ratios_follow_the_rules(name, lowest, highest):
    ratios = [elongation(name, seed) for seed in range(40)]
    assert min(ratios) >= lowest
    assert max(ratios) <= highest


def test_spicules_can_be_counted():
    from scipy.signal import find_peaks

    def spicules(name, seed):
        radii = draw(name, seed).outline.radii
        return len(find_peaks(np.tile(radii, 3), prominence=0.03 * radii.mean())[0]) / 3

    assert all(9 <= spicules("echinocyte", seed) <= 21 for seed in range(10))
    assert all(2 <= spicules("acanthocyte", seed) <= 11 for seed in range(10))


@pytest.mark.parametrize("name", NUCLEATED)
def test_nucleated_cells_have_a_dark_nucleus_in_red_light(name):
    _, _, amounts = painted(draw(name), 0.15)
    nucleus_um2 = (amounts[Dye.ROMANOWSKY] > 0.35).sum() * 0.15**2
    assert nucleus_um2 > 8


@pytest.mark.parametrize(("name", "lowest"), [("lymphocyte", 0.6), ("blast", 0.6)])
def test_nucleus_fills_lymphocytes_and_blasts(name, lowest):
    for seed in range(5):
        _, _, amounts = painted(draw(name, seed))
        share = (amounts[Dye.ROMANOWSKY] > 0.3).sum() * 0.01 / (np.pi * SIZES[name].mean_um ** 2 / 4)
        assert lowest < share < 0.95


@pytest.mark.parametrize(("name", "dye"), [("ring trophozoite", Dye.ROMANOWSKY), ("schizont", Dye.PIGMENT)])
def test_parasites_add_their_dye_to_a_red_cell(name, dye):
    _, _, amounts = painted(draw(name), 0.05)
    assert amounts[Dye.HAEMOGLOBIN].max() > 0.7
    assert amounts[dye].max() > 0.4
    assert amounts[Dye.AZURE].max() > 0.4


def test_every_red_cell_shape_is_in_the_vocabulary_as_red_cell():
    assert all(vocabulary.detector_class(name) == vocabulary.RBC for name in RED_CELL_DRAWERS)


def test_round_bodies_are_gaussians_on_a_rotated_grid():
    angle, step = 0.7, 0.05
    axis = np.arange(-3, 3, step)
    x, y = np.meshgrid(axis, axis)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    centres, radii, amounts = np.array([[0.4, -0.3], [-1.0, 0.9]]), np.array([0.2, 0.3]), np.array([1.0, 0.5])
    expected = sum(
        amount * np.exp(-0.5 * ((u - cu) ** 2 + (v - cv) ** 2) / radius**2)
        for (cu, cv), radius, amount in zip(centres, radii, amounts, strict=True)
    )
    np.testing.assert_allclose(round_bodies(u, v, centres, radii, amounts), expected, atol=0.012)
