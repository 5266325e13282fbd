from __future__ import annotations

from pathlib import Path

import pytest

from hemato_lab.batch.folders import CELLS_FILE, SUMMARY_CSV, smear_folder
from hemato_lab.batch.metric_sources import ROOT, SmearFigures, read_figures
from hemato_lab.batch.summary import summarise, to_arrow
from hemato_lab.errors import ConfigError, ReportFormatError, UnreadableInputError
from tests.batch.made_up import cells, entry, failed, report, write_done


@pytest.fixture
def results(tmp_path):
    """A results folder with three smears: one with a candidate, one without, one that failed."""
    out = tmp_path / "results"
    outcomes = [
        write_done(out, entry("a", patient="P1", tags={"dose": "5"}), report(210, 3, sickle=2, candidate="D57.1")),
        write_done(out, entry("=b"), report(190, 0, sickle=0, focus="blurred"), cells("RBC", "WBC")),
        failed(entry("c")),
    ]
    (out / SUMMARY_CSV).write_bytes(summarise(outcomes, out).to_csv())
    return out


def test_a_results_folder_states_every_figure_of_its_smears(results):
    figures = read_figures(results)
    assert list(figures) == ["a", "=b", "c"]
    first = figures["a"]
    assert first.patient == "P1"
    assert first.values == {
        "fields": 2,
        "cells": 213,
        "cells:RBC": 210,
        "cells:WBC": 3,
        "rbc-density": 7000,
        "wbc-density": 100,
        "count:sickle cell": 2,
        "count:target cell": 0,
        "review_required": 1,
        "quality_failures": 1,
    }
    assert first.units == dict.fromkeys(("rbc-density", "wbc-density", "platelet-density"), "/mm2")
    assert (first.candidate, first.rbc_diameter_px) == ("D57.1", 75)
    assert first.cells == smear_folder(results, "a") / CELLS_FILE
    assert figures["=b"].candidate == ""
    assert figures["=b"].values["quality_failures"] == 3


def test_a_smear_that_failed_says_why_and_states_nothing(results):
    assert read_figures(results)["c"] == SmearFigures(problem="failed unreadable", candidate="")


def test_the_same_reports_in_a_folder_state_the_same(results, tmp_path):
    folder = tmp_path / "reports"
    for name, made in (("a", report(210, 3, sickle=2, candidate="D57.1")), ("b", report(190, 0, focus="blurred"))):
        (folder / name).mkdir(parents=True)
        (folder / name / "report.json").write_text(made.to_json(), "ascii")
    (folder / "a" / CELLS_FILE).write_text(cells("RBC"), "utf-8")
    found, expected = read_figures(folder), read_figures(results)
    assert list(found) == ["a", "b"]
    assert {**found["a"].values, "fields": 2} == expected["a"].values
    assert found["a"].units == expected["a"].units
    assert (found["a"].candidate, found["a"].cells) == ("D57.1", folder / "a" / CELLS_FILE)
    assert (found["b"].cells, found["b"].candidate) == (None, "")


def test_reports_may_lie_beside_each_other(tmp_path):
    for name in ("s10", "s9"):
        (tmp_path / f"{name}.json").write_text(report(100, 1).to_json(), "ascii")
    assert list(read_figures(tmp_path)) == ["s9", "s10"]
    assert read_figures(tmp_path)["s9"].values["rbc-density"] == pytest.approx(3333)


def test_a_single_folder_of_results_is_one_smear(tmp_path):
    (tmp_path / "report.json").write_text(report(100, 1).to_json(), "ascii")
    assert list(read_figures(tmp_path)) == [ROOT]
    assert read_figures(tmp_path / "report.json") == read_figures(tmp_path)


