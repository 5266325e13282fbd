from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.export.characters import one_line, printable, storable


@given(st.text())
def test_text_survives_xml_and_utf_8(text: str):
    element = ET.Element("a")
    element.text = printable(text)
    read = ET.fromstring(ET.tostring(element, encoding="utf-8")).text or ""  # noqa: S314 (made a line above)
    assert read == printable(text).replace("\r\n", "\n").replace("\r", "\n")
    assert storable(text).encode("utf-8").decode("utf-8") == storable(text)
    assert one_line(text) == one_line(text).strip()
    assert "\n" not in one_line(text)


def test_harmless_text_stays_as_it_is():
    text = "µ ≥ 10 × 🩸 <&\"'>"
    assert printable(text) == storable(text) == one_line(text) == text
    assert storable("a\udc80") == "a\\udc80"
    assert printable("a\x00\x1b[31m\udc80") == "a\ufffd\ufffd[31m\ufffd"
