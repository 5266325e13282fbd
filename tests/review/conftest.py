"""One analysed sample, a log for it, and decisions made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hemato_lab.formats import open_smear
from hemato_lab.pipeline import analyze
from hemato_lab.resources import shipped
from hemato_lab.review.log import DecisionLog

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.analysis import Analysis


@pytest.fixture(scope="session")
def malaria() -> Analysis:
    return analyze(open_smear(shipped("sample_data") / "malaria"))


@pytest.fixture
def log(malaria: Analysis, tmp_path: Path) -> DecisionLog:
    return DecisionLog.of_smear(malaria.smear, tmp_path / "decisions.jsonl")
