from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.agreement.gate.judging import judge
from hemato_lab.agreement.gate.settings import load_settings
from hemato_lab.batch.folders import SUMMARY_CSV
from hemato_lab.batch.metric_sources import SmearFigures
from hemato_lab.batch.metrics import ANALYSED, CANDIDATE, KEPT, NEW, SAME_NAME, STATED, pair_figures, read_metrics
from hemato_lab.batch.summary import summarise
from hemato_lab.errors import ConfigError
from tests.batch.made_up import cells, entry, failed, report, write_done

if TYPE_CHECKING:
    from hemato_lab.agreement.gate.model import PairedMetric, PairedMetrics


def named(metrics: PairedMetrics, name: str) -> PairedMetric:
    return next(metric for metric in metrics.metrics if metric.name == name)


def names(metrics: PairedMetrics) -> list[str]:
    return [metric.name for metric in metrics.metrics]


def figures(unit: str = "/mm2", **values: float) -> SmearFigures:
    return SmearFigures(values=values, units={name: unit for name in values if unit})


def run(out, rows):
    outcomes = [
        failed(entry(name)) if made is None else write_done(out, entry(name, patient="P"), made, table)
        for name, made, table in rows
    ]
    (out / SUMMARY_CSV).write_bytes(summarise(outcomes, out).to_csv())
    return out


@pytest.fixture
def two_runs(tmp_path):
    """Three smears; the second is a little different, the third failed in the second run."""
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
    before = run(
        tmp_path / "before",
        [
            ("a", report(210, 3, candidate="D57"), cells("RBC", "RBC", "WBC")),
            ("b", report(200, 2), cells("RBC")),
            ("c", report(100, 1), cells("RBC")),
        ],
    )
    after = run(
        tmp_path / "after",
        [
            ("a", report(210, 3, candidate="D57"), cells("RBC", "RBC", "WBC")),
            ("b", report(190, 2, candidate="D50"), cells("WBC", "RBC")),
            ("c", None, ""),
        ],
    )
    return before, after


def test_every_figure_of_two_results_folders_is_paired(two_runs):
    metrics = read_metrics(*two_runs)
    assert names(metrics)[:6] == [ANALYSED, STATED, CANDIDATE, KEPT, NEW, SAME_NAME]
    assert {"cells:RBC", "rbc-density", "review_required", "quality_failures"} <= set(names(metrics))
    density = named(metrics, "rbc-density")
    assert (density.smears, density.unit) == (("a", "b"), "/mm2")
    assert density.baseline.tolist() == [7000, 6667]
    assert density.current.tolist() == [7000, 6333]
    assert density.groups == ("patient P", "patient P")
    assert metrics.labels == ("before", "after")


def test_cells_are_followed_from_one_run_to_the_other(two_runs):
    metrics = read_metrics(*two_runs)
    # the cells of smear b lie a pixel apart, so that one of the two is where the first run's one was
    assert named(metrics, KEPT).current.tolist() == [100, 100]
    assert named(metrics, KEPT).weights.tolist() == [3, 1]
    assert named(metrics, NEW).baseline.tolist() == [0, 0]
    assert named(metrics, NEW).current.tolist() == [0, 50]
    assert named(metrics, NEW).weights.tolist() == [3, 2]
    assert named(metrics, SAME_NAME).weights.tolist() == [3, 1]


def test_smears_that_fail_now_count_and_are_named(two_runs):
    metrics = read_metrics(*two_runs)
    analysed = named(metrics, ANALYSED)
    assert analysed.smears == ("a", "b", "c")
    assert analysed.current.tolist() == [100, 100, 0]
    assert "1 smear analysed in the baseline and failed now: c." in metrics.remarks


def test_another_first_candidate_counts(two_runs):
    assert named(read_metrics(*two_runs), CANDIDATE).current.tolist() == [100, 0]


def test_progress_is_told_smear_by_smear(two_runs):
    told: list[tuple[int, int]] = []
    read_metrics(*two_runs, progress=lambda done, whole: told.append((done, whole)))
    assert told == [(1, 2), (2, 2)]


def test_smears_of_one_run_alone_count_as_lost():
    before = {name: figures(x=1) for name in "abc"} | {"f": SmearFigures(problem="failed")}
    after = {name: figures(x=1) for name in "abd"} | {"f": figures(x=1)}
    metrics = pair_figures(before, after)
    analysed = named(metrics, ANALYSED)
    assert dict(zip(analysed.smears, analysed.current, strict=True)) == {"a": 100, "b": 100, "c": 0, "d": 0}
    assert metrics.remarks == (
        "1 smear in the baseline only: c.",
        "1 smear in the current run only: d.",
        "1 smear failed in the baseline and analysed now: f.",
    )
    assert named(metrics, "x").smears == ("a", "b")


