"""What the gate decides: on equal runs, on a drop, on noise, on too few smears."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.agreement.gate.judging import judge
from hemato_lab.agreement.gate.model import GateResult, PairedMetric, PairedMetrics
from hemato_lab.agreement.gate.settings import GateSettings, Rule, load_settings
from hemato_lab.errors import ConfigError
from tests.agreement.gate.judged import counts, judged, metric


def test_equal_runs_pass_with_an_interval_of_no_width():
    found = judged(metric(counts(), counts()))
    assert found.decision == "pass"
    assert (found.change.value, found.change.low, found.change.high) == (0, 0, 0)
    assert (found.relative_change.low, found.relative_change.high) == (0, 0)
    assert found.reason.startswith("cells:RBC passes: it is the same in all 200 smears")


def test_a_drop_of_three_per_cent_in_two_hundred_fields_fails_and_says_why():
    seen = np.random.default_rng(2).binomial(counts().astype(int), 0.97)
    found = judged(metric(counts(), seen))
    assert found.decision == "fail"
    assert found.relative
    assert found.relative_change.value == pytest.approx(-0.03, abs=0.005)
    assert "cells:RBC fails: it fell by 3" in found.reason
    assert "2 % either way is tolerated" in found.reason
    assert "on average of 200 smears" in found.reason
    assert "Largest changes: smear " in found.reason


def test_a_drop_of_three_per_cent_fails_whatever_the_smears_are():
    """In a hundred worlds, of which each has other smears and loses other cells."""
    settings = GateSettings(metric=(Rule(match="*", relative=0.02),), resamples=200)
    decisions = []
    for seed in range(100):
        before = counts(seed=seed)
        after = np.random.default_rng(1000 + seed).binomial(before.astype(int), 0.97)
        decisions.append(judge(PairedMetrics(("b", "c"), (metric(before, after),)), settings).decision)
    assert decisions.count("fail") >= 99
    assert "pass" not in decisions


def test_noise_alone_passes_whatever_the_smears_are():
    """Two readings that differ by a jitter of 0.3 % in each smear."""
    settings = GateSettings(metric=(Rule(match="*", relative=0.02),), resamples=200)
    for seed in range(100):
        before = counts(seed=seed) * 50
        after = before * (1 + np.random.default_rng(seed).normal(0, 0.003, len(before)))
        assert judge(PairedMetrics(("b", "c"), (metric(before, after),)), settings).decision == "pass"


def test_the_interval_is_that_of_a_paired_analysis():
    before = counts()
    after = before + np.random.default_rng(3).normal(0.5, 2, 200)
    found = judged(metric(before, after))
    error = (after - before).std(ddof=1) / math.sqrt(200)
    assert found.change.value == pytest.approx((after - before).mean())
    assert found.change.low == pytest.approx(found.change.value - 1.96 * error, abs=0.2 * error)
    assert found.change.high == pytest.approx(found.change.value + 1.96 * error, abs=0.2 * error)
    assert found.relative_change.value == pytest.approx((after - before).mean() / before.mean())


def test_more_confidence_wants_wider_intervals():
    pairs = PairedMetrics(("b", "c"), (metric(counts(), counts() + np.random.default_rng(9).normal(0, 2, 200)),))
    changes = [judge(pairs, load_settings({"confidence": level})).verdicts[0].change for level in (0.5, 0.99)]
    assert changes[1].low < changes[0].low < changes[0].high < changes[1].high


def test_a_change_whose_limits_cross_the_tolerance_is_undecided_and_says_how_many_would_decide():
    before = counts(40)
    after = before * 0.99 + np.random.default_rng(4).normal(0, 8, 40)
    after += before.mean() * 0.99 - after.mean()
    found = judged(metric(before, after))
    assert found.decision == "undecided"
    needed = int(found.reason.split("about ")[1].split(" smears")[0])
    # limits of 40 smears are this much too wide
    half = max(found.relative_change.value - found.relative_change.low, 0)
    assert needed == pytest.approx(40 * (half / 0.01) ** 2, rel=0.15)


def test_the_best_guess_decides_against_a_change_that_is_too_large():
    before = counts(40)
    after = before * 0.975 + np.random.default_rng(5).normal(0, 8, 40)
    after += before.mean() * 0.975 - after.mean()
    found = judged(metric(before, after))
    assert found.relative_change.high > -0.02, "its limits do not exclude a tolerable change"
    assert found.decision == "fail"


@pytest.mark.parametrize(
    ("worse", "factor", "decision"),
    [
        ("lower", 1.1, "pass"),
        ("lower", 0.9, "fail"),
        ("higher", 1.1, "fail"),
        ("higher", 0.9, "pass"),
        ("any", 1.1, "fail"),
        ("any", 0.9, "fail"),
    ],
)
def test_only_changes_in_the_bad_direction_are_bad(worse: str, factor: float, decision: str):
    found = judged(metric(counts(), counts() * factor), worse=worse)
    assert found.decision == decision
    if decision == "pass":
        assert found.largest == ()


@pytest.mark.parametrize(("worse", "way"), [("lower", -1), ("higher", 1)])
def test_only_the_bad_end_of_the_interval_has_to_be_tolerated(worse: str, way: int):
    noise = np.random.default_rng(8).normal(0, 5, 40)
    noise -= noise.mean()
    bad, good = (judged(metric(np.full(40, 100.0), 100 + side * way * 1.2 + noise), worse=worse) for side in (1, -1))
    assert (bad.decision, good.decision) == ("undecided", "pass")


def test_of_two_tolerances_the_one_that_allows_more_counts():
    rare = metric(np.array([0.0, 0, 1, 0, 0, 0, 0, 0]), np.zeros(8))
    assert judged(rare).decision == "fail"
    found = judged(rare, absolute=0.5)
    assert (found.decision, found.relative, found.tolerance) == ("pass", False, 0.5)
    frequent = judged(metric(counts(), counts()), absolute=0.5)
    assert (frequent.relative, frequent.tolerance) == (True, 0.02)


def test_a_tolerance_of_nothing_lets_no_change_pass():
    before = np.full(200, 100.0)
    after = before.copy()
    assert judged(metric(before, after), worse="lower", absolute=0.0, relative=None).decision == "pass"
    after[7] = 0
    found = judged(metric(before, after, unit="%"), worse="lower", absolute=0.0, relative=None)
    assert found.decision == "fail"
    assert "no fall is tolerated" in found.reason
    assert found.largest == (("smear 7", 100.0, 0.0),)
    assert "smear 7 from 100 to 0 %" in found.reason


def test_something_where_there_was_nothing_has_no_share():
    found = judged(metric(np.zeros(30), np.ones(30)))
    assert (found.decision, found.relative) == ("fail", False)
    assert math.isnan(found.relative_change.value)
    assert found.to_dict()["relative_change"]["value"] is None
    assert judged(metric(np.zeros(30), np.zeros(30))).decision == "pass"


def test_negative_figures_are_shares_of_their_size():
    found = judged(metric(np.full(30, -100.0), np.full(30, -103.0)))
    assert found.relative_change.value == pytest.approx(-0.03)
    assert found.decision == "fail"


def test_with_few_smears_every_single_one_has_to_keep_the_tolerance():
    assert judged(metric(counts(4), counts(4))).decision == "pass"
    even = judged(metric(np.full(4, 100.0), np.array([100.0, 101, 99, 100.5])))
    assert (even.decision, even.change.low, even.change.high) == ("pass", -1, 1)
    assert "(single smears changed by −1 to +1 %)" in even.reason
    one_off = judged(metric(np.full(4, 100.0), np.array([100.0, 103, 99, 100])))
    assert one_off.decision == "undecided"
    assert "(single smears changed by −1 to +3 %)" in one_off.reason
    assert "With fewer than 5 independent smears every single one has to keep that." in one_off.reason
    assert judged(metric(counts(4), counts(4) * 0.9)).decision == "fail"
    assert judged(metric(counts(1), counts(1))).decision == "pass"
    assert judged(metric(counts(1), counts(1) * 0.9)).decision == "fail"


def test_no_smear_at_all_is_undecided():
    nothing = judged(metric(np.empty(0), np.empty(0)))
    assert nothing.decision == "undecided"
    assert nothing.reason.startswith("cells:RBC is undecided: no smear has it in both runs.")


def test_few_smears_are_cautioned_against():
    settings = GateSettings(metric=(Rule(match="*", relative=0.02),), least_smears=20)
    told = [judge(PairedMetrics(("a", "b"), (metric(counts(n), counts(n)),)), settings).remarks for n in (1, 19, 20)]
    assert told[0][0].startswith("Only 1 independent smear, 20 are asked for")
    assert told[1][0].startswith("Only 19 independent smears, 20 are asked for")
    assert told[2] == ()


def test_a_figure_that_few_of_many_smears_state_is_judged_by_those():
    many, few = metric(counts(), counts()), metric(counts(3), counts(3) * 1.001, name="parasitaemia")
    settings = GateSettings(metric=(Rule(match="*", relative=0.02),))
    found = judge(PairedMetrics(("a", "b"), (many, few)), settings)
    assert (found.decision, found.remarks) == ("pass", ())
    assert {one.name: one.groups for one in found.verdicts} == {"cells:RBC": 200, "parasitaemia": 3}


def test_smears_of_one_patient_count_as_one():
    before = np.full(40, 100.0)
    after = before + np.tile([0.0, 3.0], 20)
    groups = tuple(f"patient {number // 10}" for number in range(40))
    found = judged(metric(before, after, groups=groups))
    assert (found.smears, found.groups, found.decision) == (40, 4, "pass")
    assert (found.change.low, found.change.high) == (1.5, 1.5), "means of the patients"


def test_whole_patients_are_drawn():
    """What all smears of a patient share widens the interval; drawn one by one they would hide it."""
    generator = np.random.default_rng(6)
    before = np.full(200, 100.0)
    after = before + np.repeat(generator.normal(0, 3, 20), 10)
    groups = tuple(f"patient {number // 10}" for number in range(200))
    together, alone = judged(metric(before, after, groups=groups)), judged(metric(before, after))
    widths = [one.change.high - one.change.low for one in (together, alone)]
    assert widths[0] > 2.5 * widths[1]
    assert together.change.value == pytest.approx(alone.change.value)


def test_shares_weigh_as_much_as_what_they_are_shares_of():
    weights = np.array([1.0] * 30 + [999.0] * 30)
    before, after = np.full(60, 100.0), np.array([0.0] * 30 + [100.0] * 30)
    found = judged(metric(before, after, unit="%", weights=weights), absolute=1.0, relative=None, worse="lower")
    assert found.current == pytest.approx(99.9)
    assert found.decision == "pass"


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=12))
def test_any_figures_have_a_decision_and_a_reason(pairs):
    before, after = np.array(pairs).T
    found = judged(metric(before, after), absolute=1.0)
    assert found.decision in {"pass", "fail", "undecided"}
    assert found.reason.endswith(".")
    assert "nan" not in found.reason
    if np.array_equal(before, after):
        assert found.decision == "pass"


def test_a_change_that_passes_one_way_passes_with_more_tolerance():
    before, after = counts(), counts() * 0.985
    decisions = [judged(metric(before, after), relative=share).decision for share in (0.005, 0.01, 0.02, 0.05)]
    assert decisions == ["fail", "fail", "pass", "pass"]


def result(*decisions: str, undecided: str = "fail") -> GateResult:
    by_decision = {
        "pass": metric(counts(), counts(), name="good"),
        "fail": metric(counts(), counts() * 0.9, name="bad"),
        "undecided": metric(np.full(3, 100.0), np.array([100.0, 97, 101]), name="open"),
    }
    settings = GateSettings(metric=(Rule(match="*", relative=0.02),), undecided=undecided)
    return judge(PairedMetrics(("a", "b"), tuple(by_decision[one] for one in decisions)), settings)


def test_one_failure_shuts_the_gate():
    whole = result("pass", "undecided", "fail", undecided="pass")
    assert (whole.decision, whole.opens) == ("fail", False)
    assert [verdict.name for verdict in whole.verdicts] == ["bad", "open", "good"]
    assert whole.sentence == "The gate stays shut: 1 of 3 metrics pass, 1 fails, 1 undecided."


def test_what_is_undecided_shuts_the_gate_unless_the_settings_let_it_pass():
    assert (result("pass", "undecided").decision, result("pass", "undecided").opens) == ("undecided", False)
    assert result("pass", "undecided", undecided="pass").opens
    assert result("pass").opens
    assert result("pass").decision == "pass"


def test_units_that_do_not_fit_are_undecided():
    found = judge(PairedMetrics(("a", "b"), (), {"rbc-density": "no factor leads from x to /mm2"}), load_settings())
    assert found.decision == "undecided"
    assert (
        found.verdicts[0].reason == "rbc-density is undecided, it cannot be compared: no factor leads from x to /mm2."
    )


def test_ignored_metrics_are_listed_and_something_must_be_judged():
    settings = load_settings({"metric": [{"match": "cells*", "ignore": True}]})
    one, other = metric(counts(), counts()), metric(counts(), counts(), name="wbc-density")
    assert judge(PairedMetrics(("a", "b"), (one, other)), settings).not_judged == ("cells:RBC",)
    with pytest.raises(ConfigError, match="no metric is judged"):
        judge(PairedMetrics(("a", "b"), (one,)), settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"baseline": np.ones(2)},
        {"current": np.array([math.nan])},
        {"baseline": np.array([math.inf])},
        {"weights": np.zeros(1)},
        {"groups": ()},
    ],
)
def test_a_metric_is_checked_when_it_is_made(wrong):
    columns = {"groups": ("s",), "baseline": np.ones(1), "current": np.ones(1), "weights": np.ones(1)} | wrong
    with pytest.raises(ConfigError):
        PairedMetric("name", "", ("s",), **columns)


def test_the_result_is_repeatable_and_depends_on_the_seed():
    before, after = counts(), counts() + np.random.default_rng(7).normal(0, 1, 200)
    pairs = PairedMetrics(("a", "b"), (metric(before, after),))
    first, again, other = (judge(pairs, load_settings(own)).to_dict() for own in (None, None, {"seed": 1}))
    assert first == again
    assert first["metrics"][0]["change"] != other["metrics"][0]["change"]
