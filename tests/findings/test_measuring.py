from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.findings.measuring import ANISOCYTOSIS, ENLARGEMENT, MEASUREMENTS, measurements


@pytest.fixture
def sized(make_cells, make_red_cell):
    """Red cells whose diameters are normal with a given variation."""

    def make(variation: float, count: int = 2000, infected: float | None = None, n_infected: int = 40):
        diameters = 7.5 * (1 + variation * np.random.default_rng(2).standard_normal(count))
        cells = [make_red_cell(equivalent_diameter_um=one) for one in diameters]
        if infected is not None:
            cells += [make_red_cell("trophozoite", equivalent_diameter_um=7.5 * infected) for _ in range(n_infected)]
        return make_cells(cells, spread=1e-9)

    return make


@pytest.mark.parametrize(("variation", "flagged"), [(0.05, False), (0.08, False), (0.12, True)])
def test_anisocytosis_is_the_variation_of_the_diameter(sized, reference, variation: float, flagged: bool):  # noqa: FBT001
    taken, missing = measurements(sized(variation), reference)
    found = taken[ANISOCYTOSIS]
    assert found.value == pytest.approx(100 * variation, rel=0.05)
    assert found.limits.low < 100 * variation < found.limits.high
    assert (found.flagged, found.insufficient_count) == (flagged, False)
    assert missing == {}


def test_the_standard_error_is_that_of_repeated_samples(make_cells, make_red_cell, reference):
    generator = np.random.default_rng(3)
    values, errors = [], []
    for _ in range(60):
        cells = [make_red_cell(equivalent_diameter_um=one) for one in 7.5 * (1 + 0.06 * generator.standard_normal(400))]
        found = measurements(make_cells(cells, spread=1e-9), reference)[0][ANISOCYTOSIS]
        values.append(found.value)
        errors.append(found.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.35)


def test_single_cells_that_were_outlined_wrongly_do_not_count(sized, make_cells, make_red_cell, reference):
    cells = [
        make_red_cell(equivalent_diameter_um=7.5 * (1 + 0.05 * z))
        for z in np.random.default_rng(5).standard_normal(990)
    ]
    spoilt = make_cells([*cells, *[make_red_cell(equivalent_diameter_um=20.0) for _ in range(10)]], spread=1e-9)
    assert measurements(spoilt, reference)[0][ANISOCYTOSIS].value == pytest.approx(5.0, rel=0.1)


def test_few_cells_are_not_flagged_and_fewer_not_measured(sized, reference):
    few = measurements(sized(0.15, 500), reference)[0][ANISOCYTOSIS]
    assert (few.insufficient_count, few.flagged) == (True, False)
    taken, missing = measurements(sized(0.15, 90), reference)
    assert taken == {}
    assert missing == {ANISOCYTOSIS: "90 red cells were measured, 100 are needed"}


@pytest.mark.parametrize(("ratio", "flagged"), [(1.0, False), (1.3, True)])
def test_enlarged_parasitised_cells(sized, reference, ratio: float, flagged: bool):  # noqa: FBT001
    found = measurements(sized(0.05, infected=ratio), reference)[0][ENLARGEMENT]
    assert found.value == pytest.approx(ratio, rel=0.01)
    assert (found.flagged, found.n) == (flagged, 40)
    assert ENLARGEMENT not in measurements(sized(0.05, infected=ratio, n_infected=0), reference)[0]
    assert set(measurements(sized(0.05, infected=ratio), reference)[0]) == set(MEASUREMENTS)


def test_the_fewest_cells_that_are_measured(sized, reference):
    """100 red cells, and 3 parasitised ones beside them."""
    assert ANISOCYTOSIS not in measurements(sized(0.05, 99), reference)[0]
    assert measurements(sized(0.05, 100), reference)[0][ANISOCYTOSIS].n == 100
    assert measurements(sized(0.05, 20, infected=1.3, n_infected=3), reference)[0][ENLARGEMENT].n == 3
    assert ENLARGEMENT not in measurements(sized(0.05, 19, infected=1.3, n_infected=3), reference)[0]


@pytest.mark.parametrize(("count", "few"), [(999, True), (1000, False)])
def test_a_flag_needs_a_thousand_red_cells(sized, reference, count: int, few: bool):  # noqa: FBT001
    found = measurements(sized(0.15, count), reference)[0][ANISOCYTOSIS]
    assert (found.insufficient_count, found.flagged) == (few, not few)


def test_enlargement_is_of_medians_with_the_error_of_repeated_samples(make_cells, make_red_cell, reference):
    generator = np.random.default_rng(6)
    others = [make_red_cell(equivalent_diameter_um=one) for one in (6.0, 6.0, 8.0, 12.0, 12.0) * 40]

    def found(diameters):
        infected = [make_red_cell("schizont", equivalent_diameter_um=one) for one in diameters]
        return measurements(make_cells([*others, *infected], spread=0.0), reference)[0][ENLARGEMENT]

    assert found([8.0, 10.0, 40.0]).value == pytest.approx(10 / 8)
    seen = [found(10 + generator.standard_normal(31)) for _ in range(60)]
    spread = np.std([one.value for one in seen], ddof=1)
    assert np.mean([one.standard_error for one in seen]) == pytest.approx(spread, rel=0.3)
    assert seen[0].limits == pytest.approx(
        (seen[0].value - 1.96 * seen[0].standard_error, seen[0].value + 1.96 * seen[0].standard_error), rel=1e-4
    )


def test_the_order_of_cells_does_not_matter(sized, reference):
    cells = sized(0.08, infected=1.3)
    shuffled = cells.select(np.random.default_rng(7).permutation(len(cells)))
    assert measurements(shuffled, reference) == measurements(cells, reference)
