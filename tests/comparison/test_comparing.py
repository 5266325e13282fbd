from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hemato_lab.analysis import Analysis
from hemato_lab.comparison import compare
from hemato_lab.comparison.sides import SideFile
from hemato_lab.errors import ConfigError
from hemato_lab.export import write
from hemato_lab.report import FeatureStatistic, HeatMapEntry, MorphologicalFinding, Report
from hemato_lab.smear import Scale, Smear
from tests.analysed import analysis, cells, plain_field
from tests.comparison.placed import report_side

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["analysis"]


def two_files(analysis: Analysis) -> Analysis:
    """Return the analysis with an id of its own for each field."""
    fields = tuple(replace(one, file_id=f"file-{number}") for number, one in enumerate(analysis.smear.fields))
    report = replace(analysis.report, file_ids=tuple(one.file_id for one in fields))
    return replace(analysis, smear=replace(analysis.smear, fields=fields), report=report)


def test_what_is_compared_with_itself_is_equal(analysis: Analysis) -> None:
    one = two_files(analysis)
    comparison = compare(one, one)
    assert comparison.equal
    assert comparison.labels == ("sample (first)", "sample (second)")
    assert comparison.kappa().value.value == 1.0
    assert len(comparison.to_frame()) == 5


def test_every_level_can_differ_alone(analysis: Analysis) -> None:
    one = two_files(analysis)
    moved = cells([(0, "platelet", 100, 100, 40), *((1, "RBC", x, 50, 40) for x in (1, 2, 3))])
    report = one.report
    for other in (
        replace(one, detections=moved),
        replace(one, report=replace(report, pathology_report="Other words.")),
        replace(one, report=replace(report, feature_statistics={"rbc-density": FeatureStatistic("1", "/mm2")})),
        replace(one, report=replace(report, morphological_findings={"RBC": MorphologicalFinding("4")})),
        replace(one, report=replace(report, diagnostic_report=type(report.diagnostic_report)())),
        replace(one, smear=replace(one.smear, fields=one.smear.fields[:1]), detections=one.cells_of(0)),
    ):
        assert not compare(one, other).equal


def test_places_without_an_image_are_remarked(analysis: Analysis) -> None:
    one = two_files(analysis)
    entry = HeatMapEntry.at(5, 5, 5)
    remote = Report("s", one.report.file_ids, morphological_findings={"blast": MorphologicalFinding.of((entry,))})
    comparison = compare(one, remote, labels=("here", "there"))
    assert comparison.labels == ("here", "there")
    assert comparison.cells.counts_only["blast"] == (0, 1)
    assert any("by number alone" in remark and "blast" in remark for remark in comparison.remarks)


def test_images_of_one_side_alone_are_remarked(analysis: Analysis) -> None:
    one = two_files(analysis)
    half = replace(one, smear=replace(one.smear, fields=one.smear.fields[:1]), detections=one.cells_of(0))
    assert any("second.png" in remark for remark in compare(one, half, labels=("all", "half")).remarks)
    strange = Report("s", ("other",))
    assert "no image in common: places were not compared" in compare(one, strange).remarks


def test_names_that_decided_are_remarked(analysis: Analysis) -> None:
    one = two_files(analysis)
    renamed = replace(one, smear=replace(one.smear, fields=tuple(replace(f, file_id=f.name) for f in one.smear.fields)))
    by_name = compare(one, renamed)
    assert by_name.cells.agree
    assert any("by their names alone" in remark for remark in by_name.remarks)
    assert any("by their order" in remark for remark in compare(one, renamed, pair_files_by="order").remarks)


def test_kappa_is_about_the_names_of_what_both_list() -> None:
    rows = [(0, "RBC" if number % 2 else "WBC", 100 * number, 50, 40) for number in range(100)]
    base = Analysis(
        Smear("s", (plain_field("a", 20000, 99),), scale=Scale.from_rbc_diameter_px(80)), cells(rows[:95]), Report("r")
    )
    other = replace(base, detections=cells(rows[5:]))
    comparison = compare(base, other)
    assert comparison.cells.count("matched") == 90
    assert comparison.kappa().value.value == 1.0
    assert len(comparison.confusion()) == 90


