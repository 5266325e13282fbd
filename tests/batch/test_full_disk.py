import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hemato_lab.batch.folders import JOURNAL_FILE, SMEARS_FOLDER, smear_folder
from hemato_lab.batch.journal import Journal
from hemato_lab.batch.running import run_batch
from hemato_lab.errors import StorageFullError
from tests.batch.inline import Inline
from tests.batch.making import plain_entries, tree

pytestmark = pytest.mark.usefixtures("only_the_engine_matters")

SIZE = 16 << 20
_FILLER = "filler"


@pytest.fixture(params=["ext4", "tmpfs"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of a few megabytes."""
    place, image = tmp_path / "disk", tmp_path / "image"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(place)]
    if request.param == "ext4":
        with image.open("wb") as stream:
            stream.truncate(SIZE)
        command = ["mount", "-o", "loop", str(image), str(place)]
        _run_or_skip(["mkfs.ext4", "-q", "-m", "0", str(image)])
    _run_or_skip(command)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: S603, S607


def _run_or_skip(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        pytest.skip(f"a file system of its own cannot be made here: {done.stderr.strip()}")


def leave_room(disk: Path, room: int) -> None:
    """Fill a disk until so many bytes are left."""
    with (disk / _FILLER).open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(disk).free)
    size = (disk / _FILLER).stat().st_size
    os.truncate(disk / _FILLER, max(0, size - room))


@pytest.mark.parametrize("room", [0, 8_000, 40_000, 100_000, 150_000, 250_000, 400_000, 600_000])
def test_a_full_disk_stops_the_run_and_nothing_is_lost(small_disk: Path, tmp_path: Path, room: int):
    entries = plain_entries(tmp_path / "files", 60)
    run_batch(entries, tmp_path / "undisturbed", engine=Inline())
    out = small_disk / "out"
    told: list[int] = []
    leave_room(small_disk, room)
    with pytest.raises(StorageFullError, match="no room"):
        run_batch(entries, out, engine=Inline(), progress=lambda _, done, __: told.append(done))
    assert not list(small_disk.rglob("*.part"))
    if told:
        with Journal(out / JOURNAL_FILE) as journal:
            records = journal.records("local")
        assert len(records) == told[-1]
        for smear_id, record in records.items():
            assert set(tree(smear_folder(out, smear_id))) == set(record.files)
    (small_disk / _FILLER).unlink()
    engine = Inline()
    assert run_batch(entries, out, engine=engine).count("done") == 60
    assert len(engine.carried_out) == 60 - len(told)
    assert tree(out / SMEARS_FOLDER) == tree(tmp_path / "undisturbed" / SMEARS_FOLDER)
