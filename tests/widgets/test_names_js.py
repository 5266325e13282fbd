"""names.js: names that nothing hides, cuts in half or turns round."""

from __future__ import annotations

import pytest

from tests.widgets.javascript import run_javascript


def ends(name: str, longest: int) -> str:
    text: str = run_javascript(
        "endOfName from names", "return endOfName(given.name, given.most);", name=name, most=longest
    )
    return text


def test_a_long_name_is_cut_between_signs() -> None:
    assert ends("short.tif", 48) == "short.tif"
    assert ends("\N{MICROSCOPE}" * 60, 48) == "…" + "\N{MICROSCOPE}" * 47
    # Neither a skin colour nor an accent stands without what it belongs to.
    assert ends("ab\N{WAVING HAND SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-5}cd", 4) == "…cd"
    assert ends("abe\N{COMBINING ACUTE ACCENT}cd", 4) == "…cd"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("smear 1.tif", "smear 1.tif"),
        ("scan\u202egpj.exe", "scan[U+202E]gpj.exe"),
        ("a\u2066b\u200fc", "a[U+2066]b[U+200F]c"),
        ("\u05d3\u05dd.tif", "\u2068\u05d3\u05dd.tif\u2069"),
        ("M\udcfcller", "M\ufffdller"),
        ("\N{MICROSCOPE}", "\N{MICROSCOPE}"),
    ],
)
def test_a_name_is_shown_as_it_is(name: str, shown: str) -> None:
    found = run_javascript("shownName from names", "return shownName(given.name);", name=name)
    assert found == shown


def test_the_list_of_fields_shows_names_so() -> None:
    options = run_javascript(
        "ViewerBar from viewer_bar",
        """globalThis.document = { createElement: () => ({ style: {}, append() {}, addEventListener() {},
          setAttribute(name, value) { this[name] = value; },
          replaceChildren(...all) { this.options = all.map((one) => one.textContent); } }) };
        const bar = new ViewerBar({}); bar.setFields("a\u202eb", given.names);
        return [bar.title.textContent, bar.select.element.options];""",
        names=["x\u202ey", "\N{MICROSCOPE}" * 50],
    )
    assert options == ["a[U+202E]b", ["1 of 2: x[U+202E]y", "2 of 2: …" + "\N{MICROSCOPE}" * 47]]
