from __future__ import annotations

import pytest
from scipy import stats

from hemato_lab.diagnosis import CellConcentration
from hemato_lab.diagnosis.conditions import judge_leaf
from hemato_lab.diagnosis.model import (
    BloodCountCondition,
    ConcentrationCondition,
    GradeCondition,
    MeasurementCondition,
    PresentCondition,
    ShareCondition,
    SignCondition,
)
from hemato_lab.reference import ClinicalContext, load_reference
from tests.diagnosis.made_up import finding, make_facts, measurement

PERFECT = load_reference({"misnaming": {"blast": {"sensitivity": 1.0, "false_share": 0.0}}}).values


def share(name: str, **more: object) -> ShareCondition:
    return ShareCondition.model_validate({"kind": "share", "finding": name, **more})


def test_a_share_without_mistakes_is_the_coin_flip_of_the_design_note() -> None:
    judged = judge_leaf(share("blast", at_least=20), make_facts(counts={"blast": 40}, reference=PERFECT))
    assert judged.probability == pytest.approx(0.51, abs=0.005)
    assert judged.words == "blast at least 20 % of white cells"
    evidence = judged.to_dict()
    assert (evidence["count"], evidence["n_reference"], evidence["value"], evidence["unit"]) == (40, 200, 20.0, "%")
    assert evidence["limits_95"] == pytest.approx([14.7, 26.2], abs=0.05)


def test_a_share_is_judged_against_what_the_model_would_call() -> None:
    facts = make_facts(counts={"sickle cell": 20, "schistocyte": 40})
    moved = 0.9 * 0.005 + 0.0016 * 0.995 + 0.1 * 40 / 2000
    judged = judge_leaf(share("sickle cell", at_least=0.5), facts)
    assert judged.probability == pytest.approx(stats.beta.sf(moved, 20.5, 1980.5))
    assert judged.numbers["lower_threshold_as_called"] == pytest.approx(100 * moved, rel=1e-3)


def test_a_share_between_two_thresholds_is_the_difference() -> None:
    facts = make_facts(counts={"blast": 20}, reference=PERFECT)
    expected = stats.beta.cdf(0.2, 20.5, 180.5) - stats.beta.cdf(0.01, 20.5, 180.5)
    assert judge_leaf(share("blast", at_least=1, below=20), facts).probability == pytest.approx(expected)
    assert judge_leaf(share("blast", below=20), facts).probability == pytest.approx(stats.beta.cdf(0.2, 20.5, 180.5))


def test_fields_that_differ_make_a_share_less_certain() -> None:
    alone = make_facts(counts={"elliptocyte": finding("elliptocyte", 600)})
    spread = make_facts(counts={"elliptocyte": finding("elliptocyte", 600, overdispersion=10.0)})
    condition = share("elliptocyte", above=25)
    assert judge_leaf(condition, alone).known > judge_leaf(condition, spread).known > 0.5


def test_too_few_cells_are_not_judged() -> None:
    few = make_facts(counts={"sickle cell": finding("sickle cell", 300, 999)})
    assert judge_leaf(share("sickle cell", at_least=0.5, minimum=1000), few).reason == (
        "too few cells for sickle cell: 999 of 1000"
    )
    stricter = make_facts(counts={"blast": finding("blast", 60, 150)})
    assert judge_leaf(share("blast", at_least=20, minimum=200), stricter).reason.endswith("150 of 200")
    none = make_facts(counts={"blast": finding("blast", 0, 0, minimum=0)})
    assert not judge_leaf(share("blast", at_least=20), none).assessed


def test_what_nobody_looked_for_is_not_judged() -> None:
    facts = make_facts(missing=["Auer rod"])
    judged = judge_leaf(PresentCondition(kind="present", finding="Auer rod", any_age=True), facts)
    assert judged.reason == "Auer rod was not assessed: no model names it"
    assert judged.to_dict()["not_assessed"] == judged.reason
    sign = judge_leaf(SignCondition(kind="sign", what="band forms"), facts)
    assert sign.reason == "band forms was not assessed"


