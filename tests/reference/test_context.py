from __future__ import annotations

import pytest

from hemato_lab.errors import ConfigError
from hemato_lab.reference import BloodCount, ClinicalContext


def test_what_is_known_is_told_and_nothing_else():
    context = ClinicalContext("adult", "female", BloodCount(wbc=12.0))
    assert context.to_dict() == {"age_group": "adult", "sex": "female", "blood_count": {"wbc": 12.0}}
    assert ClinicalContext().to_dict() == {}
    assert ClinicalContext().is_empty
    assert not context.is_empty


@pytest.mark.parametrize(
    ("group", "adult"), [(None, True), ("adult", True), ("child", False), ("preterm infant", False)]
)
def test_ranges_are_those_of_adults(group, adult: bool):  # noqa: FBT001
    assert ClinicalContext(group).has_adult_ranges is adult


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"leucocytes": 5.0}, "leucocytes"),
        ({"wbc": 8000.0}, "10*3/uL"),
        ({"rbc": 5e6}, "10*6/uL"),
        ({"hb": 140.0}, "g/dL"),
        ({"plt": float("nan")}, "plt"),
        ({"wbc": "8"}, "wbc"),
        ({"mcv": True}, "mcv"),
    ],
)
def test_another_unit_or_name_is_refused(values, said: str):
    with pytest.raises(ConfigError) as caught:
        BloodCount.from_mapping(values)
    assert said in str(caught.value)


def test_whole_numbers_are_numbers():
    assert BloodCount.from_mapping({"wbc": 8, "mcv": None}).given() == {"wbc": 8.0}


def test_unknown_groups_are_refused():
    with pytest.raises(ConfigError, match="age group"):
        ClinicalContext("elder")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="sex"):
        ClinicalContext(sex="f")  # type: ignore[arg-type]
