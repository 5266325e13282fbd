import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.batch.folders import is_results_folder, safe_name, smear_folder

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(ids)
def test_the_name_of_a_folder_is_safe_on_every_file_system(smear_id: str) -> None:
    name = safe_name(smear_id)
    assert re.fullmatch(r"[A-Za-z0-9_.]+-[0-9a-f]{16}", name)
    assert len(name) <= 80
    assert not name.startswith(".")
    assert smear_folder(Path("out"), smear_id).parent == Path("out/smears")


@given(ids, ids)
def test_two_smears_never_share_a_folder(one: str, other: str) -> None:
    assert (safe_name(one).casefold() == safe_name(other).casefold()) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("slide", "SLIDE"), ("a/b", "a_b"), ("a b", "a  b"), ("x" * 100, "x" * 101), ("é", "è"), ("é", "e\u0301")],
)
def test_ids_that_look_alike_have_folders_of_their_own(one: str, other: str) -> None:
    assert safe_name(one).casefold() != safe_name(other).casefold()


def test_a_name_can_be_read() -> None:
    assert safe_name("patient 7/slide-2.svs").startswith("patient_7_slide_2.svs-")
    assert safe_name("Übersicht").startswith("Ubersicht-")
    assert safe_name("血").startswith("smear-")


def test_a_folder_of_results_is_known_by_its_journal_or_report(tmp_path: Path) -> None:
    assert not is_results_folder(tmp_path)
    (tmp_path / "report.json").touch()
    assert not is_results_folder(tmp_path)
    (tmp_path / "cells.csv").touch()
    assert is_results_folder(tmp_path)
    (tmp_path / "report.json").rename(tmp_path / "comparison.json")
    assert is_results_folder(tmp_path)
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "journal.sqlite").touch()
    assert is_results_folder(tmp_path / "batch")
