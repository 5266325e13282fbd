from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hemato_lab.comparison import compare
from hemato_lab.comparison.writing import FILES
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE, HeatMapEntry, MorphologicalFinding, Report
from tests.comparison.made_up import report

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.comparison import Comparison

pytestmark = pytest.mark.usefixtures("quick_pictures")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_all_files_are_written_whole_and_the_same_each_time(different: Comparison, tmp_path: Path) -> None:
    written = different.write(tmp_path / "new" / "folder")
    assert [path.name for path in written] == list(FILES)
    assert sorted(path.name for path in written[0].parent.iterdir()) == sorted(FILES)
    again = different.write(tmp_path / "again")
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in again]
    assert json.loads(written[0].read_text("ascii")) == json.loads(json.dumps(different.to_dict()))
    assert (tmp_path / "again" / "NOTICE.txt").read_text() == f"{RESEARCH_USE_NOTICE}\n"


def test_cells_are_one_row_a_place(different: Comparison, tmp_path: Path) -> None:
    different.write(tmp_path)
    found = rows(tmp_path / "cells.csv")
    assert [(row["file_name"], row["state"], row["first_name"], row["second_name"]) for row in found] == [
        ("first.png", "matched", "RBC", "RBC"),
        ("first.png", "first only", "platelet", ""),
        ("second.png", "matched", "RBC", "RBC"),
        ("second.png", "reclassified", "WBC", "RBC"),
        ("second.png", "matched", "RBC", "RBC"),
        ("second.png", "second only", "", "RBC"),
    ]
    assert (found[0]["first_x"], found[0]["second_x"], found[0]["distance"]) == ("100.0000", "102.0000", "0.0400")


def test_statistics_are_one_row_each_and_none_still_has_a_head(different: Comparison, tmp_path: Path) -> None:
    different.write(tmp_path)
    found = rows(tmp_path / "statistics.csv")
    assert [row["statistic"] for row in found] == ["rbc-density", "blast-density", "platelet-density"]
    assert (found[0]["second"], found[0]["second_unit"], found[0]["difference"]) == ("6100.0", "/mm2", "779.0")
    compare(Report("a", ("f",)), Report("b", ("f",))).write(tmp_path / "empty")
    assert (tmp_path / "empty" / "statistics.csv").read_text().startswith("statistic,unit,first_text")


def test_what_a_spreadsheet_would_run_is_only_text(tmp_path: Path) -> None:
    formula = "=cmd|' /C calc'!A0"
    finding = {formula: MorphologicalFinding.of((HeatMapEntry.at(5, 5, 5, file_id="file"),))}
    first = replace(report(statistics={formula: (formula, "@y"), "a": ("-1.5", "%")}), morphological_findings=finding)
    compare(first, replace(report(), morphological_findings=finding), rbc_diameter_px=20).write(tmp_path)
    (cell,) = rows(tmp_path / "cells.csv")
    assert cell["first_name"] == f"'{formula}"
    statistics = rows(tmp_path / "statistics.csv")
    assert (statistics[0]["statistic"], statistics[0]["first_text"]) == (f"'{formula}", f"'{formula}")
    assert statistics[0]["unit"] == "'@y"
    assert statistics[1]["first"] == "-1.5"


def test_a_folder_that_cannot_be_made_is_told(different: Comparison, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made") as caught:
        different.write(tmp_path / "file")
    assert caught.value.subject == str(tmp_path / "file")
