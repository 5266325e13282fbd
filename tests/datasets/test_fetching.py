from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hemato_lab import datasets
from hemato_lab.errors import ConfigError, DatasetError
from hemato_lab.evaluation.dataset import CropSet

if TYPE_CHECKING:
    from pathlib import Path


def test_the_environment_comes_first(tiny: str, copied: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / tiny).mkdir(parents=True)
    monkeypatch.setenv("HEMATO_LAB_DATASETS", str(copied))
    assert datasets.fetch(tiny) == copied / tiny


def test_the_cache_comes_next(tiny: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / tiny).mkdir(parents=True)
    assert datasets.fetch(tiny) == cache / tiny
    monkeypatch.setenv("HEMATO_LAB_DATASETS", str(tmp_path))  # a folder, but without this set
    assert datasets.fetch(tiny) == cache / tiny


def test_a_given_folder_takes_the_place_of_both(
    tiny: str, copied: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / tiny).mkdir(parents=True)
    monkeypatch.setenv("HEMATO_LAB_DATASETS", str(tmp_path / "nowhere"))
    assert datasets.fetch(tiny, folder=copied) == copied / tiny
    with pytest.raises(DatasetError, match=f"is not in {tmp_path / 'else' / tiny},"):
        datasets.fetch(tiny, folder=tmp_path / "else")


def test_an_environment_that_names_no_folder_is_not_passed_over(
    tiny: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / tiny).mkdir(parents=True)
    monkeypatch.setenv("HEMATO_LAB_DATASETS", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"nowhere: HEMATO_LAB_DATASETS names no folder"):
        datasets.fetch(tiny)
    monkeypatch.setenv("HEMATO_LAB_DATASETS", "")
    assert datasets.fetch(tiny) == cache / tiny


def test_what_is_found_is_loaded(tiny: str, copied: Path) -> None:
    loaded = datasets.load(tiny, folder=copied)
    assert isinstance(loaded, CropSet)
    assert loaded.labels == ("parasitised RBC", "uninfected RBC")
    assert [crop.path.read_bytes() for crop in loaded.in_split("train")] == [b"first"]


def test_a_set_that_is_nowhere_says_where_it_comes_from_and_what_to_do(
    tiny: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEMATO_LAB_DATASETS", str(tmp_path))
    with pytest.raises(DatasetError) as caught:
        datasets.fetch(tiny)
    text = str(caught.value)
    assert caught.value.subject == tiny
    for needed in (
        f"is not in {tmp_path / tiny} or {cache / tiny}",
        "no address is known",
        "its images may differ",
        "https://example.org/tiny, licence CC0",
        "$HEMATO_LAB_DATASETS/tiny_cells",
        "hemato_lab.datasets.verify",
        "mirror",
    ):
        assert needed in text
    assert not cache.exists()


@pytest.mark.parametrize("name", datasets.names())
def test_no_real_set_is_downloaded_from_its_source(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=name) as caught:  # and tests/conftest.py sees that nothing is asked for
        datasets.fetch(name, folder=tmp_path)
    assert datasets.describe(name).source in str(caught.value)
