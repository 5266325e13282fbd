from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.api import RemoteStudy
from hemato_lab.api.running import RemoteFile
from hemato_lab.api.study_document import study_bytes
from hemato_lab.comparison.sides import assessed_names, side_of
from hemato_lab.errors import ConfigError, ReportFormatError, UnreadableInputError
from hemato_lab.export import write
from hemato_lab.report import HeatMapEntry, MorphologicalFinding, Report
from hemato_lab.resources import shipped
from tests.analysed import analysis

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.analysis import Analysis

__all__ = ["analysis"]

BLAST = "blast"


def report(*entries: HeatMapEntry, files: tuple[str, ...] = ("f-1", "f-2")) -> Report:
    return Report("study-1", files, morphological_findings={BLAST: MorphologicalFinding.of(entries)})


def test_an_analysis_brings_all_its_cells_and_what_its_report_lists(analysis: Analysis) -> None:
    side = side_of(analysis)
    assert (side.label, side.kind, len(side.files)) == ("sample", "analysis", 2)
    assert side.files[0].name == "first.png"
    assert side.files[0].rbc_diameter_px == 100
    assert side.cells is not None
    assert side.cells.name.tolist() == analysis.detections["name"].tolist()
    assert side.analysis is analysis


def test_entries_are_placed_by_their_file_or_by_there_being_one(analysis: Analysis) -> None:
    placed = side_of(report(HeatMapEntry((3, 4), 5, "f-2"), HeatMapEntry((6, 7), 5)))
    assert placed.findings.file.tolist() == [1]
    assert placed.findings.x.tolist() == [3]
    assert placed.unplaced == {BLAST: 1}
    assert placed.cells is None
    only = side_of(report(HeatMapEntry((6, 7), 5), HeatMapEntry((1, 1), 5, "of no file"), files=("f-1",)))
    assert (len(only.findings), only.unplaced) == (1, {BLAST: 1})


def test_a_remote_study_knows_its_files_by_both_names() -> None:
    files = (RemoteFile("a.jpg", "here-1", ("f-1",)), RemoteFile("b.jpg", "here-2", ("f-2",)))
    side = side_of(RemoteStudy("study-1", "https://x", report(HeatMapEntry((3, 4), 5, "f-2")), files, ("pbs_v1",)))
    assert [one.ids for one in side.files] == [{"here-1", "f-1"}, {"here-2", "f-2"}]
    assert side.findings.file.tolist() == [1]


def test_files_of_one_archive_cannot_be_told_apart() -> None:
    files = tuple(RemoteFile(f"{n}.jpg", f"here-{n}", ("zip",)) for n in (1, 2))
    remote = RemoteStudy("s", "https://x", report(HeatMapEntry((3, 4), 5, "zip"), files=("zip",)), files, ())
    assert side_of(remote).unplaced == {BLAST: 1}


def test_a_kept_study_is_the_study(tmp_path: Path) -> None:
    files = (RemoteFile("a.jpg", "here-1", ("f-1",)),)
    remote = RemoteStudy("s", "https://x", report(HeatMapEntry((3, 4), 5, "f-1"), files=("f-1",)), files, ("pbs_v1",))
    path = tmp_path / "remote.json"
    path.write_bytes(study_bytes(remote))
    kept, here = side_of(path), side_of(remote)
    assert kept.files == here.files
    assert kept.kind == "remote study"
    assert kept.report == here.report


@pytest.mark.parametrize("part", ["files", "report", "service", "tasks", "pbs_study_id"])
def test_a_damaged_study_is_refused(tmp_path: Path, part: str) -> None:
    document = json.loads(study_bytes(RemoteStudy("s", "https://x", report(), (), ())))
    path = tmp_path / "remote.json"
    path.write_text(json.dumps({key: value for key, value in document.items() if key != part}))
    with pytest.raises(ReportFormatError):
        side_of(path)


def test_a_results_folder_is_the_analysis_it_was_written_from(analysis: Analysis, tmp_path: Path) -> None:
    for name in ("report.json", "cells.csv"):
        write(analysis, tmp_path / name)
    side = side_of(tmp_path, "mine")
    assert (side.label, side.kind) == ("mine", "analysis")
    assert side.cells is not None
    for column in ("file", "name", "x", "y", "radius"):
        source = analysis.detections["field" if column == "file" else column]
        assert np.array_equal(side.cells[column], source)
    (tmp_path / "cells.csv").unlink()
    assert side_of(tmp_path).cells is None