@pytest.mark.parametrize("name", ["microcyte", "macrocyte", "oval macrocyte"])
def test_sizes_need_a_stated_pixel_size(name: str) -> None:
    condition = GradeCondition(kind="grade", finding=name, at_least="2+")
    assert judge_leaf(condition, make_facts()).assessed
    assert "stated pixel size" in judge_leaf(condition, make_facts(independent_scale=False)).reason


def test_thresholds_on_white_cells_are_those_of_adults() -> None:
    child = make_facts(age_group="child", counts={"blast": 50}, blood_count={"mcv": 70})
    for condition in (
        share("lymphocyte", above=50),
        PresentCondition(kind="present", finding="nucleated RBC"),
        ConcentrationCondition(kind="concentration", cell="WBC", above=11),
        BloodCountCondition(kind="blood count", value="mcv", outside="below range"),
    ):
        assert "reference ranges are those of adults" in judge_leaf(condition, child).reason
    assert judge_leaf(share("blast", at_least=20, any_age=True), child).assessed
    assert judge_leaf(share("sickle cell", at_least=0.5), child).assessed


def test_preterm_infants_have_more_fragments() -> None:
    condition = share("schistocyte", above=1, above_in_preterm=5)
    counts = {"schistocyte": 60}
    assert judge_leaf(condition, make_facts(counts=counts)).known > 0.9
    assert judge_leaf(condition, make_facts(counts=counts, age_group="preterm infant")).known < 0.1


def test_a_grade_is_a_share_of_the_reference() -> None:
    facts = make_facts(counts={"acanthocyte": 130})
    judged = judge_leaf(GradeCondition(kind="grade", finding="acanthocyte", at_least="2+"), facts)
    assert judged.probability == pytest.approx(stats.beta.sf(0.05, 130.5, 1870.5))
    ungraded = judge_leaf(GradeCondition(kind="grade", finding="blast", at_least="2+"), facts)
    assert ungraded.reason == "blast has no grades"


RINGS = PresentCondition(kind="present", finding="ring trophozoite", at_least=2, or_one_surest=True)


def test_parasites_are_more_than_the_mistakes_among_the_cells_searched() -> None:
    judged = judge_leaf(RINGS, make_facts(counts={"ring trophozoite": 12}))
    assert judged.probability == pytest.approx(stats.poisson.cdf(11, 1.8) * (1 - 1.8 / 12))
    assert judged.numbers["expected_false"] == 1.8
    assert judge_leaf(RINGS, make_facts(counts={"ring trophozoite": 1})).probability == 0.0


def test_one_ring_of_the_surest_score_will_do() -> None:
    facts = make_facts(counts={"ring trophozoite": 1}, parasite_scores=(0.97,), red_cells_searched=500)
    assert judge_leaf(RINGS, facts).probability == pytest.approx(stats.poisson.cdf(0, 0.1) * 0.9)
    unsure = make_facts(counts={"ring trophozoite": 1}, parasite_scores=(0.94,), red_cells_searched=500)
    assert judge_leaf(RINGS, unsure).probability == 0.0


def test_surest_scores_belong_to_the_largest_stage() -> None:
    counts = {"ring trophozoite": 1, "trophozoite": 3}
    facts = make_facts(counts=counts, parasite_scores=(0.97, 0.6, 0.6, 0.6), red_cells_searched=500)
    assert judge_leaf(RINGS, facts).probability == 0.0
    older = RINGS.model_copy(update={"finding": "trophozoite", "at_least": 9})
    assert judge_leaf(older, facts).known > 0.8


def test_parasites_were_searched_for_or_not() -> None:
    assert judge_leaf(RINGS, make_facts(red_cells_searched=0)).reason == "no red cell was searched for parasites"
    assert "was not assessed" in judge_leaf(RINGS, make_facts(missing=["ring trophozoite"])).reason