def test_a_remark_names_ten_smears_at_most():
    before = {f"s{number}": figures(x=1) for number in range(15)}
    metrics = pair_figures(before, {"s0": figures(x=1)})
    assert metrics.remarks[0].endswith("s9, s10 and 4 more.")


def test_values_that_are_no_longer_stated_count():
    before = {"a": figures(x=1, y=2), "b": figures(x=1, y=2), "c": figures(x=1)}
    after = {"a": figures(x=1), "b": figures(x=1, y=2, z=3), "c": figures(x=1)}
    stated = named(pair_figures(before, after), STATED)
    assert stated.current.tolist() == [50, 100, 100]
    assert stated.weights.tolist() == [2, 2, 1]
    assert names(pair_figures(before, after)) == [ANALYSED, STATED, "x", "y"]


def test_like_units_are_converted_and_unlike_ones_refused():
    before = {"a": figures("/mm2", x=100), "b": figures("/mm2", x=200)}
    metrics = pair_figures(before, {"a": figures("/mm2", x=100), "b": figures("/cm2", x=20_000)})
    assert named(metrics, "x").current.tolist() == pytest.approx([100, 200])
    unlike = pair_figures(before, {"a": figures("/uL", x=100), "b": figures("/mm2", x=200)})
    assert "x" not in names(unlike)
    assert "/uL" in unlike.unpaired["x"]


def test_equal_units_need_not_be_known():
    for unit in ("", "x"):
        metrics = pair_figures({"a": figures(unit, n=3)}, {"a": figures(unit, n=4)})
        assert (named(metrics, "n").unit, named(metrics, "n").current.tolist()) == (unit, [4])


def test_a_patient_may_be_known_to_one_run_alone():
    metrics = pair_figures(
        {"a": SmearFigures("", values={"x": 1}), "b": SmearFigures(values={"x": 1})},
        {"a": SmearFigures("P", values={"x": 1}), "b": SmearFigures(values={"x": 1})},
    )
    assert named(metrics, "x").groups == ("patient P", "smear b")


def test_runs_over_other_smears_are_refused():
    with pytest.raises(ConfigError, match="no smear in common"):
        pair_figures({"a": figures(x=1)}, {"b": figures(x=1)})


def test_runs_that_both_failed_leave_empty_metrics():
    failed_run = {"a": SmearFigures(problem="failed")}
    metrics = pair_figures(failed_run, failed_run)
    assert names(metrics) == [ANALYSED, STATED]
    assert len(named(metrics, ANALYSED)) == 0
    assert metrics.remarks == ("1 smear failed in both runs: a.",)


@pytest.fixture
def followed(tmp_path):
    """Figures of a smear whose cells can be followed, and of the same one with its table broken."""
    good, broken = tmp_path / "cells.csv", tmp_path / "broken.csv"
    good.write_text(cells("RBC", "WBC"), "utf-8")
    broken.write_text("x\n", "utf-8")
    return tuple(SmearFigures(values={"x": 1}, cells=path) for path in (good, broken))


@pytest.mark.parametrize("now", ["gone", "broken"])
def test_cells_that_cannot_be_followed_now_leave_it_undecided(followed, now: str):
    good, broken = followed
    bad = broken if now == "broken" else replace(good, cells=None)
    words = "is no table of cells" if now == "broken" else "the current run has no table of them"
    everywhere = pair_figures({"a": good, "b": good}, {"a": bad, "b": bad})
    assert names(everywhere) == [ANALYSED, STATED, "x"]
    assert everywhere.unpaired[KEPT].startswith(f"the cells of 2 smears cannot be followed: {words}")
    assert everywhere.remarks[0].startswith("The cells of 2 smears cannot be followed")
    once = pair_figures({"a": good, "b": good}, {"a": good, "b": bad})
    assert once.unpaired == {}
    for name in (KEPT, NEW, SAME_NAME):
        assert named(once, name).smears == ("a",)
        assert named(once, name).problem.startswith(f"the cells of 1 smear cannot be followed: {words}")
    for paired in (everywhere, once):
        assert judge(paired, load_settings()).decision == "undecided"


def test_cells_that_the_baseline_does_not_list_are_no_metric(followed):
    without = replace(followed[0], cells=None)
    metrics = pair_figures({"a": without}, {"a": followed[0]})
    assert (names(metrics), metrics.unpaired, metrics.remarks) == ([ANALYSED, STATED, "x"], {}, ())


def test_a_figure_that_the_current_run_states_nowhere_is_lost():
    """However many other figures there are."""
    others = {f"x{number}": 1.0 for number in range(150)}
    before = {str(smear): figures(**others, wbc=10) for smear in range(5)}
    after = {str(smear): figures(**others) for smear in range(5)}
    metrics = pair_figures(before, after)
    assert metrics.lost == {"wbc": "5 smears of the baseline had it, and none of the current run states it"}
    assert "wbc" not in names(metrics)
    verdict = judge(metrics, load_settings()).verdicts[0]
    assert (verdict.name, verdict.decision) == ("wbc", "fail")


