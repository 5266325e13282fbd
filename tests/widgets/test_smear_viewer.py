"""The viewer's Python half: state without names or pixels, answers, selection, picture."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from PIL import Image
from traitlets import TraitError

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.smear import Smear
from hemato_lab.statistics import heatmap
from hemato_lab.widgets import smear_viewer
from hemato_lab.widgets.smear_viewer import SmearViewer
from tests.analysed import analysis, cells, plain_field  # noqa: F401 (a fixture)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.analysis import Analysis

PERSON = "Jane Doe 1961"


@pytest.fixture
def viewer(analysis: Analysis) -> Iterator[SmearViewer]:  # noqa: F811 (pytest's way of using a fixture)
    made = SmearViewer(analysis.smear, analysis.detections)
    yield made
    made.close()


@pytest.fixture
def of_a_person() -> Iterator[SmearViewer]:
    smear = Smear(PERSON, (plain_field(f"{PERSON}.png", 300, 200),), {PERSON: PERSON})
    made = SmearViewer(smear, cells([(0, "RBC", 50, 50, 20)]))
    yield made
    made.close()


def asked(viewer: SmearViewer, kind: str, **fields: Any) -> dict[str, Any]:
    return viewer.answer({"kind": kind, "request": "view-1", **fields}).content


def test_what_is_shown_is_in_the_traits(viewer: SmearViewer) -> None:
    rows = np.frombuffer(viewer.cells, "<f4").reshape(-1, 9)
    np.testing.assert_allclose(rows[:, 0], viewer.detections["x"])
    assert viewer.names == ["RBC", "WBC", "platelet"]
    assert viewer.lineages == ["red cell", "white cell", "platelet"]
    assert viewer.classes == ["RBC", "WBC", "platelet"]
    viewer.names = [*viewer.names, "schizont"]  # as a gallery beside it does
    assert (viewer.lineages[3], viewer.classes[3]) == ("parasite", "RBC")
    assert viewer.fields == [{"width": 640, "height": 480}, {"width": 700, "height": 500}]
    assert viewer.rbc_diameter_px == 100
    assert viewer.um_per_px == pytest.approx(0.075)
    assert viewer._esm.count("export default") == 1
    assert ".hemato-lab" in viewer._css


def test_state_and_output_hold_no_names_and_no_pixels(of_a_person: SmearViewer) -> None:
    of_a_person.select([0])
    state = {name: value for name, value in of_a_person.get_state().items() if isinstance(value, bytes) is False}
    assert PERSON not in json.dumps(state, default=repr)
    held = sum(len(value) for value in of_a_person.get_state().values() if isinstance(value, bytes))
    assert held == 9 * 4  # the one cell's numbers
    data, _ = DisplayFormatter().format(of_a_person)
    assert set(data) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert data["text/plain"] == "SmearViewer(1 field, 1 cells)"


def test_a_picture_is_kept_where_it_is_wanted(analysis: Analysis) -> None:  # noqa: F811
    keeping = SmearViewer(analysis.smear, analysis.detections, keep_picture=True)
    data, _ = DisplayFormatter().format(keeping)
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} < set(data)
    keeping.close()


def test_hello_tells_what_the_state_does_not(of_a_person: SmearViewer) -> None:
    hello = asked(of_a_person, "hello")
    assert hello == {
        "kind": "hello",
        "request": "view-1",
        "title": PERSON,
        "field_names": [f"{PERSON}.png"],
        "notice": RESEARCH_USE_NOTICE,
        "can_decide": False,
        "remarks": [],
    }
    titled = SmearViewer(of_a_person.smear, title="sample 7", remarks=["only what the report lists is marked"])
    assert asked(titled, "hello")["title"] == "sample 7"
    assert asked(titled, "hello")["remarks"] == ["only what the report lists is marked"]
    titled.close()


def test_requests_are_answered(viewer: SmearViewer) -> None:
    tiles = viewer.answer({"kind": "tiles", "request": "1", "wanted": [[1, 0, 0, 0], [0, 1, 0, 0]]})
    assert tiles.content["tiles"] == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert len(tiles.buffers) == 2
    crops = viewer.answer({"kind": "crops", "request": "2", "wanted": [4, 0], "side_px": 64})
    assert crops.content["crops"] == [4, 0]
    assert crops.content["um_per_px"] == pytest.approx(2.5 * 7.5 / 64)
    assert asked(viewer, "card", row=1)["lines"][0] == ["candidate", "platelet"]


@pytest.mark.parametrize(
    ("content", "request_name"),
    [
        ({"kind": "card", "request": "a", "row": 99}, "a"),
        ({"kind": "decide", "request": "b", "action": "accept", "rows": [0]}, "b"),
        ({"kind": "exec", "request": "c", "code": "1"}, "c"),
        (None, ""),
    ],
)
def test_what_cannot_be_answered_is_a_problem_in_words(viewer: SmearViewer, content: object, request_name: str) -> None:
    answer = viewer.answer(content)
    assert answer.content["kind"] == "problem"
    assert answer.content["request"] == request_name
    assert answer.content["text"]
    assert answer.buffers == []


def test_messages_of_the_browser_are_answered_with_what_answer_returns(
    viewer: SmearViewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(viewer, "send", lambda content, buffers=None: sent.append((content, buffers)))
    request = {"kind": "tiles", "request": "1", "wanted": [[0, 0, 0, 0]]}
    viewer._handle_custom_msg(request, [])
    expected = viewer.answer(request)
    assert sent == [(expected.content, expected.buffers)]


def test_selection_goes_both_ways(viewer: SmearViewer) -> None:
    viewer.select([3, 1, 3])
    assert viewer.selected == [3, 1]
    frame = viewer.frame_of_selection()
    assert list(frame.index) == [3, 1]
    assert frame["name"].tolist() == ["WBC", "platelet"]
    assert frame["field_name"].tolist() == ["second.png", "first.png"]
    viewer.set_state({"selected": [4]})  # what a click in the browser sends
    assert viewer.frame_of_selection()["x"].tolist() == [600]
    viewer.select([])
    assert len(viewer.frame_of_selection()) == 0


@pytest.mark.parametrize("row", [-1, 5])
def test_cells_that_are_not_there_cannot_be_selected(viewer: SmearViewer, row: int) -> None:
    with pytest.raises(ConfigError, match="rows count from 0 to 4"):
        viewer.select([row])
    with pytest.raises(ConfigError):
        viewer.go_to(row)
    with pytest.raises(TraitError):
        viewer.selected = [row]
    assert viewer.selected == []


def test_a_cell_is_brought_into_the_middle(viewer: SmearViewer) -> None:
    viewer.go_to(3)
    assert viewer.selected == [3]
    assert viewer.viewport == [1, 400, 250, pytest.approx(60 / 80)]


def test_settings_are_checked(analysis: Analysis) -> None:  # noqa: F811
    with pytest.raises(TraitError):
        SmearViewer(analysis.smear, marks="square")
    with pytest.raises(TraitError):
        SmearViewer(analysis.smear, minimum_score=1.5)
    made = SmearViewer(analysis.smear, arrangement="strip", density="kernel", hidden=["RBC"], minimum_score=0.4)
    assert (made.arrangement, made.density, made.hidden, made.minimum_score) == ("strip", "kernel", ["RBC"], 0.4)
    made.close()


def test_cells_of_another_smear_are_refused(analysis: Analysis) -> None:  # noqa: F811
    with pytest.raises(ConfigError, match="3 fields, the smear has 2"):
        SmearViewer(analysis.smear, cells([(2, "RBC", 1, 1, 1)]))


def test_a_smear_without_cells_or_scale_can_be_looked_at() -> None:
    made = SmearViewer(Smear("empty", (plain_field("one.png", 20, 10),)))
    assert (made.cells, made.names, made.um_per_px, made.rbc_diameter_px) == (b"", [], None, None)
    assert made.frame_of_selection().empty
    assert made.to_png().startswith(b"\x89PNG")
    made.close()


def test_the_picture_is_of_the_field_in_view(viewer: SmearViewer) -> None:
    def width() -> int:
        with Image.open(io.BytesIO(viewer.to_png())) as picture:
            return picture.width

    assert width() == 700
    viewer.viewport = [0, 10, 10, 1]
    assert width() == 640
    with pytest.raises(TraitError, match="viewport"):
        viewer.viewport = [99, 0, 0, 1]
    assert width() == 640


def test_defaults_are_those_of_the_heat_map() -> None:
    assert smear_viewer.BANDWIDTH_UM == heatmap.BANDWIDTH_UM
    assert Detections.empty() == SmearViewer(Smear("a", (plain_field("one.png", 20, 10),))).detections