@pytest.mark.parametrize(
    "table",
    ["field,x\n0,1\n", "field,x,y,radius,name,score\n9,1,1,1,RBC,1\n", "field,x,y,radius,name,score\n0,a,1,1,RBC,1\n"],
)
def test_a_damaged_table_of_cells_is_refused(analysis: Analysis, tmp_path: Path, table: str) -> None:
    write(analysis, tmp_path / "report.json")
    (tmp_path / "cells.csv").write_text(table)
    with pytest.raises(ReportFormatError):
        side_of(tmp_path)


def test_an_annotated_set_by_folder_and_by_file() -> None:
    folder = shipped("sample_data") / "malaria"
    side = side_of(folder)
    assert side.kind == "annotations"
    first = min((folder / "images").iterdir())
    assert f"sha224-i-{hashlib.sha224(first.read_bytes()).hexdigest()}" in side.files[0].ids
    assert side.report is None
    assert side.cells is not None
    assert len(side.ignored) > 0
    assert side_of(folder / "annotations.json").files == side.files


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError, match="nothing"):
        side_of(tmp_path / "nothing.json")
    with pytest.raises(ConfigError, match="analyse its images first"):
        side_of(tmp_path)
    with pytest.raises(ConfigError, match="int cannot be compared"):
        side_of(7)  # type: ignore[arg-type]
    (tmp_path / "text.json").write_text("no JSON")
    with pytest.raises(ReportFormatError):
        side_of(tmp_path / "text.json")


def test_a_report_looked_for_all_that_it_does_not_name_as_left_out() -> None:
    foreign = Report("s", morphological_findings={"of the vendor": MorphologicalFinding("0")})
    assert {"blast", "of the vendor"} <= assessed_names(foreign)
    assert not {"RBC", "normal RBC"} & assessed_names(foreign)
    assert "blast" not in assessed_names(Report("s", extension={"not_assessed": {"blast": "no model"}}))


def test_json_too_deep_and_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    for text in ("[" * 200_000, '{"images": 1, "images": 2, "annotations": []}', '{"a": NaN}'):
        path.write_text(text)
        with pytest.raises(ReportFormatError):
            side_of(path)


def test_what_no_image_can_hold_is_unknown_or_counted_apart() -> None:
    far, huge, negative = HeatMapEntry((1e300, 4), 5, "f-1"), HeatMapEntry((3, 4), 1e60, "f-1"), (-3.0, -4.0)
    side = side_of(report(far, huge, HeatMapEntry(negative, 5, "f-2"), HeatMapEntry((0, -2e7), 5)))
    assert side.findings.x.tolist() == [3, -3]
    assert np.isnan(side.findings.radius).tolist() == [True, False]
    assert (side.unplaced, side.misplaced) == ({}, 2)


@pytest.mark.parametrize(("stated", "expected"), [(40, 40), (1e-300, None), (1e60, None), (-4, None), ("x", None)])
def test_a_stated_diameter_is_one_that_can_be_seen(stated: object, expected: float | None) -> None:
    side = side_of(Report("s", ("f",), extension={"provenance": {"scale": {"rbc_diameter_px": stated}}}))
    assert side.files[0].rbc_diameter_px == expected


def test_names_of_any_length_do_not_fill_the_memory() -> None:
    long = Report("s", ("f",), morphological_findings={"R" * 201: MorphologicalFinding("0")})
    with pytest.raises(ReportFormatError, match="a name of 201 characters"):
        side_of(long)


@pytest.mark.parametrize("field", ["-1", "100000000000000000000000"])
def test_a_field_that_is_none_is_refused(analysis: Analysis, tmp_path: Path, field: str) -> None:
    write(analysis, tmp_path / "report.json")
    (tmp_path / "cells.csv").write_text(f"field,x,y,radius,name,score\n{field},1,1,1,RBC,1\n")
    with pytest.raises(ReportFormatError, match="no number of a field"):
        side_of(tmp_path)
