from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.comparison.cells import NOT_LISTED, STATES, CellComparison
from hemato_lab.comparison.matching import compare_cells
from hemato_lab.comparison.pairing import pair_files
from hemato_lab.comparison.sides import Side
from hemato_lab.errors import ConfigError
from hemato_lab.report import HeatMapEntry, MorphologicalFinding, Report
from tests.comparison.placed import report_side, side


def compared(first: Side, second: Side, **options: float) -> CellComparison:
    return compare_cells(first, second, pair_files(first.files, second.files), **options)  # type: ignore[arg-type]


def counts(cells: CellComparison) -> tuple[int, ...]:
    return tuple(cells.count(state) for state in STATES)


def test_matched_reclassified_and_seen_by_one_alone() -> None:
    cells = compared(
        side((0, 50, 10, "RBC"), (0, 10, 20, "WBC"), (0, 90, 30, "platelet")),
        side((0, 53, 14, "RBC"), (0, 10, 20, "platelet"), (0, 200, 30, "WBC")),
    )
    assert counts(cells) == (1, 1, 1, 1)
    rows = zip(cells["state"], cells["first_common"], cells["second_common"], strict=True)
    assert [tuple(map(str, row)) for row in rows] == [
        ("matched", "RBC", "RBC"),  # from top to bottom
        ("reclassified", "WBC", "platelet"),
        ("first only", "platelet", NOT_LISTED),
        ("second only", NOT_LISTED, "WBC"),
    ]
    assert cells["distance"][:2] == pytest.approx([0.5, 0.0])  # 3-4-5 pixels of 10
    assert np.isnan(cells["distance"][2:]).all()
    assert cells["first_row"].tolist() == [0, 1, 2, -1]
    assert cells["second_row"].tolist() == [0, 1, -1, 2]
    assert cells.names() == ("RBC", "WBC", "platelet")
    assert not cells.agree


def test_a_finer_name_beside_a_wider_one_is_no_disagreement() -> None:
    cells = compared(
        side((0, 5, 5, "lymphocyte"), (0, 50, 5, "target cell")), side((0, 5, 5, "WBC"), (0, 50, 5, "RBC"))
    )
    assert counts(cells) == (2, 0, 0, 0)
    assert cells.agree
    assert cells["first_name"].tolist() == ["lymphocyte", "target cell"]


def test_one_finer_name_changes_nothing_for_the_other_cells() -> None:
    places = [(0, 30.0 * number, 5.0) for number in range(20)]
    finer = side(*((*place, "lymphocyte") for place in places))
    wider = side((*places[0], "lymphocyte"), *((*place, "WBC") for place in places[1:]))
    assert counts(compared(finer, wider)) == (20, 0, 0, 0)
    assert counts(compared(finer, wider, class_aware=True)) == (20, 0, 0, 0)


def test_annotations_that_mark_a_kind_contradict_it_where_they_do_not() -> None:
    found = side((0, 5, 5, "ring trophozoite"), (0, 50, 5, "target cell"))
    truth = side((0, 5, 5, "RBC"), (0, 50, 5, "RBC"), covered=frozenset({"RBC", "ring trophozoite"}))
    cells = compared(found, truth)
    assert counts(cells) == (1, 1, 0, 0)
    assert cells["state"].tolist() == ["reclassified", "matched"]


def test_what_one_side_leaves_open_is_told_apart_from_what_it_contradicts() -> None:
    first = side((0, 5, 5, "uncategorised RBC"), (0, 50, 5, "target cell"), (0, 90, 5, "uncategorised RBC"))
    second = side((0, 5, 5, "normal RBC"), (0, 50, 5, "normal RBC"), (0, 90, 5, "uncategorised RBC"))
    cells = compared(first, second)
    assert counts(cells) == (1, 2, 0, 0)
    assert "of 2 cells that are called differently, one side leaves 1 open" in cells.remarks[0]


def test_a_state_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="'only first'"):
        compared(side(), side()).count("only first")  # type: ignore[arg-type]


def test_images_in_another_order_are_compared_by_what_they_are() -> None:
    places = ((0, 5, 5, "RBC"), (1, 50, 5, "WBC"))
    cells = compared(side(*places, files=("a", "b")), side((1, 5, 5, "RBC"), (0, 50, 5, "WBC"), files=("b", "a")))
    assert cells.agree
    assert cells["file"].tolist() == [0, 1]
    assert cells.files == ("a.jpg", "b.jpg")


def test_cells_of_images_of_one_side_are_left_out_and_told() -> None:
    cells = compared(side((0, 5, 5, "RBC"), (1, 5, 5, "RBC"), files=("a", "b")), side((0, 5, 5, "RBC")))
    assert counts(cells) == (1, 0, 0, 0)
    assert cells.left_out == {"in images of one side alone": 1}


def test_without_an_image_in_common_there_is_nothing_to_match() -> None:
    cells = compared(side((0, 5, 5, "RBC")), side((0, 5, 5, "RBC"), files=("z",)))
    assert len(cells) == 0
    assert cells.left_out == {"in images of one side alone": 2}
    assert list(cells.to_frame()["state"]) == []


