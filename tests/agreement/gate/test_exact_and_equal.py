"""What exact limits, equal runs and missing figures do to the decision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hemato_lab.agreement.gate.judging import judge
from hemato_lab.agreement.gate.model import MetricVerdict, PairedMetrics
from hemato_lab.agreement.gate.settings import GateSettings, Rule, load_settings
from hemato_lab.agreement.gate.wording import number
from hemato_lab.errors import ConfigError
from tests.agreement.gate.judged import counts, judged, metric, share


@pytest.mark.parametrize(
    ("smears", "most", "decision"), [(20, 16.84, "undecided"), (182, 2.006, "undecided"), (183, 1.996, "pass")]
)
def test_what_no_smear_lost_may_be_lost_in_as_many_as_exact_limits_say(smears: int, most: float, decision: str):
    found = judged(share(np.full(smears, 100.0)), absolute=2.0, relative=None, worse="lower")
    assert found.change.low == pytest.approx(-most, abs=0.005)
    assert found.change.low == pytest.approx(-100 * stats.binomtest(0, smears).proportion_ci().high)
    assert found.change.high == 0, "more than all cannot be kept"
    assert found.decision == decision


def test_exact_limits_say_why_and_how_many_smears_would_do():
    found = judged(share(np.full(40, 100.0)), absolute=2.0, relative=None, worse="lower")
    assert "what 40 independent smears do not show may still be in others" in found.reason
    assert "about 180 smears would" in found.reason


def test_few_smears_have_exact_limits_of_shares_too():
    found = judged(share(np.full(4, 100.0)), absolute=2.0, relative=None, worse="lower")
    assert (found.decision, round(found.change.low, 1)) == ("undecided", -60.2)


def test_independent_smears_count():
    one = replace(share(np.full(400, 100.0)), groups=tuple(f"patient {number // 20}" for number in range(400)))
    assert judged(one, absolute=2.0, relative=None).change.low == pytest.approx(-16.84, abs=0.005)


def test_lost_smears_have_exact_limits_and_a_loss_never_narrows_them():
    lost = [judged(share(np.array([0.0] * k + [100.0] * (100 - k))), absolute=50, relative=None) for k in range(4)]
    expected = [-100 * stats.binomtest(k, 100).proportion_ci().high for k in range(4)]
    assert [one.change.low for one in lost] == pytest.approx(expected)
    a_little = judged(share(np.array([99.0] + [100.0] * 99)), absolute=50, relative=None)
    assert a_little.change.low == pytest.approx(expected[0])


def test_a_share_may_rise_or_fall_where_it_has_room():
    rare = replace(metric(np.zeros(50), np.zeros(50)), whole=100.0)
    found = judged(rare, absolute=2.0, relative=None, worse="higher")
    assert (found.change.low, round(found.change.high, 2), found.decision) == (0, 7.11, "undecided")
    some = replace(metric(np.array([0.0, 1.0] * 25), np.array([0.0, 1.0] * 25)), whole=1.0)
    found = judged(some, relative=0.02)
    assert (found.change.low, found.change.high) == (pytest.approx(-0.0711, abs=1e-4), pytest.approx(0.0711, abs=1e-4))
    assert found.relative_change.low == pytest.approx(-0.142, abs=1e-3)


def test_what_is_about_these_smears_needs_no_limits():
    rule = {"absolute": 1.0, "relative": None, "worse": "lower", "these_smears_only": True}
    assert judged(share(np.full(4, 100.0)), **rule).decision == "pass"
    lost = judged(share(np.array([0.0] + [100.0] * 199)), **rule)
    assert (lost.decision, lost.change.low) == ("pass", lost.change.value)
    assert "(judged in these smears only)" in lost.reason
    assert judged(share(np.array([0.0] * 3 + [100.0] * 197)), **rule).decision == "fail"


def test_no_tolerance_at_all_is_about_these_smears():
    rule = {"absolute": 0.0, "relative": None}
    assert judged(share(np.full(30, 100.0)), **rule).decision == "pass"
    even = judged(metric(np.full(30, 100.0), np.tile([99.0, 101.0], 15)), **rule)
    assert (even.decision, even.change.value) == ("undecided", 0)


@pytest.mark.parametrize("smears", [1, 4, 30])
def test_runs_in_which_nothing_differs_pass_for_that_reason_at_any_size(smears: int):
    pairs = PairedMetrics(
        ("a", "b"), (share(np.full(smears, 100.0), problem="unreadable"),), {"x": "no factor"}, identical=True
    )
    found = judge(pairs, load_settings())
    assert found.decision == "pass"
    assert "passes: nothing differs between the two runs, no value and no cell (100 %)" in found.verdicts[0].reason
    assert "nothing differs" in found.verdicts[1].reason
    assert judge(replace(pairs, identical=False), load_settings()).decision == "undecided"


def test_runs_of_nothing_do_not_pass():
    nothing = PairedMetrics(("a", "b"), (metric(np.empty(0), np.empty(0)),), identical=True)
    assert judge(nothing, load_settings()).decision == "undecided"


def test_a_figure_that_the_current_run_states_nowhere_fails():
    one = metric(counts(), counts())
    lost = PairedMetrics(("a", "b"), (one,), lost={"wbc-density": "200 smears of the baseline had it"})
    found = judge(lost, load_settings({"undecided": "pass"}))
    assert (found.decision, found.opens, found.verdicts[0].name) == ("fail", False, "wbc-density")
    assert found.verdicts[0].reason.startswith("wbc-density fails, it cannot be compared: 200 smears")
    ignored = load_settings({"metric": [{"match": "wbc-density", "ignore": True}]})
    assert judge(lost, ignored).not_judged == ("wbc-density",)


def test_smears_that_drop_out_are_counted_and_too_many_leave_it_undecided():
    def with_missing(count: int, **own) -> MetricVerdict:
        one = replace(metric(counts(90), counts(90)), missing=tuple(map(str, range(count))))
        return judge(PairedMetrics(("a", "b"), (one,)), load_settings(own)).verdicts[0]

    few, many = with_missing(10), with_missing(11)
    assert (few.decision, few.missing, few.to_dict()["missing"]) == ("pass", 10, 10)
    assert "10 smears state it in one run only and are left out." in few.reason
    assert many.decision == "undecided"
    assert "It cannot pass: 11 of 101 smears state it in one run only, 10 % at most may." in many.reason
    assert with_missing(11, most_missing=0.2).decision == "pass"
    assert "1 smear states it in one run only and is left out." in with_missing(1).reason


def test_a_problem_leaves_undecided_what_would_pass():
    found = judged(replace(metric(counts(), counts()), problem="the cells of 1 smear cannot be followed"))
    assert found.decision == "undecided"
    assert "It cannot pass: the cells of 1 smear cannot be followed." in found.reason


def test_a_users_table_that_fits_no_metric_is_told():
    settings = load_settings({"metric": [{"match": "cels*", "relative": 0.5}, {"match": "cells*", "relative": 0.5}]})
    found = judge(PairedMetrics(("a", "b"), (metric(counts(), counts()),)), settings)
    assert found.remarks == ("The settings have a table for 'cels*', which fits no metric.",)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e40, "1e+40"), (1234567, "1.235e+06"), (5000, "5000"), (999_999, "999999"), (0.12345, "0.123"), (0, "0")],
)
def test_numbers_are_as_long_as_people_want(value: float, text: str):
    assert number(value) == text


def test_what_no_measurement_is_as_large_as_is_refused():
    for value in (1e308, -1e51):
        with pytest.raises(ConfigError, match="beyond 1e"):
            metric(np.array([value]), np.array([1.0]))
    assert metric(np.array([1e-320]), np.array([1.0])).baseline.tolist() == [0]


def test_many_metrics_do_not_open_the_gate_too_easily():
    """One metric at its tolerance among ten: the gate opens in about 2.5 % of the worlds at most."""
    settings = GateSettings(metric=(Rule(match="*", relative=0.02, worse="lower"),), resamples=200)
    opened = 0
    for seed in range(300):
        noise = np.random.default_rng(seed).normal(0, 1, (10, 60))
        changes = np.vstack([noise[:1] - 2.0, noise[1:] * 0.1])
        metrics = tuple(metric(np.full(60, 100.0), 100 + change, name=str(row)) for row, change in enumerate(changes))
        opened += judge(PairedMetrics(("a", "b"), metrics), settings).opens
    assert opened <= stats.binom.ppf(0.999, 300, 0.03)
