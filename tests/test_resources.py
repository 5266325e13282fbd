from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hemato_lab import resources
from hemato_lab.errors import ConfigError
from hemato_lab.resources import shipped

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("name", "holds"), [("sample_data", "**/*.jpg"), ("models", "*")])
def test_what_ships_is_there(name: str, holds: str) -> None:
    folder = shipped(name)
    assert folder.is_absolute()
    assert folder.name == name
    assert any(folder.glob(holds))


def test_an_installed_wheel_is_asked_before_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "hemato_lab"
    beside, inside = tmp_path / "models", package / "_data" / "models"
    monkeypatch.setattr(resources, "_PACKAGE", package)
    beside.mkdir()
    assert shipped("models") == beside
    inside.mkdir(parents=True)
    assert shipped("models") == inside


def test_what_does_not_ship_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "hemato_lab")
    (tmp_path / "models").write_text("a file, no folder")
    with pytest.raises(ConfigError, match="has no models") as caught:
        shipped("models")
    assert "install" in caught.value.hint