def test_more_names_than_a_table_holds_are_refused() -> None:
    entries = {
        f"name {number}": MorphologicalFinding.of((HeatMapEntry.at(100 * number, 5, 40),)) for number in range(501)
    }
    report = Report("r", ("f",), morphological_findings=entries)
    with pytest.raises(ConfigError, match="501 names"):
        compare(report, report, rbc_diameter_px=80).kappa()


def test_annotations_have_no_numbers_to_compare(analysis: Analysis) -> None:
    from hemato_lab.resources import shipped

    comparison = compare(shipped("sample_data") / "normal", shipped("sample_data") / "normal")
    assert comparison.equal
    assert comparison.statistics == ()
    assert comparison.findings == ()
    assert comparison.kappa().value.value == pytest.approx(1.0)


def test_readings_of_one_name_are_told_apart_by_their_folders(analysis: Analysis, tmp_path: Path) -> None:
    one, other = (tmp_path / run / "smears" / "x" for run in ("before", "after"))
    for folder in (one, other):
        folder.mkdir(parents=True)
        write(analysis, folder / "report.json")
    assert compare(one, other).labels == ("before/smears/x", "after/smears/x")
    assert compare(one, one).labels == ("x (first)", "x (second)")
    assert compare(one, other, labels=("mine", "")).labels == ("mine", "x")
    assert compare(one, other, labels=("mine", "mine")).labels == ("mine (first)", "mine (second)")


def test_places_in_no_image_are_left_out_and_told() -> None:
    entries = [HeatMapEntry((10.0, 10.0), 20), HeatMapEntry((1e300, 10.0), 20), HeatMapEntry((10.0, -4e8), 1e60)]
    one = Report("s", ("f",), morphological_findings={"blast": MorphologicalFinding.of(entries)})
    other = Report("t", ("f",), morphological_findings={"blast": MorphologicalFinding.of(entries[:1])})
    comparison = compare(one, other, rbc_diameter_px=40)
    assert comparison.cells.count("matched") == 1
    assert comparison.cells.left_out == {"at places that are in no image": 2}
    assert "not compared: 2 at places that are in no image" in comparison.remarks


def test_a_count_that_is_not_the_number_of_places_is_remarked() -> None:
    entries = (HeatMapEntry.at(10, 10, 20), HeatMapEntry.at(90, 10, 20))
    findings = {"blast": MorphologicalFinding("5", entries), "band": MorphologicalFinding.of(entries)}
    one = Report("s", ("f",), morphological_findings=findings)
    remarks = compare(one, Report("t", ("f",)), labels=("mine", "other"), rbc_diameter_px=40).remarks
    assert "the counts of mine are not the numbers of its places: blast (count 5, places 2)" in remarks
    assert not any("counts of other" in remark for remark in remarks)


def test_what_a_cell_comparison_remarks_is_told() -> None:
    wide, narrow = (
        replace(report_side((0, 10.0, 10.0, "blast")), files=(SideFile("a.jpg", frozenset({"a"}), size),))
        for size in (40.0, 80.0)
    )
    comparison = compare(wide, narrow)
    assert comparison.cells.remarks
    assert set(comparison.cells.remarks) <= set(comparison.remarks)


def test_two_analyses_of_one_smear_are_told_apart_by_their_detectors(analysis: Analysis) -> None:
    def found_by(name: str) -> Analysis:
        return replace(analysis, provenance={**analysis.provenance, "parameters": {"detector": name}})

    assert compare(found_by("onnx"), found_by("classical")).labels == ("sample (onnx)", "sample (classical)")
    assert compare(found_by("onnx"), found_by("onnx")).labels == ("sample (first)", "sample (second)")
    assert compare(found_by("onnx"), found_by("classical"), labels=("a", "a")).labels == ("a (first)", "a (second)")
