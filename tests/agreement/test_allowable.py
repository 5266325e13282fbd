from __future__ import annotations

import math

import numpy as np
import pytest

from hemato_lab.agreement import allowable as module
from hemato_lab.agreement.allowable import AllowableError, allowable_errors, judge, judge_bias, judge_share, limits_for
from hemato_lab.agreement.deming import deming
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.pairs import Pairs, make_pairs
from hemato_lab.errors import ConfigError, UnlikeUnitsError
from hemato_lab.statistics.features import STATISTICS

TEN_PER_CENT = AllowableError("white cells", "own", percent=10)


def _pairs(spread: float, bias: float = 0.0, *, size: int = 100, unit: str = "10*3/uL") -> Pairs:
    generator = np.random.default_rng(67)
    first = generator.uniform(30, 400, size)
    return make_pairs(first, first * (1 + bias + generator.normal(0, spread, size)), unit=unit)


def test_the_table_is_that_of_the_domain_reference():
    """DOMAIN.md section 7."""
    texts = {(limit.analyte, limit.standard): limit.text() for limit in allowable_errors()}
    assert texts == {
        ("platelets", "CLIA"): "±25 %",
        ("platelets", "RCPA"): "±25 % or ±25 10*3/uL",
        ("platelets", "biological variation"): "±13.4 %",
        ("platelets", "smear"): "±25 %",
        ("haemoglobin", "CLIA"): "±4 %",
        ("red cells", "CLIA"): "±4 %",
        ("white cells", "CLIA"): "±10 %",
        ("white cells", "smear"): "±25 %",
        ("white-cell differential", "CLIA"): "±3 SD of the peer group",
        ("cell names", "CLIA"): "at least 80 % right",
    }


def test_every_limit_says_where_it_comes_from():
    assert {limit.source.split(":")[0] for limit in allowable_errors()} <= {"checked", "known"}


def test_keys_of_statistics_lead_to_their_limits():
    assert limits_for("platelet-concentration") == limits_for("platelets") != ()
    assert limits_for("parasitaemia") == ()
    listed = {key for entry in module._document()["analytes"].values() for key in entry["statistics"]}
    assert listed <= set(STATISTICS)
    assert {limit.analyte for limit in allowable_errors()} <= set(module._document()["analytes"])


def test_below_100_platelets_the_amount_is_wider_and_above_the_percentage():
    limit = next(one for one in limits_for("platelets") if one.standard == "RCPA")
    np.testing.assert_allclose(limit.allowed(np.array([20.0, 100, 400]), unit="10*3/uL"), [25, 25, 100])
    np.testing.assert_allclose(limit.allowed(np.array([20_000.0, 400_000]), unit="/uL"), [25_000, 100_000])
    with pytest.raises(UnlikeUnitsError):
        limit.allowed(np.array([20.0]), unit="/mm2")


@pytest.mark.parametrize(
    ("spread", "bias", "outcome"),
    [(0.02, 0, "within"), (0.1, 0, "beyond"), (0.05, 0, "not sure"), (0.005, 0.2, "beyond"), (0.001, 0.095, "within")],
)
def test_the_verdict_follows_from_limits_of_agreement(spread: float, bias: float, outcome: str):
    (verdict,) = judge(_pairs(spread, bias), "white cells", limits=[TEN_PER_CENT])
    assert verdict.outcome == outcome
    assert outcome in verdict.sentence
    assert not verdict.reason


def test_more_samples_make_sure():
    few, many = (judge(_pairs(0.04, size=size), "", limits=[TEN_PER_CENT])[0] for size in (20, 2000))
    assert (few.outcome, many.outcome) == ("not sure", "within")


def test_the_share_within_is_counted():
    pairs = make_pairs([100] * 4, [100, 109, 110, 111])
    (verdict,) = judge(pairs, "", limits=[TEN_PER_CENT])
    assert verdict.share_within.value == 0.75
    assert verdict.share_within.low < 0.75 < verdict.share_within.high


def test_equal_readings_are_within_every_limit():
    values = np.arange(10.0, 60)
    verdicts = judge(make_pairs(values, values, unit="10*3/uL"), "platelets")
    assert [verdict.outcome for verdict in verdicts] == ["within"] * 4


def test_what_cannot_be_judged_says_why():
    def reason(pairs: Pairs, analyte: str, **more: float) -> str:
        verdict = judge(pairs, analyte, **more)[-1]
        assert verdict.outcome == "not sure"
        assert verdict.reason in verdict.sentence
        assert math.isnan(verdict.lower.value)
        return verdict.reason

    assert reason(make_pairs([1, 2], [1, 2]), "white-cell differential") == module.NO_GROUP
    assert reason(make_pairs([1, 2], [1, 2]), "cell names") == module.OF_NAMES
    assert reason(make_pairs([0, 0], [1, 2]), "white cells") == module.ZERO_REFERENCE
    assert reason(make_pairs([1], [1]), "white cells") == module.FEW_PAIRS
    assert "measure different things" in judge(_pairs(0.1, unit="/mm2"), "platelets")[1].reason
    assert judge(_pairs(0.1), "nothing known") == ()


