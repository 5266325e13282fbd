"""What a reader may set in a widget, and what of it is taken."""

from __future__ import annotations

import json
import math

import pytest
import traitlets

import hemato_lab as hl
from hemato_lab.errors import ConfigError
from hemato_lab.widgets.cell_gallery import CellGallery
from hemato_lab.widgets.comparison_viewer import ComparisonViewer
from hemato_lab.widgets.pages import synced_state
from hemato_lab.widgets.smear_viewer import SmearViewer
from tests.analysed import analysis, cells

__all__ = ["analysis"]
FACTS = {"cells", "names", "colours", "fields", "um_per_px", "decided", "decided_names", "blind", "choices", "progress"}


@pytest.fixture
def viewer(analysis) -> SmearViewer:
    return SmearViewer(analysis.smear, analysis.detections)


def test_jupyter_sets_what_a_reader_may_set_and_gets_back_the_rest(analysis, tmp_path):
    gallery = CellGallery(analysis, tmp_path / "decisions.jsonl")
    before, sent = synced_state(gallery), []

    def send_state(key):
        sent.append(key)

    gallery.send_state = send_state
    false = {"decided": b"\x02" * 5, "progress": {"decided": 5}, "blind": True, "choices": [["a", "x"]], "_esm": "x"}
    gallery.set_state({**false, "layout": "x", "selected": [1]})
    assert set(sent[0]) == {*false, "layout"}
    assert gallery.selected == [1]
    gallery.selected = []
    assert synced_state(gallery) == before
    gallery.set_state({"selected": [99]})
    assert (gallery.selected, sent[-1]) == ([], ["selected"])


@pytest.mark.parametrize("kind", [SmearViewer, CellGallery, ComparisonViewer])
def test_no_widget_lets_a_view_say_what_was_found(kind):
    assert set(kind.class_trait_names(sync=True)) >= kind.SET_BY_READERS
    assert not kind.SET_BY_READERS & FACTS


@pytest.mark.parametrize(
    "viewport", [[0, math.nan, 0, 1], [0, 0, math.inf, 1], [9, 0, 0, 1], [0.5, 0, 0, 1], [0, 0, 0, 0], [0, 1], [-1]]
)
def test_a_viewport_is_a_place_that_can_be_shown(viewer, viewport):
    with pytest.raises(traitlets.TraitError, match="viewport"):
        viewer.viewport = viewport
    assert viewer.viewport == []


def test_places_that_can_be_shown_are_taken(viewer):
    for viewport in ([], [1], [1, -5.5, 3, 0.25]):
        viewer.viewport = viewport
        assert viewer.viewport == viewport
        assert viewer.to_png().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["minimum_score", "bandwidth_um"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_are_finite(viewer, name, value):
    with pytest.raises(traitlets.TraitError):
        setattr(viewer, name, value)
    json.dumps(synced_state(viewer)[0], allow_nan=False)


@pytest.mark.parametrize(("x", "radius"), [(math.nan, 5.0), (3.0, math.inf), (3.0, math.nan)])
def test_cells_that_lie_nowhere_are_refused_by_row(analysis, x, radius):
    table = cells([(0, "RBC", 3.0, 3.0, 5.0), (0, "RBC", x, 3.0, radius)])
    with pytest.raises(ConfigError, match="cell 1 is"):
        hl.widgets.SmearViewer(analysis.smear, table)


def test_a_lack_of_memory_is_answered(viewer, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(type(viewer), "hello", fail)
    assert viewer.answer({"kind": "hello", "request": "1"}).content["kind"] == "problem"
