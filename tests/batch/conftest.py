"""What tests of batches share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hemato_lab.batch import running
from tests.batch import counting
from tests.batch.making import plain_entries

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.batch.entries import SmearEntry


@pytest.fixture
def only_the_engine_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is analysed, so neither models nor rules have to be looked at, and nobody has to wait."""
    monkeypatch.setattr(running, "pinned", lambda settings: {"detector": settings.detector})
    monkeypatch.setattr(running, "digest", lambda _: "")
    monkeypatch.setattr(counting, "PAUSE_S", 0.0)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def entries(tmp_path: Path) -> list[SmearEntry]:
    """Six small files that stand for smears."""
    return plain_entries(tmp_path / "files", 6)