def test_candidates_that_the_current_run_does_not_state_are_lost():
    one = SmearFigures(values={"x": 1}, candidate="D50")
    metrics = pair_figures({"a": one}, {"a": replace(one, candidate=None)})
    assert CANDIDATE in metrics.lost
    assert named(
        pair_figures({"a": one, "b": one}, {"a": one, "b": replace(one, candidate=None)}), CANDIDATE
    ).missing == ("b",)


def test_smears_that_state_a_figure_in_one_run_only_are_missing_in_it():
    before = {"a": figures(x=1, f1=1), "b": figures(x=1, f1=1), "c": figures(x=1)}
    after = {"a": figures(x=1, f1=1), "b": figures(x=1), "c": figures(x=1, f1=1)}
    assert named(pair_figures(before, after), "f1").missing == ("b", "c")
    assert named(pair_figures(before, after), "x").missing == ()


def test_what_only_the_current_run_states_and_columns_of_text_are_told():
    text = SmearFigures(values={"x": 1, "blast": 50}, unread=("note",))
    metrics = pair_figures({"a": figures(x=1)}, {"a": text})
    assert metrics.remarks == (
        "Only the current run states, so that it is not judged: blast.",
        "Columns with text in them, which is no metric: note.",
    )


def test_runs_are_identical_where_no_value_and_no_cell_differs(followed, tmp_path):
    good, broken = followed
    copy = tmp_path / "copy.csv"
    copy.write_bytes(good.cells.read_bytes())
    one = replace(good, patient="P", candidate="D50")
    assert pair_figures({"a": one}, {"a": replace(one, cells=copy, patient="")}).identical
    for other in (
        replace(one, values={"x": 2}),
        replace(one, units={"x": "/mm2"}),
        replace(one, candidate="D57"),
        replace(one, cells=broken.cells),
        replace(one, cells=None),
        replace(one, cells=tmp_path / "none.csv"),
    ):
        assert not pair_figures({"a": one}, {"a": other}).identical
    assert not pair_figures({"a": one}, {"a": one, "b": one}).identical
    assert not pair_figures({"a": one, "b": one}, {"a": one, "b": SmearFigures(problem="failed")}).identical
    bad = SmearFigures(problem="failed")
    assert not pair_figures({"a": bad}, {"a": bad}).identical, "nothing was analysed"


def test_shares_say_of_what(two_runs):
    wholes = {metric.name: metric.whole for metric in read_metrics(*two_runs).metrics}
    shares = dict.fromkeys((ANALYSED, STATED, CANDIDATE, KEPT, NEW, SAME_NAME), 100.0) | {"review_required": 1.0}
    assert {name: whole for name, whole in wholes.items() if whole} == shares


def test_runs_are_called_by_their_last_folder(two_runs, tmp_path):
    assert read_metrics(*two_runs, labels=("v1", None)).labels == ("v1", "after")
    assert read_metrics(two_runs[0], two_runs[0]).labels == ("before (baseline)", "before (current)")
    assert str(tmp_path) not in repr(read_metrics(*two_runs))


def test_the_same_folder_twice_is_told(two_runs):
    first = read_metrics(two_runs[0], two_runs[0].parent / "after" / ".." / "before")
    assert first.remarks[0] == "Both runs are the same folder or file."
    assert "same folder" not in " ".join(read_metrics(*two_runs).remarks)


def test_what_was_taken_of_a_table_is_told(two_runs):
    metrics = read_metrics(*(folder / SUMMARY_CSV for folder in two_runs))
    assert metrics.remarks[0] == f"Taken as metrics: {', '.join(names(metrics))}."


def test_two_lone_reports_are_of_the_same_smear(tmp_path):
    for name, red in (("old", 100), ("new", 90)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(report(red, 1).to_json(), "ascii")
    metrics = read_metrics(tmp_path / "old", tmp_path / "new" / "report.json")
    assert named(metrics, "cells:RBC").current.tolist() == [90]
    assert metrics.labels == ("old", "new")


def test_figures_come_in_the_order_of_the_baseline_and_are_finite(two_runs):
    forward = pair_figures({"a": figures(z=1, b=2, m=3)}, {"a": figures(m=3, z=1, b=2)})
    assert names(forward)[2:] == ["z", "b", "m"]
    backward = pair_figures({"a": figures(m=3), "b": figures(z=1, m=1)}, {"b": figures(z=1, m=1), "a": figures(m=3)})
    assert names(backward)[2:] == ["m", "z"]
    assert named(backward, "m").smears == ("a", "b")
    for metric in read_metrics(*two_runs).metrics:
        assert np.isfinite(metric.baseline).all()
        assert metric.baseline.dtype == np.float64