def test_standard_deviations_of_the_peer_group_are_amounts():
    (verdict,) = judge(make_pairs([10, 50, 30], [11, 50, 29]), "white-cell differential", group_sd=4)
    np.testing.assert_array_equal(verdict.allowed, [12, 12, 12])
    assert verdict.outcome == "within"


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(-9, 9, "within"), (5, 12, "not sure"), (11, 15, "beyond"), (-15, -10.5, "beyond"), (-12, 12, "not sure")],
)
def test_a_bias_is_judged_from_its_limits(low: float, high: float, outcome: str):
    bias = Estimate((low + high) / 2, low, high)
    (verdict,) = judge_bias(bias, "white cells", level=100, limits=[TEN_PER_CENT])
    assert verdict.outcome == outcome
    assert verdict.lower.low == pytest.approx(low / 10)
    assert "the bias is" in verdict.sentence


def test_a_bias_comes_from_a_line():
    pairs = _pairs(0.02, 0.3)
    bias = deming(pairs.first, pairs.second).bias_at(200)
    outcomes = [verdict.outcome for verdict in judge_bias(bias, "platelets", level=200, unit="10*3/uL")]
    assert outcomes == ["beyond"] * 4


def test_a_bias_that_cannot_be_judged_says_why():
    assert judge_bias(Estimate(1.0), "haemoglobin", level=10)[0].reason == module.UNDEFINED
    assert judge_bias(Estimate(1.0, 0, 2), "haemoglobin", level=0)[0].reason == module.ZERO_REFERENCE
    assert judge_bias(Estimate(1.0, 0, 2), "cell names", level=5)[0].reason == module.OF_NAMES


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(0.8, 0.9, "within"), (0.7, 0.9, "not sure"), (0.6, 0.79, "beyond")]
)
def test_a_share_of_right_names_is_judged_from_its_limits(low: float, high: float, outcome: str):
    (verdict,) = judge_share(Estimate(0.8, low, high), "cell names")
    assert verdict.outcome == outcome
    assert "right" in verdict.sentence


def test_a_share_that_cannot_be_judged_says_why():
    assert judge_share(Estimate(0.8), "cell names")[0].reason == module.UNDEFINED
    assert judge_share(Estimate(0.8, 0.7, 0.9), "haemoglobin")[0].reason == module.OF_MEASUREMENTS


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"percent": -1},
        {"percent": 5, "group_sds": 2},
        {"least_share": 2},
        {"percent": math.inf},
        {"percent": math.nan},
    ],
)
def test_what_is_no_limit_is_refused(wrong: dict[str, float]):
    with pytest.raises(ConfigError, match="is not one"):
        AllowableError("platelets", "own", **wrong)


def test_rows_name_the_figures():
    (verdict,) = judge(_pairs(0.02), "", limits=[TEN_PER_CENT])
    frame = verdict.to_frame()
    assert list(frame["figure"]) == ["lower end", "upper end", "share within"]


@pytest.mark.parametrize("group_sd", [0, -1, math.nan, math.inf])
def test_impossible_standard_deviations_are_refused(group_sd: float):
    with pytest.raises(ConfigError, match="standard deviation"):
        judge(make_pairs([10, 50], [11, 50]), "white-cell differential", group_sd=group_sd)
    with pytest.raises(ConfigError, match="standard deviation"):
        judge_bias(Estimate(1.0, 0, 2), "white-cell differential", level=10, group_sd=group_sd)


def test_a_reference_of_nothing_is_told_and_leaves_the_others_judged():
    pairs = _pairs(0.02)
    zeros = make_pairs([0, 0, *pairs.first], [0, 0, *pairs.second], unit=pairs.unit)
    (verdict,), (plain,) = (judge(one, "", limits=[TEN_PER_CENT]) for one in (zeros, pairs))
    assert (verdict.outcome, verdict.lower, verdict.upper) == ("within", plain.lower, plain.upper)
    assert "2 of 102 samples have a reference of 0" in verdict.sentence
    assert "0 of them differ" in verdict.sentence
    assert len(verdict.allowed) == 102
    assert plain.caution == ""


def test_something_where_the_reference_has_nothing_is_not_within():
    pairs = _pairs(0.02)
    (verdict,) = judge(make_pairs([0, *pairs.first], [5, *pairs.second]), "", limits=[TEN_PER_CENT])
    assert verdict.outcome == "not sure"
    assert "1 of 101 samples have a reference of 0" in verdict.sentence
    assert verdict.share_within.value == pytest.approx(100 / 101)
