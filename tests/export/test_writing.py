from __future__ import annotations

import io
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from hemato_lab import export
from hemato_lab.analysis import Analysis
from hemato_lab.errors import ConfigError
from hemato_lab.export.html import MOST_PICTURES
from hemato_lab.report import RESEARCH_USE_NOTICE, Report

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div"),
    *("table", "thead", "tbody", "tr", "th", "td", "figure", "img", "figcaption"),
    *("ul", "li", "strong", "dl", "dt", "dd", "details", "summary"),
}


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def page(analysis: Analysis) -> Page:
    parser = Page()
    parser.feed(export.render(analysis, "html").decode())
    parser.close()
    return parser


def test_every_format_is_written_and_the_same_each_time(tmp_path: Path, analysis: Analysis):
    assert set(export.EXPORTERS) == {
        *("json", "html", "pdf", "png", "pictures", "csv", "parquet", "txt", "heatmap"),
        *("geojson", "coco", "yolo", "voc", "fhir", "dicom"),
    }
    for name in export.EXPORTERS:
        ending = export.suffix_of(analysis, name)
        path = export.write(analysis, tmp_path / f"{name}.{ending}", name)
        assert path.read_bytes() == export.render(analysis, name), name
        if name == ending:
            assert export.write(analysis, tmp_path / f"other.{ending}").read_bytes() == path.read_bytes()


BEGINNINGS = {"zip": b"PK\x03\x04", "png": b"\x89PNG", "pdf": b"%PDF-", "parquet": b"PAR1", "json": b"{"}


def test_the_suffix_says_what_the_bytes_are(analysis: Analysis, empty_analysis: Analysis):
    for one, file_format in ((analysis, "coco"), (analysis, "geojson"), (analysis, "pictures"), (analysis, "pdf")):
        beginning = BEGINNINGS[export.suffix_of(one, file_format)]
        assert export.render(one, file_format).startswith(beginning)
    assert export.render(analysis, "coco", include_images=True).startswith(BEGINNINGS["zip"])
    assert export.suffix_of(analysis, "coco", include_images=True) == "zip"
    assert export.suffix_of(empty_analysis, "geojson") == "geojson"


def test_images_go_along_only_where_there_is_a_place_for_them(analysis: Analysis):
    with pytest.raises(ConfigError, match="fhir takes no images"):
        export.render(analysis, "fhir", include_images=True)


def test_a_slide_is_not_packed_into_memory(analysis: Analysis, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hemato_lab.export.images.MOST_PIXELS", 640 * 480)
    for file_format, include in (("dicom", False), ("coco", True), ("yolo", True), ("voc", True)):
        with pytest.raises(ConfigError, match="million pixels"):
            export.render(analysis, file_format, include_images=include)


def test_json_is_the_report(analysis: Analysis):
    content = export.render(analysis, "json")
    assert content.endswith(b"}\n")
    assert Report.from_json(content) == analysis.report
    assert json.loads(content) == analysis.report.to_dict()


def test_png_is_the_annotated_picture(analysis: Analysis):
    picture = Image.open(io.BytesIO(export.render(analysis, "png")))
    assert picture.format == "PNG"
    assert np.array_equal(np.asarray(picture), np.asarray(analysis.picture()))


def test_html_holds_everything(analysis: Analysis):
    texts = page(analysis).texts
    for text in (
        "5320",
        "4330 to 6470",
        "the detector (rules on colour and shape, no trained model) tells no blasts",
        "Thrombocytopenia, unspecified",
        "No demographics or clinical history were provided.",
        "first.png",
        "second.png",
        "bad.jpg",
        "parameters · tile_size",
        "12.35",
        "0.075 µm/px ± 6.7 % (stated red-cell diameter; red cell 100 px)",
    ):
        assert text in texts, text
    assert texts.count(RESEARCH_USE_NOTICE) == 2


def test_html_needs_nothing_from_outside_and_runs_nothing(analysis: Analysis, hostile_analysis: Analysis):
    for one in (analysis, hostile_analysis):
        parsed = page(one)
        assert parsed.tags <= ALLOWED_TAGS
        assert not [name for name, _ in parsed.attributes if name.startswith("on") or name == "href"]
        assert all(value.startswith("data:image/jpeg;base64,") for name, value in parsed.attributes if name == "src")
        assert any(value.startswith("default-src 'none'") for name, value in parsed.attributes if name == "content")
        text = export.render(one, "html").decode()
        assert "<script" not in text
        assert not re.search(r"https?://|url\(|@import", text)


def test_hostile_text_is_shown_as_text(hostile_analysis: Analysis):
    assert page(hostile_analysis).texts.count("<script>alert('x')</script>\"&") > 15


def test_pictures_open_and_are_those_of_the_fields(analysis: Analysis):
    import base64

    sources = [value for name, value in page(analysis).attributes if name == "src"]
    assert len(sources) == 3, "two fields and the density of the fuller one"
    for index, source in enumerate(sources[:2]):
        picture = Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1])))
        assert picture.size == analysis.picture(index).size
        difference = np.asarray(picture).astype(int) - np.asarray(analysis.picture(index))
        assert np.abs(difference).mean() < 2


def test_of_many_fields_the_fullest_are_shown(analysis: Analysis):
    smear = analysis.smear
    many = type(smear)(
        smear.name, tuple(replace(smear.fields[0], name=f"{k}.png") for k in range(MOST_PICTURES + 3)), {}, smear.scale
    )
    detections = analysis.detections.with_columns(field=np.array([9, 9, 10, 10, 10]))
    parsed = page(Analysis(many, detections, analysis.report))
    assert len([name for name, _ in parsed.attributes if name == "src"]) == MOST_PICTURES + 1  # and the density
    assert "3 further fields are not shown; all are in the estimates." in parsed.texts


