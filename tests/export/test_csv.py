from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.export.csv import harmless, original

STARTS = "=+-@\t\r"


@pytest.mark.parametrize("start", STARTS)
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(start: str):
    assert harmless(f"{start}1+1") == f"'{start}1+1"
    assert harmless(f"a{start}1") == f"a{start}1"
    assert harmless("'RBC") == "'RBC"


@given(st.text(alphabet=f"{STARTS}'ab\n", max_size=8) | st.text(max_size=8))
def test_every_text_comes_back(text: str):
    assert original(harmless(text)) == text
    assert not harmless(text).startswith(tuple(STARTS))
