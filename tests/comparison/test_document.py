from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from hemato_lab.comparison import compare, plots
from hemato_lab.comparison.document import name_pairs
from hemato_lab.comparison.pooling import PairedSmear, pool
from hemato_lab.report import RESEARCH_USE_NOTICE, HeatMapEntry, MorphologicalFinding, Report
from hemato_lab.resources import shipped
from tests.comparison.placed import side

if TYPE_CHECKING:
    from hemato_lab.comparison import Comparison


def test_the_summary_is_one_row_of_a_table_of_smears(different: Comparison) -> None:
    assert different.to_dict()["summary"] == {
        "matched": 3,
        "reclassified": 1,
        "first_only": 1,
        "second_only": 1,
        "kappa": pytest.approx(different.kappa().value.value),
        "precision": None,
        "recall": None,
        "f1": None,
    }


def test_every_level_is_there_and_all_of_it_is_json(different: Comparison) -> None:
    document = json.loads(json.dumps(different.to_dict(), allow_nan=False))
    assert document["notice"] == RESEARCH_USE_NOTICE
    assert not document["equal"]
    assert document["differing"] == ["places", "estimates", "findings", "candidates", "text"]
    assert document["first"] == {"label": "one", "kind": "analysis", "images": 2}
    assert [one["name"] for one in document["images"]["both"]] == ["first.png", "second.png"]
    assert [(one["statistic"], one["difference"]) for one in document["statistics"]] == [
        ("rbc-density", 6100 - 5321),
        ("blast-density", None),
        ("platelet-density", None),
    ]
    assert document["diagnoses"]["top"] == "same category"
    assert document["narrative"]["differences"][0]["change"] == "changed"
    assert document["cells"]["names"][0] == {"first": "RBC", "second": "RBC", "cells": 3}


def test_names_are_counted_most_first(different: Comparison) -> None:
    assert name_pairs(different.cells) == [
        ("RBC", "RBC", 3),
        ("WBC", "RBC", 1),
        ("not listed", "RBC", 1),
        ("platelet", "not listed", 1),
    ]


def test_nothing_to_compare_is_a_document_too() -> None:
    document = compare(Report("a", ("one",)), Report("b", ("two",))).to_dict()
    assert document["cells"]["names"] == []
    assert document["cells"]["kappa"]["value"] is None
    assert document["images"] == {"both": [], "first_only": ["one"], "second_only": ["two"]}
    json.dumps(document, allow_nan=False)


def test_an_annotation_makes_it_an_accuracy() -> None:
    folder = shipped("sample_data") / "normal"
    summary = compare(folder, folder).to_dict()["summary"]
    assert (summary["precision"], summary["recall"]) == (None, None)


def test_pooling_reads_what_is_written(different: Comparison, same: Comparison) -> None:
    read = [PairedSmear.from_dict(json.loads(json.dumps(one.to_dict())), patient="") for one in (different, same)]
    written, kept = pool(read).to_frame(), pool([different, same]).to_frame()
    assert written.equals(kept)
    assert read[0].statistics == {"rbc-density": (5321.0, 6100.0, "/mm2")}
    assert read[0].names[("WBC", "RBC")] == 1


def test_thousands_of_names_take_little_memory() -> None:
    one = side(*((0, 30.0 * at, 10.0, f"name {at}") for at in range(4000)))
    comparison = compare(one, one)
    tracemalloc.start()
    document = comparison.to_dict()
    comparison._repr_html_()
    plots._most_frequent(comparison)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One table of all names would be 128 MB.
    assert peak < 60e6
    assert document["cells"]["same_name"]["value"] == 1.0
    assert document["cells"]["kappa"] == {"value": None, "low": None, "high": None, "method": "more than 500 names"}
    assert document["summary"]["kappa"] is None
    assert len(document["cells"]["names"]) == 4000


def test_a_red_cell_of_unknown_size_is_none_in_json() -> None:
    blast = MorphologicalFinding.of((HeatMapEntry.at(90, 40, 5),))
    document = compare(Report("a", ("f",), morphological_findings={"blast": blast}), Report("b", ("f",))).to_dict()
    assert document["images"]["both"][0]["rbc_diameter_px"] is None
    json.dumps(document, allow_nan=False)