def test_an_empty_analysis_is_exported(tmp_path: Path, empty_analysis: Analysis):
    for name in ("json", "html", "pdf", "png", "csv", "parquet", "geojson", "txt"):
        assert export.write(empty_analysis, tmp_path / f"a.{name}").stat().st_size > 30
    with pytest.raises(ConfigError, match="no density without a scale"):
        export.render(empty_analysis, "heatmap")
    text = export.render(empty_analysis, "html").decode()
    assert "No candidate cell was found" in text
    assert "negative" not in text.lower()


def test_words_promise_nothing(analysis: Analysis):
    text = " ".join(page(analysis).texts).lower().replace(RESEARCH_USE_NOTICE.lower(), "")
    assert "negative" not in text
    assert "diagnos" not in text


def test_unknown_formats_are_refused_before_anything_is_written(tmp_path: Path, analysis: Analysis):
    for path, name in ((tmp_path / "a.docx", None), (tmp_path / "a", None), (tmp_path / "a.json", "doc")):
        with pytest.raises(ConfigError, match="json, html, pdf"):
            export.write(analysis, path, name)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_a_typed_error(tmp_path: Path, analysis: Analysis):
    (tmp_path / "taken.json").mkdir()
    for target in (tmp_path / "absent" / "a.json", tmp_path / "taken.json"):
        with pytest.raises(ConfigError, match="cannot be written") as caught:
            export.write(analysis, target)
        assert str(target) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, analysis: Analysis, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "report.json"
    target.write_text("old")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(ConfigError, match="No space left"):
        export.write(analysis, target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def headings_and_texts(analysis: Analysis) -> list[str]:
    return [text for text in page(analysis).texts if text]


def test_quality_warnings_stand_between_the_scale_and_the_estimates(checked_analysis: Analysis, analysis: Analysis):
    texts = headings_and_texts(checked_analysis)
    warning = next(text for text in texts if "too thick: 83 % of the red cells overlap or touch" in text)
    scale, estimates = texts.index("Smear"), texts.index("Estimates")
    assert scale < texts.index("Quality warnings") < texts.index(warning) < estimates
    assert texts[texts.index("Quality warnings") : estimates].count("Monolayer") == 1
    assert "1 of 2 fields; first.png: too thick" in warning
    assert "less certain than their limits say" in warning
    assert "Quality warnings" not in headings_and_texts(analysis), "no check of ours failed"


def test_quality_is_told_in_plain_words_with_units_and_a_legend(checked_analysis: Analysis):
    parsed, text = page(checked_analysis), export.render(checked_analysis, "html").decode()
    for words in ("Edge width, µm", "Optical density of red cells", "Usable area, %", "Loss of light, %", "Monolayer"):
        assert parsed.texts.count(words) >= 2, "as head of the column and in the legend"
    for code in checked_analysis.quality["first.png"]:
        assert "_" not in code or code not in text
    titles = [value for name, value in parsed.attributes if name == "title"]
    assert "Mean of green and blue light; at 0.30 half of the light passes." in titles
    assert set(titles) <= set(parsed.texts), "a legend for those who cannot hover"
    assert "12.8" in parsed.texts, "a share of 0.128 in per cent"
    assert not re.search(r"\bth[^{}]*\{[^}]*overflow-wrap: *anywhere", text), "no head is broken inside a word"


def test_an_estimated_scale_carries_its_warning(checked_analysis: Analysis, analysis: Analysis):
    texts = headings_and_texts(checked_analysis)
    at = texts.index("scale")
    assert "estimated from red cells" in texts[at + 1]
    assert "never judge their absolute size by it" in texts[at + 2]
    assert "densities are off by the square" in texts[at + 2]
    assert "off by the square" not in " ".join(headings_and_texts(analysis))


def test_the_method_is_told_in_words(checked_analysis: Analysis):
    texts = headings_and_texts(checked_analysis)
    assert texts[texts.index("method") + 1] == "rules on colour and shape, no trained model"
    assert "classical detector" not in " ".join(texts)


def test_each_count_is_explained_where_it_stands(checked_analysis: Analysis):
    texts = headings_and_texts(checked_analysis)
    found = texts[texts.index("cells found") + 2]
    assert found == "RBC: 3, WBC: 1, platelet: 1; all candidates in all fields, those cut by the border of a field too"
    assert "counted by border rule" in texts
    note = next(text for text in texts if "Counted by border rule:" in text)
    assert "leaves out at the border of a field" in note
    assert texts[texts.index("Pictures") + 1].startswith("Rings mark all candidates in the picture")


def test_provenance_is_folded_at_the_end_without_empty_rows(checked_analysis: Analysis):
    text = export.render(checked_analysis, "html").decode()
    before, folded = text.split("<details>")
    assert "<summary>Provenance</summary>" in folded
    assert "<h2>" not in folded
    assert "parameters · detector" in folded
    assert "skipped" not in text
    assert "inputs" not in folded
    assert not re.search(r"<td[^>]*></td>", folded)
    assert "parameters" not in before


def test_decisions_of_readers_stand_in_every_report(analysis: Analysis):
    said = {"counts": {"accepted": 41}, "readers": ["<b>R</b>"], "log_sha256": "ab" * 32, "unattached": []}
    extension = {**analysis.report.extension, "review": {"required": False, "reasons": [], "decisions": said}}
    reviewed = replace(analysis, report=replace(analysis.report, extension=extension))
    texts = headings_and_texts(reviewed)
    assert texts[texts.index("cells accepted") + 1] == "41"
    assert texts[texts.index("readers") + 1] == "<b>R</b>"
    assert "Decisions of readers" not in headings_and_texts(analysis)
    assert export.render(reviewed, "pdf") != export.render(analysis, "pdf")