def test_what_a_report_does_not_place_is_compared_by_number_on_both_sides() -> None:
    first = report_side((0, 5, 5, "schizont"), (1, 5, 5, "blast"), files=("a", "b"))
    second = report_side((1, 5, 5, "blast"), files=("a", "b"), unplaced={"schizont": 2})
    cells = compared(first, second)
    assert counts(cells) == (1, 0, 0, 0)
    assert cells.counts_only == {"schizont": (1, 2)}
    assert not cells.agree


def test_numbers_are_those_that_the_report_states() -> None:
    entry = HeatMapEntry.at(5, 5, 10)
    stated = Report("id", ("a", "b"), morphological_findings={"schizont": MorphologicalFinding("5", (entry,))})
    unstated = Report("id", ("a", "b"), morphological_findings={"schizont": MorphologicalFinding("few", (entry,))})
    sides = [report_side(files=("a", "b"), unplaced={"schizont": 1}, report=one) for one in (stated, unstated)]
    assert compared(*sides).counts_only == {"schizont": (5, 1)}


def test_beside_a_report_only_findings_are_compared() -> None:
    whole = side((0, 5, 5, "normal RBC"), (0, 50, 5, "blast"))
    analysed = Side(
        "x", "analysis", whole.files, report_side((0, 50, 5, "blast")).findings, whole.cells, report=Report("i")
    )
    cells = compared(analysed, report_side((0, 50, 5, "blast")))
    assert cells.findings_only
    assert cells.remarks == ("only what reports list was compared: 1 entries of the 2 cells of x",)
    assert counts(cells) == (1, 0, 0, 0)
    assert counts(compared(analysed, whole)) == (2, 0, 0, 0)


def test_annotations_beside_a_report_count_only_what_reports_list() -> None:
    truth = side((0, 5, 5, "normal RBC"), (0, 50, 5, "blast"), (0, 90, 5, "macrocyte"))
    report = Report("id", ("a",), extension={"not_assessed": {"macrocyte": "no pixel size"}})
    cells = compared(truth, report_side(report=report))
    assert counts(cells) == (0, 0, 1, 0)
    assert cells["first_name"].tolist() == ["blast"]
    assert cells.left_out == {"of a name that the other side did not look for there": 2}


def test_names_that_were_not_annotated_all_over_are_no_mistakes() -> None:
    found = side((0, 5, 5, "lymphocyte"), (0, 50, 5, "platelet"), (0, 90, 5, "RBC"))
    truth = side((0, 5, 5, "WBC"), covered=frozenset({"WBC", "RBC"}))
    cells = compared(found, truth)
    assert counts(cells) == (1, 0, 1, 0)
    assert cells.left_out == {"of a name that the other side did not look for there": 1}


def test_places_that_are_left_open_are_no_mistakes() -> None:
    found = side((0, 5, 5, "RBC"), (0, 50, 5, "RBC"))
    cells = compared(found, side(left_open=((0, 12, 5, "RBC"),)))
    assert counts(cells) == (0, 0, 1, 0)
    assert cells["first_x"].tolist() == [50]
    assert cells.left_out == {"where the annotation leaves open what it is": 1}


def test_the_size_of_a_red_cell_is_taken_from_whoever_knows_it() -> None:
    places = (0, 0, 0, "WBC"), (0, 12, 0, "WBC")
    unknown, known = side(places[0], diameter=None), side(places[1], diameter=30.0)
    assert counts(compared(unknown, known)) == (1, 0, 0, 0)
    assert counts(compared(known, unknown)) == (1, 0, 0, 0)
    assert counts(compared(known, unknown, rbc_diameter_px=20.0)) == (0, 0, 1, 1)
    listed_alone = side((0, 0, 0, "RBC"), diameter=None), side((0, 8, 0, "RBC"), diameter=None)
    assert compared(*listed_alone).rbc_diameter_px == (20.0,)  # of the red cells themselves
    with pytest.raises(ConfigError, match="how wide a red cell is"):
        compared(unknown, side(places[1], diameter=None))
    nothing = compared(unknown, side(diameter=None))
    assert counts(nothing) == (0, 0, 1, 0)
    assert np.isnan(nothing.rbc_diameter_px).all()


def test_sides_that_differ_on_the_size_of_a_red_cell_meet_in_the_middle_whichever_is_first() -> None:
    small, large = side((0, 0, 0, "WBC"), diameter=40.0), side((0, 27, 0, "WBC"), diameter=80.0)
    for sides in ((small, large), (large, small)):
        cells = compared(*sides)
        assert cells.rbc_diameter_px == (pytest.approx(56.568542),)
        assert counts(cells) == (1, 0, 0, 0)
        assert "40 px" in cells.remarks[0]
        assert "80 px" in cells.remarks[0]
    assert compared(small, large, rbc_diameter_px=50.0).remarks == ()
    assert compared(small, side(diameter=44.0)).remarks == ()


def test_long_names_of_vendors_are_kept_whole() -> None:
    long = "a finding with a name that is longer than any of ours, "
    cells = compared(report_side((0, 5, 5, long + "1")), report_side((0, 5, 5, long + "2")))
    assert counts(cells) == (0, 1, 0, 0)
    assert cells.names() == (long + "1", long + "2")
