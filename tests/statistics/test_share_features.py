from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.smear import Scale
from hemato_lab.statistics import Assumptions, feature_statistics
from hemato_lab.statistics.limits import clopper_pearson_limits

SCALE = Scale.from_um_per_px(0.25)
SIZES = [(1000, 800), (1000, 800)]


@pytest.fixture
def searched(make_table):
    """500 red cells a field, 10 of them infected in the first; 4 white cells, one of them a blast."""
    rows = [(field, "normal RBC", 5.0 * k, 400.0, 5.0) for field in (0, 1) for k in range(500 - 10 * (field == 0))]
    rows += [(0, "ring trophozoite", 5.0 * k, 300.0, 5.0) for k in range(10)]
    rows += [(0, "lymphocyte", 900.0 + 60 * k, 200.0, 20.0) for k in range(3)] + [(1, "blast", 999.0, 200.0, 20.0)]
    table = make_table(rows)
    return table.with_columns(parasite_score=np.where(table["name"] == "ring trophozoite", 0.9, 0.0))


def test_parasites_in_percent_and_in_two_ways_per_microlitre(searched):
    known = Assumptions(4e6, 9000.0, "stated by the user", "assumed", 0.9)
    result = feature_statistics(searched, SIZES, SCALE, assumptions=known, not_assessed={})
    assert {key: statistic.value for key, statistic in result.documented.items() if "parasit" in key} == {
        "parasitaemia": "1.000",
        "parasite-concentration": "40000",
        "parasite-concentration-by-white-cells": "22500",
    }
    details = result.extension["parasitaemia"]
    assert (details["n"], details["n_reference"], details["insufficient_count"]) == (10, 1000, False)
    assert details["overdispersion"]["factor"] > 1  # all in one field
    low, high = clopper_pearson_limits(10, 1000).scaled(100)
    assert details["limits_95"][0] < low < high < details["limits_95"][1]
    assert "detection_limit" not in details
    by_red, by_white = (result.extension[key] for key in list(result.extension)[-2:])
    assert by_red["assumption"] == "red-cell concentration 4.000 10*6/uL, stated by the user"
    assert by_white["assumption"] == "white-cell concentration 9.000 10*3/uL, assumed"
    assert by_white["remarks"] == ["from 4 white cells: 200 are usual"]


def test_none_seen_has_the_limit_of_this_very_sample(searched):
    healthy = searched.select(searched["name"] != "ring trophozoite")
    result = feature_statistics(healthy, SIZES, SCALE, not_assessed={})
    details = result.extension["parasitaemia"]
    assert result.documented["parasitaemia"].value == "0"
    assert details["detection_limit"]["percent"] == pytest.approx(100 * (1 - 0.05 ** (1 / 990)), rel=1e-3)
    assert details["remarks"] == [
        "none seen in 990 red cells: below 0.30 % cannot be excluded",
        "from 990 red cells: at least 1000 are usual",
    ]


def test_what_was_not_searched_has_no_parasitaemia(searched):
    unsearched = searched.with_columns(parasite_score=np.full(len(searched), np.nan))
    assert not [
        key for key in feature_statistics(unsearched, SIZES, SCALE, not_assessed={}).documented if "parasit" in key
    ]


def test_every_white_cell_counts_for_the_share_of_blasts_those_at_the_border_too(searched):
    result = feature_statistics(searched, SIZES, SCALE, not_assessed={})
    details = result.extension["blast-density"]
    assert (result.documented["blast-density"].value, details["n"], details["n_reference"]) == ("25.00", 1, 4)
    without = feature_statistics(searched, SIZES, SCALE, not_assessed={}, excluded_fields={1})
    assert without.documented["blast-density"].value == "0"
    assert without.extension["blast-density"]["n_reference"] == 3


def test_without_white_cells_there_is_no_count_by_them(searched):
    red = searched.select(searched.of_kind("RBC"))
    result = feature_statistics(red, SIZES, SCALE, not_assessed={})
    assert "parasite-concentration" in result.documented
    assert "parasite-concentration-by-white-cells" not in result.documented
    assert result.documented["blast-density"].value == "not assessed"
    assert result.extension["blast-density"]["reason"] == "no white cell was found"


@pytest.mark.parametrize(
    ("white", "few", "remarks"), [(99, True, 1), (100, False, 1), (199, False, 1), (200, False, 0)]
)
def test_two_hundred_white_cells_are_usual_for_parasites(make_table, white: int, few: bool, remarks: int):  # noqa: FBT001
    rows = [(0, "ring trophozoite", 400.0, 400.0, 5.0)] + [(0, "lymphocyte", 400.0, 400.0, 20.0)] * white
    cells = make_table(rows).with_columns(parasite_score=np.full(white + 1, 0.9))
    details = feature_statistics(cells, SIZES, SCALE, not_assessed={}).extension[
        "parasite-concentration-by-white-cells"
    ]
    assert (details["insufficient_count"], len(details["remarks"])) == (few, remarks)


def test_gametocytes_are_told_apart(searched):
    names = searched["name"].astype(object)
    names[np.flatnonzero(names == "ring trophozoite")[:4]] = "gametocyte"
    result = feature_statistics(searched.with_columns(name=names.astype(str)), SIZES, SCALE, not_assessed={})
    assert result.documented["parasitaemia"].value == "1.000"
    asexual = result.extension["parasitaemia"]["without_gametocytes"]
    assert (asexual["n"], asexual["value"]) == (6, 0.6)


def test_a_hidden_half_of_the_parasites_raises_what_cannot_be_excluded(searched):
    healthy = searched.select(searched["name"] != "ring trophozoite")
    seen, half = (
        feature_statistics(
            healthy, SIZES, SCALE, assumptions=Assumptions(parasite_sensitivity=one), not_assessed={}
        ).extension["parasitaemia"]["detection_limit"]
        for one in (1.0, 0.5)
    )
    assert half["percent"] == pytest.approx(2 * seen["percent"], rel=1e-3)
    assert half["per_ul"] == pytest.approx(5e4 * half["percent"], rel=1e-3)