def test_presence_of_other_cells_uses_their_own_mistakes() -> None:
    condition = PresentCondition(kind="present", finding="nucleated RBC", false_percent=0.5)
    judged = judge_leaf(condition, make_facts(counts={"nucleated RBC": 3}))
    assert judged.probability == pytest.approx(stats.poisson.cdf(2, 1.0))
    known = judge_leaf(
        PresentCondition(kind="present", finding="blast", false_percent=50.0), make_facts(counts={"blast": 3})
    )
    assert known.numbers["expected_false"] == pytest.approx(0.005 * 200)


def test_a_blood_count_is_exact() -> None:
    low = ConcentrationCondition(kind="concentration", cell="platelet", below=150)
    for value, probability in ((149.0, 1.0), (150.0, 0.0), (151.0, 0.0)):
        assert judge_leaf(low, make_facts(concentrations={"platelet": value})).probability == probability
    ranged = ConcentrationCondition(kind="concentration", cell="RBC", below_range="rbc")
    assert judge_leaf(ranged, make_facts(concentrations={"RBC": 3.7})).probability == 1.0
    man = ClinicalContext(sex="male")
    assert judge_leaf(ranged, make_facts(concentrations={"RBC": 4.4}, context=man)).probability == 1.0
    assert judge_leaf(ranged, make_facts(concentrations={"RBC": 4.4})).probability == 0.0


def test_an_estimate_has_its_posterior() -> None:
    estimate = CellConcentration(125.0, "10*3/uL", "estimate", 25, 1000, 5000.0)
    judged = judge_leaf(
        ConcentrationCondition(kind="concentration", cell="platelet", below=150),
        make_facts(concentrations={"platelet": estimate}),
    )
    assert judged.probability == pytest.approx(stats.beta.cdf(150 / 5150, 25.5, 1000.5))
    assert judged.numbers["n"] == 25


def test_a_concentration_that_nobody_gave_is_not_judged() -> None:
    condition = ConcentrationCondition(kind="concentration", cell="platelet", below=150)
    assert judge_leaf(condition, make_facts(concentrations={"platelet": None})).reason == (
        "needs a blood count, or a red-cell concentration stated by the user"
    )


def test_a_measurement_reaches_its_flag_or_a_value() -> None:
    facts = make_facts(measured={"anisocytosis": 9.1})
    flag = MeasurementCondition(kind="measurement", measurement="anisocytosis")
    assert judge_leaf(flag, facts).probability == pytest.approx(stats.norm.cdf(0.5))
    assert judge_leaf(flag.model_copy(update={"at_least": 8.9}), facts).probability == pytest.approx(stats.norm.cdf(1))
    few = make_facts()
    few.findings.measurements["anisocytosis"] = measurement("anisocytosis", 9.9, 0.1, 9.0, insufficient_count=True)  # type: ignore[index]
    assert "too few" in judge_leaf(flag, few).reason
    few.findings.measurements.clear()  # type: ignore[attr-defined]
    assert judge_leaf(flag, few).reason == "anisocytosis was not assessed"


@pytest.mark.parametrize(
    ("condition", "probability"),
    [
        ({"value": "mcv", "outside": "below range"}, 1.0),
        ({"value": "mcv", "outside": "above range"}, 0.0),
        ({"value": "hb", "below": 7.0}, 0.0),
        ({"value": "hb", "above": 9.9}, 1.0),
        ({"value": "rdw", "outside": "above range"}, None),
    ],
)
def test_values_of_the_analyser_are_exact(condition: dict[str, object], probability: float | None) -> None:
    facts = make_facts(blood_count={"mcv": 82.9, "hb": 10.0})
    judged = judge_leaf(BloodCountCondition.model_validate({"kind": "blood count", **condition}), facts)
    assert judged.probability == probability
    assert judged.assessed or judged.reason == "the blood count gives no RDW"
