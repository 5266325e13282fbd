from __future__ import annotations

import dataclasses
import gzip
from collections import Counter
from pathlib import Path

import pytest

from hemato_lab import datasets
from hemato_lab.datasets import records
from hemato_lab.datasets.records import PinnedFile, encode
from hemato_lab.errors import ConfigError, DatasetError
from hemato_lab.vocabulary import TERMS

NAMES = (
    "bccd",
    "chula_rbc12",
    "deepbionet",
    "iml_malaria",
    "mpidb_stages",
    "nih_malaria_cells",
    "pbc_cells",
    "sickle_uganda",
    "taleqani_all",
    "txl_pbc_cells",
)
ANNOTATION_FILES = {"detection": "annotations.json", "crops": "labels.csv"}


def test_the_sets_are_these() -> None:
    assert datasets.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_record_says_what_there_is(name: str) -> None:
    record = datasets.describe(name)
    assert record.name == name
    for field in dataclasses.fields(record):
        assert getattr(record, field.name), field.name
    assert record.kind in ANNOTATION_FILES
    assert record.image_bytes in {"original", "re-encoded", "unknown"}
    assert record.source.startswith("https://github.com/")
    assert set(record.labels) <= set(TERMS)
    assert set(record.images) <= {"train", "val", "test"}


def test_a_record_does_not_change() -> None:
    record = datasets.describe("bccd")
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.licence = "mine"  # type: ignore[misc]
    with pytest.raises(TypeError):
        record.images["train"] = 1  # type: ignore[index]


@pytest.mark.parametrize("name", NAMES)
def test_pinned_files_agree_with_the_record(name: str) -> None:
    record = datasets.describe(name)
    first, *images = datasets.pinned_files(name)
    assert (first.file, first.split, first.group) == (ANNOTATION_FILES[record.kind], "", "")
    assert Counter(each.split for each in images) == record.images
    assert all(each.file.startswith("images/") and ".." not in each.file and each.group for each in images)


@pytest.mark.parametrize("name", NAMES)
def test_no_group_lies_in_two_splits(name: str) -> None:
    splits: dict[str, set[str]] = {}
    for each in datasets.pinned_files(name):
        splits.setdefault(each.group, set()).add(each.split)
    assert all(len(found) == 1 for found in splits.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_list_is_made_again_to_the_same_bytes(name: str) -> None:
    stored = (records._PINNED / f"{name}.csv.gz").read_bytes()
    again = encode(datasets.pinned_files(name))
    assert gzip.decompress(again) == gzip.decompress(stored)  # compressed bytes depend on the version of zlib
    assert again == encode(datasets.pinned_files(name))


def test_the_lists_stay_small() -> None:
    assert sum(path.stat().st_size for path in records._PINNED.iterdir()) < 600_000


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    for ask in (datasets.describe, datasets.pinned_files, datasets.fetch, datasets.load):
        with pytest.raises(ConfigError, match=r"'bcdd'.*bccd, chula_rbc12, .*, txl_pbc_cells"):
            ask("bcdd")
    with pytest.raises(ConfigError, match=r"'\.\./bccd'"):
        datasets.verify("../bccd", Path())


ROW = "images/a.jpg," + "0" * 64 + ",train,g\n"


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        gzip.compress(b"file,sha256,split,group\n" + ROW.encode())[:-9],
        gzip.compress(b"file,sha256\n" + ROW.encode()),
        gzip.compress(b"file,sha256,split,group\n"),
        gzip.compress(b"file,sha256,split,group\n" + 2 * ROW.encode()),
        gzip.compress(b"file,sha256,split,group\nimages/a.jpg,abc,train,g\n"),
        gzip.compress(b"file,sha256,split,group\nimages/a.jpg\n"),
        gzip.compress(b"file,sha256,split,place\n" + ROW.encode()),
        gzip.compress(b"\xff"),
        gzip.compress(b"")[:10] + b"\xff" * 20,
        gzip.compress(b""),
    ],
    ids=range(11),
)
def test_a_damaged_list_is_named(tiny: str, content: bytes) -> None:
    (records._PINNED / f"{tiny}.csv.gz").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{tiny}\.csv\.gz.*install hemato-lab again"):
        datasets.pinned_files(tiny)


@pytest.mark.parametrize(
    "content", [b"\xff", b"tiny = 1", b"[tiny]\nkind = 'crops'", b"[tiny]\nimages = {}\nlabels = {}"]
)
def test_damaged_records_are_named(tiny: str, content: bytes) -> None:
    (records._PINNED / "records.toml").write_bytes(content)
    with pytest.raises(DatasetError, match=r"records\.toml.*install hemato-lab again"):
        datasets.names()


def test_encoding_keeps_names_with_commas_and_quotes() -> None:
    file = PinnedFile('images/a,"b".jpg', "0" * 64, "train", "slide 1")
    assert (
        gzip.decompress(encode([file])).decode().splitlines()[1] == f'"images/a,""b"".jpg",{file.sha256},train,slide 1'
    )
