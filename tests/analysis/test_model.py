from __future__ import annotations

import io
import pickle
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.seen.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert not tags.open
    return tags


def test_frame_has_one_row_a_cell_with_the_name_of_its_field(analysis: Analysis):
    frame = analysis.to_frame()
    assert list(frame.columns) == ["field_name", "field", "x", "y", "radius", "name", "score", "area_um2"]
    assert frame["field_name"].tolist() == ["first.png"] * 2 + ["second.png"] * 3
    assert frame["x"].tolist() == [100, 300, 200, 400, 600]


def test_empty_frame_keeps_its_columns(empty_analysis: Analysis):
    frame = empty_analysis.to_frame()
    assert len(frame) == 0
    assert list(frame.columns)[:2] == ["field_name", "field"]


def test_cells_of_a_field_and_the_fullest(analysis: Analysis, empty_analysis: Analysis):
    assert analysis.cells_of(0)["x"].tolist() == [100, 300]
    assert analysis.fullest_field == 1
    assert empty_analysis.fullest_field == 0


def test_html_shows_the_numbers_and_ends_with_the_notice(analysis: Analysis):
    html = analysis._repr_html_()
    texts = parsed(html).texts
    for text in (
        "5320",
        "/mm2",
        "4330 to 6470",
        "4000 to 7000",
        "the detector (rules on colour and shape, no trained model) tells no blasts",
        "from 3 cells only: no more than an order of magnitude",
        "bad.jpg",
        "12.35",
        "focus · ok",
        "yes",
        "no",
        "not known",
        "candidates",
    ):
        assert any(text in one for one in texts), text
    assert texts[-1] == RESEARCH_USE_NOTICE


def test_html_has_tables_and_no_script_and_escapes_everything(hostile_analysis: Analysis, analysis: Analysis):
    allowed = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p", "small"}
    for one in (hostile_analysis, analysis):
        assert set(parsed(one._repr_html_()).seen) <= allowed
    assert parsed(hostile_analysis._repr_html_()).texts.count("<script>alert('x')</script>\"&") > 15


def test_words_promise_nothing(analysis: Analysis, empty_analysis: Analysis):
    for one in (analysis, empty_analysis):
        html = one._repr_html_().lower()
        assert "negative" not in html
        assert "diagnos" not in html.replace("not for use in diagnostic procedures", "")


def test_an_empty_analysis_has_every_face(empty_analysis: Analysis):
    assert RESEARCH_USE_NOTICE in empty_analysis._repr_html_()
    assert "0" in parsed(empty_analysis._repr_html_()).texts
    assert Image.open(io.BytesIO(empty_analysis._repr_png_())).size[0] > 20
    assert repr(empty_analysis) == "Analysis('empty', 1 field, Detections(0 cells))"


def test_png_is_the_fullest_field_and_the_same_bytes_each_time(analysis: Analysis):
    first = analysis._repr_png_()
    assert first == analysis._repr_png_()
    picture = Image.open(io.BytesIO(first))
    assert picture.width == 700
    assert np.array_equal(np.asarray(picture), np.asarray(analysis.picture(1)))
    assert not np.array_equal(np.asarray(analysis.picture(0))[:480, :640], np.asarray(picture)[:480, :640])


def test_pickles(analysis: Analysis):
    again = pickle.loads(pickle.dumps(analysis))  # noqa: S301
    assert again.report == analysis.report
    assert again.detections == analysis.detections


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("import hemato_lab.analysis", "PIL pandas matplotlib jinja2 scipy numba"),
        ("import hemato_lab.analysis.drawing", "pandas matplotlib jinja2 scipy numba"),
    ],
)
def test_import_is_light(code: str, forbidden: str):
    script = f"{code}; import sys; print([m for m in {forbidden.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_bytes_of_a_file_name_that_are_no_text_are_spelled_out(analysis: Analysis):
    fields = (replace(analysis.smear.fields[0], name="a\udcff.png"), analysis.smear.fields[1])
    strange = replace(analysis, smear=replace(analysis.smear, fields=fields))
    assert strange.to_frame()["field_name"].tolist()[:2] == ["a\\udcff.png"] * 2
