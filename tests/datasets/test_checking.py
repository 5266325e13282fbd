from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from hemato_lab import datasets
from hemato_lab.datasets.checking import file_sha256
from hemato_lab.errors import DatasetError

from .conftest import CROP

if TYPE_CHECKING:
    from pathlib import Path


def test_a_whole_set_passes(tiny: str, packaged: Path) -> None:
    (packaged / "README.md").write_text("not pinned, not looked at", encoding="utf-8")
    found = datasets.verify(tiny, packaged)
    assert found.passed
    assert (found.intact, found.missing, found.different) == (3, (), ())
    assert str(found) == f"tiny_cells in {packaged}: 3 files intact, 0 missing, 0 different"


def test_missing_and_different_files_are_named(tiny: str, packaged: Path) -> None:
    (packaged / CROP).unlink()
    (packaged / "labels.csv").write_bytes(b"other")
    found = datasets.verify(tiny, packaged)
    assert not found.passed
    assert (found.intact, found.missing, found.different) == (1, (CROP,), ("labels.csv",))


def test_one_bit_is_seen(tiny: str, packaged: Path) -> None:
    (packaged / CROP).write_bytes(b"girst")  # f is 0x66, g is 0x67
    assert datasets.verify(tiny, packaged).different == (CROP,)


def test_a_folder_that_is_not_there_is_an_error(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere: does not exist.*give the folder of tiny_cells"):
        datasets.verify(tiny, tmp_path / "nowhere")


def test_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        file_sha256(tmp_path)