def test_a_table_of_ones_own(tmp_path):
    table = tmp_path / "counts.csv"
    table.write_text("\ufeffsmear_id,patient,red,flag,note,tag:dose\n1,P,3.5,yes,good,7\n2,,,no,12,8\n\n", "utf-8")
    figures = read_figures(table)
    assert figures["1"] == SmearFigures("P", values={"red": 3.5, "flag": 1}, unread=("note",))
    assert figures["2"] == SmearFigures(values={"flag": 0, "note": 12})


def test_parquet_states_what_csv_states(results, tmp_path):
    outcomes = [write_done(results, entry("a", patient="P1"), report(210, 3, sickle=2, candidate="D57.1"))]
    summary = summarise(outcomes, results)
    (tmp_path / "table.csv").write_bytes(summary.to_csv())
    import pyarrow.parquet

    pyarrow.parquet.write_table(to_arrow(summary), tmp_path / "table.parquet")
    assert read_figures(tmp_path / "table.parquet") == read_figures(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("name", "text", "error", "problem"),
    [
        ("t.csv", "name\nx\n", ConfigError, "has no column smear_id"),
        ("t.csv", "", ConfigError, "has no column smear_id"),
        ("t.csv", "smear_id,x\na,1\na,2\n", ConfigError, "has the smear 'a' twice"),
        ("t.csv", "smear_id,f1,f1\na,1,2\n", ConfigError, "has the column 'f1' twice"),
        ("t.csv", "smear_id,x\n,1\n", ConfigError, "has a row without a smear"),
        ("t.csv", "smear_id,x\na\n", UnreadableInputError, "a row has 1 cells and the head 2"),
        ("t.csv", 'smear_id\n"a\n', UnreadableInputError, "is no CSV"),
        ("t.txt", "hello", UnreadableInputError, "is neither a folder, nor a table or report"),
        ("folder/a.json", "{}", ReportFormatError, "pbs_study_id"),
        ("folder/a.txt", "", UnreadableInputError, "holds no summary.csv and no report"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path, name: str, text: str, error, problem: str):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    with pytest.raises(error, match=problem):
        read_figures(path.parent if path.parent != tmp_path else path)


def test_what_is_not_there_or_no_text_is_refused(tmp_path):
    for name in ("none", "none.csv", "none.parquet"):
        with pytest.raises(UnreadableInputError):
            read_figures(tmp_path / name)
    (tmp_path / "bytes.csv").write_bytes(b"smear_id\n\xff\n")
    with pytest.raises(UnreadableInputError, match="is no CSV"):
        read_figures(tmp_path / "bytes.csv")


def test_two_reports_of_one_name_are_refused(tmp_path):
    for folder in (tmp_path, tmp_path / ROOT):
        folder.mkdir(exist_ok=True)
        (folder / "report.json").write_text(report(100, 1).to_json(), "ascii")
    with pytest.raises(ConfigError, match="holds two reports that are called report"):
        read_figures(tmp_path)


def test_the_folder_of_this_process_has_a_smear_with_a_name(tmp_path, monkeypatch):
    (tmp_path / "report.json").write_text(report(100, 1).to_json(), "ascii")
    monkeypatch.chdir(tmp_path)
    assert list(read_figures(Path())) == [ROOT]


def test_only_what_people_write_as_numbers_is_one(tmp_path):
    numbers = {"1": 1, "-2.5": -2.5, ".5": 0.5, "1e-3": 0.001, "+7.": 7, "yes": 1}
    texts = ("1_000", "0x1", "١٢", "infinity", "1e999", "1,5", "12 cells")
    rows = "".join(f'{number},"{text}"\n' for number, text in enumerate((*numbers, *texts)))
    (tmp_path / "t.csv").write_text(f"smear_id,x\n{rows}", "utf-8")
    found = list(read_figures(tmp_path / "t.csv").values())
    assert [one.values.get("x") for one in found] == [*numbers.values(), *[None] * len(texts)]
    assert [one.unread for one in found[len(numbers) :]] == [("x",)] * len(texts)


def test_a_summary_has_no_unread_columns(results):
    assert all(not figures.unread for figures in read_figures(results).values())
