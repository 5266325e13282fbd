"""The comparison viewer's Python half: both sides in traits, names in answers alone, pixels found where they are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from ipywidgets import Widget
from traitlets import TraitError

from hemato_lab.comparison import compare
from hemato_lab.comparison.cells import STATES
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE, HeatMapEntry, MorphologicalFinding
from hemato_lab.widgets.comparison_viewer import ComparisonViewer
from tests.comparison.conftest import (  # noqa: F401 (fixtures)
    analysis,
    different,
    quick_pictures,
    same,
    with_file_ids,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.analysis import Analysis
    from hemato_lab.comparison import Comparison


@pytest.fixture(autouse=True)
def closed_afterwards() -> Iterator[None]:
    yield
    Widget.close_all()


@pytest.fixture
def viewer(different: Comparison) -> ComparisonViewer:  # noqa: F811
    return ComparisonViewer(different)


def asked(viewer: ComparisonViewer, kind: str, **fields: Any) -> dict[str, Any]:
    return viewer.answer({"kind": kind, "request": "view-1", **fields}).content


def numbers(data: bytes, kind: str, width: int) -> Any:
    return np.frombuffer(data, kind).reshape(-1, width)


def test_every_place_points_to_what_either_side_lists(viewer: ComparisonViewer) -> None:
    cells = viewer.comparison.cells
    places = numbers(viewer.places, "<i4", 4)
    assert [STATES[state] for state in places[:, 1]] == cells["state"].tolist()
    np.testing.assert_array_equal(places[:, 0], cells["file"])
    for side, column in (("first", 2), ("second", 3)):
        listed = numbers(getattr(viewer, side), "<f4", 9)
        for row, place in enumerate(places.tolist()):
            if place[column] < 0:
                assert cells[f"{side}_row"][row] == -1
                continue
            x, y, radius, _, field, name = listed[place[column]][:6]
            assert (x, y, radius) == tuple(cells[f"{side}_{axis}"][row] for axis in ("x", "y", "radius"))
            assert field == cells["file"][row]
            assert viewer.names[int(name)] == cells[f"{side}_name"][row]
        assert sorted(places[:, column][places[:, column] >= 0]) == list(range(len(listed)))


def test_one_row_a_place_as_the_first_side_has_it(viewer: ComparisonViewer) -> None:
    cells = viewer.comparison.cells
    here = cells["first_row"] >= 0
    np.testing.assert_array_equal(viewer.detections["x"], np.where(here, cells["first_x"], cells["second_x"]))
    assert viewer.differing() == np.flatnonzero(cells["state"] != "matched").tolist()


def test_no_name_of_a_side_or_image_is_in_the_state(viewer: ComparisonViewer) -> None:
    state = json.dumps({name: str(value) for name, value in viewer.get_state().items() if name not in ("_esm", "_css")})
    for secret in ("one", "other", "first.png"):
        assert f"'{secret}" not in state
        assert f'"{secret}' not in state
    said = asked(viewer, "hello")
    assert said["labels"] == ["one", "other"]
    assert said["field_names"] == ["first.png", "second.png"]
    assert said["notice"] == RESEARCH_USE_NOTICE
    assert said["can_decide"] is False


def test_cards_say_what_either_side_says(viewer: ComparisonViewer) -> None:
    cells = viewer.comparison.cells
    row = cells["state"].tolist().index("reclassified")
    lines = dict(asked(viewer, "card", row=row)["lines"])
    assert lines["one"] == "WBC, score 1.00, radius 80 px"
    assert lines["other"] == "RBC, score 1.00, radius 78 px"
    assert lines["centres apart"] == "0.00 red-cell radii"
    assert lines["image"] == "second.png"
    alone = cells["state"].tolist().index("second only")
    assert dict(asked(viewer, "card", row=alone)["lines"])["one"] == "lists nothing here"
    assert asked(viewer, "card", row=99)["kind"] == "problem"


def test_tables_are_those_of_the_comparison(viewer: ComparisonViewer) -> None:
    tables = asked(viewer, "table")["tables"]
    expected = [table for table in viewer.comparison.tables() if table.rows]
    assert [table["caption"] for table in tables] == [table.caption for table in expected]
    assert tables[1]["rows"] == [list(row) for row in expected[1].rows]


def test_it_opens_where_most_differs_and_goes_to_places(viewer: ComparisonViewer) -> None:
    assert viewer.viewport == [viewer.comparison.most_differing]
    row = viewer.differing()[0]
    viewer.go_to(row)
    assert viewer.selected == [row]
    assert viewer.viewport[:3] == [viewer.detections[name][row] for name in ("field", "x", "y")]
    with pytest.raises(ConfigError, match="there is no place 99"):
        viewer.go_to(99)
    with pytest.raises(TraitError):
        viewer.selected = [99]
    with pytest.raises(TraitError):
        viewer.hidden_states = ["wrong"]


def test_pixels_come_from_either_analysis_or_from_a_smear(analysis: Analysis) -> None:  # noqa: F811
    one = with_file_ids(analysis)
    entries = (HeatMapEntry.at(70, 80, 20, file_id="file-1"),)
    report = replace(one.report, morphological_findings={"blast": MorphologicalFinding.of(entries)})
    later = ComparisonViewer(compare(report, one, labels=("a", "b")))
    assert [field["has_pixels"] for field in later.fields] == [True, True]
    np.testing.assert_array_equal(later.smear.fields[1].read(), one.smear.fields[1].read())
    assert later.um_per_px == pytest.approx(0.075)

    of_reports = compare(report, report, labels=("a", "b"), rbc_diameter_px=100)
    blind = ComparisonViewer(of_reports)
    assert [field["has_pixels"] for field in blind.fields] == [False, False]
    assert blind.fields[1]["width"] >= 70
    assert asked(blind, "hello")["remarks"][-1] == "no image at hand: places are drawn on plain ground"
    (failed,) = asked(blind, "tiles", wanted=[[1, 0, 0, 0]])["failed"]
    assert "its pixels are not in" in failed[-1]
    given = ComparisonViewer(of_reports, smear=one.smear)
    assert [field["has_pixels"] for field in given.fields] == [True, True]


def test_the_scale_is_that_of_the_pixels_shown_and_unknown_where_they_differ(analysis: Analysis) -> None:  # noqa: F811
    one = with_file_ids(analysis)
    of_reports = compare(one.report, one.report, labels=("a", "b"), rbc_diameter_px=100)
    fields = tuple(replace(field, um_per_px=0.2) for field in one.smear.fields)
    by_files = replace(one.smear, scale=None, fields=fields)
    assert ComparisonViewer(of_reports, smear=by_files).um_per_px == 0.2
    apart = replace(by_files, fields=(fields[0], replace(fields[1], um_per_px=0.3)))
    assert ComparisonViewer(of_reports, smear=apart).um_per_px is None

    # The second image is of another smear, which has another scale.
    half = replace(by_files, fields=fields[:1])
    of_analyses = compare(one, one, labels=("a", "b"))
    assert ComparisonViewer(of_analyses, smear=half).um_per_px is None
    alike = replace(half, scale=one.smear.scale)
    assert ComparisonViewer(of_analyses, smear=alike).um_per_px == pytest.approx(0.075)


def test_a_comparison_with_itself_has_nothing_to_step_through(same: Comparison) -> None:  # noqa: F811
    viewer = ComparisonViewer(same)
    assert viewer.differing() == []
    assert repr(viewer) == "ComparisonViewer(5 places, 0 differ)"


def test_the_picture_is_kept_on_request_alone(different: Comparison, quick_pictures: bytes) -> None:  # noqa: F811
    assert "image/png" not in DisplayFormatter().format(ComparisonViewer(different))[0]
    assert "image/png" in DisplayFormatter().format(ComparisonViewer(different, keep_picture=True))[0]
