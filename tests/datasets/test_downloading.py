from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import stamina

from hemato_lab import datasets
from hemato_lab.datasets import downloading
from hemato_lab.errors import ConfigError, DatasetError, IntegrityError, MissingDependencyError

from .conftest import CROP, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LABELS = "labels.csv"


@pytest.fixture(autouse=True)
def quick_attempts() -> Iterator[None]:
    """As many attempts as ever, without waiting between them."""
    pytest.importorskip("pooch", reason='downloads need pooch: pip install "hemato-lab[datasets]"')
    with stamina.set_testing(True, attempts=downloading.ATTEMPTS, cap=True):
        yield


def test_a_download_is_the_packaged_set(tiny: str, server: Server, cache: Path) -> None:
    folder = datasets.fetch(tiny, mirror=server.address)
    assert folder == cache / tiny
    assert datasets.verify(tiny, folder).passed
    assert [path.name for path in cache.iterdir()] == [tiny]
    assert datasets.load(tiny) == datasets.load(tiny, mirror=server.address)
    assert len(server.asked) == 3  # once a file: what is in the cache is not asked for again


def test_a_given_folder_takes_the_download(tiny: str, server: Server, cache: Path, tmp_path: Path) -> None:
    folder = datasets.fetch(tiny, folder=tmp_path / "here", mirror=server.address.rstrip("/"))
    assert folder == tmp_path / "here" / tiny
    assert datasets.verify(tiny, folder).passed
    assert not cache.exists()


def test_what_is_on_this_machine_is_not_downloaded(tiny: str, server: Server, copied: Path) -> None:
    assert datasets.fetch(tiny, folder=copied, mirror=server.address) == copied / tiny
    assert server.asked == []


def test_other_bytes_are_refused_and_nothing_is_kept(tiny: str, server: Server, cache: Path) -> None:
    server.path_of(CROP).write_bytes(b"re-encoded")
    with pytest.raises(IntegrityError, match=r"C1%20cell%20%237\.jpg.*the upstream file differs from the packaged one"):
        datasets.fetch(tiny, mirror=server.address)
    assert list(cache.iterdir()) == []


def test_a_file_that_the_server_lacks_ends_it(tiny: str, server: Server, cache: Path) -> None:
    server.path_of(CROP).unlink()
    with pytest.raises(DatasetError, match=r"tiny_cells/images/parasitised%20RBC/.*404"):
        datasets.fetch(tiny, mirror=server.address)
    assert list(cache.iterdir()) == []
    assert server.asked.count(CROP) == 1  # an answer is final


def test_a_broken_connection_is_tried_again(tiny: str, server: Server) -> None:
    server.broken[CROP] = downloading.ATTEMPTS - 1
    folder = datasets.fetch(tiny, mirror=server.address)
    assert datasets.verify(tiny, folder).passed
    assert server.asked.count(CROP) == downloading.ATTEMPTS


def test_an_interrupted_download_leaves_nothing_half(tiny: str, server: Server, cache: Path) -> None:
    server.broken[CROP] = downloading.ATTEMPTS
    with pytest.raises(DatasetError, match=r"cannot be downloaded.*try again"):
        datasets.fetch(tiny, mirror=server.address)
    assert list(cache.iterdir()) == []
    assert datasets.verify(tiny, datasets.fetch(tiny, mirror=server.address)).passed


def test_interrupting_by_hand_leaves_nothing_half(
    tiny: str, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(staging: Path, target: Path) -> None:
        assert (staging / LABELS).is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(downloading, "_put_in_place", interrupt)
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch(tiny, mirror=server.address)
    assert list(cache.iterdir()) == []


def test_another_process_that_was_first_is_not_disturbed(
    tiny: str, server: Server, cache: Path, packaged: Path
) -> None:
    theirs = cache / tiny
    theirs.mkdir(parents=True)
    (theirs / "mark").touch()
    assert downloading.download(tiny, server.address, cache) == theirs
    assert [path.name for path in theirs.iterdir()] == ["mark"]
    assert list(cache.iterdir()) == [theirs]


def test_a_server_that_is_away_is_named(tiny: str, cache: Path) -> None:
    with pytest.raises(DatasetError, match=r"http://127\.0\.0\.1:1/tiny_cells/labels\.csv: cannot be downloaded"):
        datasets.fetch(tiny, mirror="http://127.0.0.1:1")
    assert list(cache.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tiny: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"file/tiny_cells: cannot be stored"):
        datasets.fetch(tiny, folder=tmp_path / "file", mirror=server.address)


@pytest.mark.parametrize("mirror", ["", "ftp://a/b", "file:///etc", "served/sets", "https://", "http://[1/"])
def test_only_addresses_of_the_web_are_mirrors(tiny: str, cache: Path, mirror: str) -> None:
    with pytest.raises(ConfigError, match="is no"):
        datasets.fetch(tiny, mirror=mirror)
    assert not cache.exists()


def test_without_pooch_the_extra_is_named(
    tiny: str, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingDependencyError, match=r'tiny_cells: .*pooch.*"hemato-lab\[datasets\]"'):
        datasets.fetch(tiny, mirror=server.address)
    assert not cache.exists()


def test_progress_is_shown_when_asked_for(tiny: str, server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    datasets.fetch(tiny, mirror=server.address)
    assert capfd.readouterr() == ("", "")
    downloading.download(tiny, server.address, server.root / "second", progress=True)
    assert "3/3" in capfd.readouterr().err
