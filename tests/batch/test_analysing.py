from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import CELLS_FILE, REPORT_FILE, SMEARS_FOLDER, smear_folder
from hemato_lab.batch.model import Work, WorkResult
from hemato_lab.batch.running import run_batch
from tests.batch.counting import copied
from tests.batch.inline import Inline, failing, interrupted_after, states
from tests.batch.making import tree

pytestmark = pytest.mark.usefixtures("only_the_engine_matters")


def test_a_changed_file_fails_and_keeps_the_earlier_results(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline())
    before = tree(out / SMEARS_FOLDER)
    Path(entries[3].paths[0]).write_bytes(b"other")
    engine = Inline()
    result = run_batch(entries, out, engine=engine)
    assert states(result) == "dddfdd"
    assert result.failed[0].error_code == "input-changed"
    assert entries[3].paths[0] in result.failed[0].error
    assert set(result.failed[0].files) == {REPORT_FILE, CELLS_FILE}
    assert engine.carried_out == []
    assert tree(out / SMEARS_FOLDER) == before
    assert run_batch(entries, out, engine=engine) == result


def test_a_changed_file_is_good_again_when_it_is_restored(entries: list[SmearEntry], out: Path):
    first = run_batch(entries, out, engine=Inline())
    path = Path(entries[3].paths[0])
    content = path.read_bytes()
    path.unlink()
    assert states(run_batch(entries, out, engine=Inline())) == "dddfdd"
    path.write_bytes(content)
    engine = Inline()
    assert run_batch(entries, out, engine=engine) == first
    assert engine.carried_out == []


def test_a_changed_file_is_analysed_as_it_is_now_when_asked(entries: list[SmearEntry], out: Path, tmp_path: Path):
    run_batch(entries, out, engine=Inline())
    Path(entries[3].paths[0]).write_bytes(b"other")
    run_batch(entries, out, engine=Inline())
    engine = Inline()
    assert states(run_batch(entries, out, engine=engine, retry_failed=True)) == "dddddd"
    assert engine.carried_out == ["smear 00003"]
    run_batch(entries, tmp_path / "undisturbed", engine=Inline())
    assert tree(out / SMEARS_FOLDER) == tree(tmp_path / "undisturbed" / SMEARS_FOLDER)


def test_a_changed_file_is_not_taken_for_new_while_nobody_was_told(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline())
    Path(entries[3].paths[0]).write_bytes(b"other")
    engine = Inline()
    assert states(run_batch(entries, out, engine=engine, retry_failed=True)) == "dddfdd"
    assert engine.carried_out == []


def test_a_changed_file_is_refused_by_the_worker_when_it_happens_in_a_run(entries: list[SmearEntry], out: Path):
    def task(work: Work) -> WorkResult:
        Path(entries[0].paths[0]).write_bytes(b"other")
        return copied(work)

    result = run_batch(entries, out, engine=Inline(task))
    assert states(result) == "fddddd"
    assert result.failed[0].error_code == "integrity"


def test_a_changed_file_between_registration_and_a_kill_is_found(entries: list[SmearEntry], out: Path):
    with pytest.raises(KeyboardInterrupt):
        run_batch(entries, out, engine=Inline(capacity=1), progress=interrupted_after(1))
    Path(entries[0].paths[0]).write_bytes(b"other")
    result = run_batch(entries, out, engine=Inline())
    assert states(result) == "fddddd"
    assert result.failed[0].error_code == "input-changed"


def test_a_changed_file_of_a_smear_that_failed_otherwise_is_tried_as_it_is(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline(failing("smear 00003")))
    Path(entries[3].paths[0]).write_bytes(b"repaired")
    assert states(run_batch(entries, out, engine=Inline(), retry_failed=True)) == "dddddd"


def test_a_folder_that_was_moved_is_the_same_input(entries: list[SmearEntry], out: Path, tmp_path: Path):
    run_batch(entries, out, engine=Inline())
    (tmp_path / "files").rename(tmp_path / "moved")
    moved = [replace(one, paths=(one.paths[0].replace("files", "moved"),)) for one in entries]
    engine = Inline()
    assert states(run_batch(moved, out, engine=engine)) == "dddddd"
    assert engine.carried_out == []


@pytest.mark.parametrize(
    ("changed", "again"),
    [({"um_per_px": 0.1}, True), ({"tags": {"a": "b"}}, True), ({"patient": "p"}, False), ({"reference": "r"}, False)],
)
def test_an_entry_that_says_something_else_is_analysed_anew(
    entries: list[SmearEntry], out: Path, changed: dict[str, Any], *, again: bool
):
    run_batch(entries, out, engine=Inline())
    entries[2] = replace(entries[2], **changed)
    engine = Inline()
    result = run_batch(entries, out, engine=engine)
    assert engine.carried_out == (["smear 00002"] if again else [])
    assert result.outcomes[2].entry == entries[2]


def test_results_of_what_an_entry_said_before_are_removed(entries: list[SmearEntry], out: Path):
    run_batch(entries, out, engine=Inline())
    entries[2] = replace(entries[2], um_per_px=0.1)
    Path(entries[2].paths[0]).unlink()
    assert states(run_batch(entries, out, engine=Inline())) == "ddfddd"
    assert not smear_folder(out, "smear 00002").exists()
