from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pypdfium2
import pytest

from hemato_lab import export
from hemato_lab.analysis.wording import ESTIMATED_SCALE
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.smear import Smear
from tests.analysed import HOSTILE

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def texts(analysis: Analysis) -> list[str]:
    document = pypdfium2.PdfDocument(export.render(analysis, "pdf"))
    return [" ".join(page.get_textpage().get_text_range().replace("\xa0", " ").split()) for page in document]


def test_every_page_has_notice_and_number(real: Analysis):
    pages = texts(real)
    assert len(pages) > 3
    for number, page in enumerate(pages, start=1):
        assert RESEARCH_USE_NOTICE in page
        assert f"page {number} of {len(pages)}" in page


def test_all_that_the_page_of_html_says_is_there(real: Analysis, analysis: Analysis):
    everything = " ".join(texts(real))
    letters = re.sub(r"[^a-z]", "", everything)  # a hyphen at the end of a line is read as a sign of its own
    for key, statistic in real.report.feature_statistics.items():
        assert key.replace("-", "") in letters
        assert statistic.unit in everything
    for words in (
        "Estimates",
        "95 % limits",
        "with scale",
        "Morphological findings",
        "ring trophozoite",
        "Conditions to consider",
        "B50",
        "To be reviewed by a qualified person",
        "Report text",
        "SPECIMEN AND ADEQUACY",
        "Pictures",
        "Density of red cells",
        "Not assessed",
        "Quality checks",
        "Fields",
        "Provenance",
        "µm",
        ESTIMATED_SCALE.split(":")[0],
        "not reviewed by a qualified haematologist",
    ):
        assert words in everything, words
    for model in real.provenance["models"].values():
        assert model["sha256"] in everything
    assert "4330 to 6470" in " ".join(texts(analysis))
    assert "Files left out" in " ".join(texts(analysis))


def test_pictures_of_the_fields_are_in_it(real: Analysis):
    document = pypdfium2.PdfDocument(export.render(real, "pdf"))
    images = [one for page in document for one in page.get_objects() if one.type == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]
    sizes = [one.get_px_size() for one in images]
    assert sizes == [real.picture(0).size, real.picture(1).size, sizes[2]]
    drawn = np.asarray(images[0].get_bitmap().to_pil().convert("RGB")).astype(int)
    assert np.abs(drawn - np.asarray(real.picture(0))).mean() < 3


def test_nothing_reaches_beyond_the_margins(real: Analysis, checked_analysis: Analysis, hostile_analysis: Analysis):
    for one in (real, checked_analysis, hostile_analysis):
        for page in pypdfium2.PdfDocument(export.render(one, "pdf")):
            ink = np.asarray(page.render(scale=1).to_pil().convert("L")) < 250
            assert ink.any()
            rows, columns = np.nonzero(ink)
            assert columns.min() >= 44
            assert columns.max() <= ink.shape[1] - 44
            assert rows.min() > 20
            assert rows.max() < ink.shape[0] - 15


def test_quality_warnings_stand_before_the_estimates(checked_analysis: Analysis):
    first = texts(checked_analysis)[0]
    assert first.index("Quality warnings") < first.index("too thick: 83 %") < first.index("Estimates")


def test_markup_is_text_and_nothing_runs(hostile_analysis: Analysis):
    content = export.render(hostile_analysis, "pdf")
    assert "".join(HOSTILE.split()) in "".join("".join(texts(hostile_analysis)).split())
    assert not re.search(rb"/(JavaScript|JS|Launch|URI|OpenAction|AA|EmbeddedFile)\b", content)


def test_any_name_can_be_printed(hostile_names: Analysis):
    document = pypdfium2.PdfDocument(export.render(hostile_names, "pdf"))
    assert document.get_metadata_value("Title").startswith("Peripheral blood smear: =2+2 <b>&")
    assert RESEARCH_USE_NOTICE in document.get_metadata_value("Subject")


def test_the_same_bytes_each_time(analysis: Analysis):
    assert export.render(analysis, "pdf") == export.render(analysis, "pdf")


def test_nothing_found_is_no_statement_about_disease(empty_analysis: Analysis):
    text = " ".join(texts(empty_analysis))
    assert "No candidate cell was found. Absence of a finding does not exclude disease." in text
    assert "negative" not in text.lower()


@pytest.mark.parametrize("fields", [1, 160])
def test_long_tables_go_on_and_say_what_was_left_out(analysis: Analysis, fields: int):
    one = analysis.smear.fields[0]
    small = replace(one, source=type(one.source)(one.read()[:30, :40]))
    many = Smear("many", tuple(replace(small, name=f"{number}.png") for number in range(fields)), {}, None)
    empty = replace(analysis, smear=many, detections=analysis.detections.select(np.zeros(5, bool)), quality={})
    text = " ".join(texts(empty))
    assert ("10 further rows are not printed." in text) == (fields == 160)
    assert ("152 further fields are not shown" in text) == (fields == 160)


def test_names_longer_than_a_page_are_shortened_and_say_so(analysis: Analysis):
    smear = analysis.smear
    fields = tuple(replace(one, name=f"{number}{'x' * 6000}") for number, one in enumerate(smear.fields))
    quality = {field.name: analysis.quality[one.name] for field, one in zip(fields, smear.fields, strict=True)}
    named = replace(analysis, smear=replace(smear, name="y" * 6000, fields=fields), quality=quality)
    assert "5501 more characters" in " ".join(texts(named)).replace("- ", "")


def test_what_fits_on_no_page_is_said():
    from reportlab.platypus import Table

    from hemato_lab.export.pdf_pages import bytes_of

    with pytest.raises(ConfigError, match="does not fit on a page"):
        bytes_of([Table([[""]], rowHeights=[5000])], "smear")
