"""Names of files whose bytes are not UTF-8, in answers and pages."""

from __future__ import annotations

import json
from dataclasses import replace

from hemato_lab.smear import Smear
from hemato_lab.widgets.smear_viewer import SmearViewer
from hemato_lab.widgets.texts import readable
from tests.analysed import plain_field

LATIN_1 = b"M\xfcller.tif".decode("utf-8", "surrogateescape")


def test_texts_anywhere_are_readable_and_all_else_stays() -> None:
    content = {"title": LATIN_1, "lines": [["file", LATIN_1], (1, None, 0.5, True)], "name": "Möller \N{MICROSCOPE}"}
    told = readable(content)
    assert told["title"] == "M\ufffdller.tif"
    assert told["lines"] == [["file", "M\ufffdller.tif"], [1, None, 0.5, True]]
    assert told["name"] == content["name"]


def test_a_smear_whose_name_is_not_utf8_is_shown_and_stored() -> None:
    field = replace(plain_field("one", 60, 40), name=LATIN_1)
    viewer = SmearViewer(Smear(LATIN_1, (field,)), remarks=[LATIN_1])
    hello = viewer.answer({"kind": "hello", "request": "1"}).content
    assert json.dumps(hello, ensure_ascii=False).encode("utf-8").count("M\ufffdller".encode()) == 3
    page = viewer.to_html(title=LATIN_1, remarks=[LATIN_1]).encode("utf-8")
    assert "M\ufffdller".encode() in page
    assert viewer.answer({"kind": "card", "request": LATIN_1, "row": 3}).content["text"].encode("utf-8")
