"""What tests of the widgets share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import hemato_lab as hl
from hemato_lab.resources import shipped

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


@pytest.fixture(scope="session")
def sampled() -> Analysis:
    """One real field, analysed without networks."""
    return hl.analyze(shipped("sample_data") / "malaria" / "images" / "field_01.jpg", detector="classical")
