from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.findings import with_measured_names
from hemato_lab.findings.naming import ragged_platelets
from hemato_lab.smear import Scale

STATED = Scale.from_um_per_px(0.125)
GUESSED = Scale.from_rbc_diameter_px(60.0)


def platelet(diameter_um: float, **changes: float) -> dict[str, float | str]:
    return {"name": "platelet", "radius": diameter_um / 2 / 0.125, "circularity": 0.98, **changes}


@pytest.fixture
def smear(make_cells, make_red_cell):
    def make(*others):
        reds = [make_red_cell() for _ in range(60)]
        return make_cells([*reds, *[{**make_red_cell(), **other} for other in others]])

    return make


@pytest.mark.parametrize(
    ("diameter_um", "name"),
    [(2.5, "platelet"), (3.9, "platelet"), (4.3, "large platelet"), (6.8, "large platelet"), (7.2, "giant platelet")],
)
def test_platelets_by_size_in_micrometres(smear, reference, diameter_um: float, name: str):
    """Large from 4, giant from 7 um (DOMAIN.md section 3.5)."""
    named = with_measured_names(smear(platelet(diameter_um)), reference.measured, STATED)
    assert named["name"][60] == name


def test_without_a_pixel_size_giant_is_larger_than_a_red_cell(smear, reference):
    named = with_measured_names(smear(platelet(7.2), platelet(8.0)), reference.measured, GUESSED)
    assert named["name"][60:].tolist() == ["large platelet", "giant platelet"]


def test_a_ragged_giant_is_a_clump_and_keeps_its_name(smear, reference):
    cells = smear(platelet(9.0, circularity=0.6), platelet(3.0, circularity=0.6))
    named = with_measured_names(cells, reference.measured, STATED)
    assert named["name"][60:].tolist() == ["platelet", "platelet"]
    assert ragged_platelets(cells, reference.measured, STATED, 7.5)[60:].tolist() == [True, False]


def test_a_body_without_haemoglobin_is_a_platelet_whatever_it_was_called(smear, reference):
    body = {"name": "schizont", "od_green": 0.45, "od_red": 0.34, "od_blue": 0.15, "parasite_score": 0.97}
    schizont = {"name": "schizont", "od_green": 0.16, "od_red": 0.08, "od_blue": 0.12, "parasite_score": 0.97}
    big = {"radius": 32.0}
    named = with_measured_names(smear(body | big, schizont | big), reference.measured, STATED)
    assert named["name"][60:].tolist() == ["giant platelet", "schizont"]
    assert np.isnan(named["parasite_score"][60])
    assert named["parasite_score"][61] == 0.97


def test_a_smudge_is_large_pale_ragged_and_has_no_name(smear, reference):
    smudge = {"name": "unclassified WBC", "equivalent_diameter_um": 14.0, "od_green": 0.45, "solidity": 0.9}
    others = [smudge | change for change in ({"name": "neutrophil"}, {"solidity": 0.97}, {"od_green": 0.9})]
    named = with_measured_names(smear(smudge, *others), reference.measured, STATED)
    assert named["name"][60:].tolist() == ["smudge cell", "neutrophil", "unclassified WBC", "unclassified WBC"]


def test_names_that_do_not_change_leave_the_table_alone(smear, reference):
    cells = smear(platelet(2.5))
    assert with_measured_names(cells, reference.measured, STATED) is cells


def test_a_renamed_cell_has_no_confidence_of_a_network(smear, reference):
    cells = smear(platelet(5.0)).with_columns(name_confidence=np.full(61, 0.9))
    named = with_measured_names(cells, reference.measured, STATED)
    assert np.isnan(named["name_confidence"][60])
    assert (named["name_confidence"][:60] == 0.9).all()
