from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from hemato_lab.batch import writing
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import CELLS_FILE, JOURNAL_FILE, REPORT_FILE, SMEARS_FOLDER, smear_folder
from hemato_lab.batch.journal import Journal
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


def test_workers_do_not_learn_who_the_patient_is(entries: list[SmearEntry], out: Path):
    seen: list[SmearEntry] = []

    def task(work: Work) -> WorkResult:
        seen.append(work.entry)
        return copied(work)

    known = replace(entries[0], tags={"stain": "giemsa"}, um_per_px=0.1)
    entry = replace(known, patient="Jane Doe", remote_study_id="study", reference="/there")
    result = run_batch([entry], out, engine=Inline(task))
    assert seen == [known]
    assert result.outcomes[0].entry == entry


def test_what_results_rest_on_is_noted_as_a_digest(entries: list[SmearEntry], out: Path):
    run_batch([replace(entries[0], tags={"name": "Jane Doe"})], out, engine=Inline())
    with Journal(out / JOURNAL_FILE) as journal:
        (record,) = journal.records("local").values()
    assert "Jane Doe" not in record.basis


def test_files_that_a_kill_left_do_not_outlive_a_failure(entries: list[SmearEntry], out: Path):
    def killed(work: Work) -> WorkResult:
        writing.write_file(smear_folder(out, work.entry.smear_id) / REPORT_FILE, b"written before the kill")
        raise _Killed

    with pytest.raises(_Killed):
        run_batch(entries[:1], out, engine=Inline(killed))
    Path(entries[0].paths[0]).unlink()
    result = run_batch(entries[:1], out, engine=Inline())
    assert (states(result), result.outcomes[0].files) == ("f", {})
    assert not smear_folder(out, "smear 00000").exists()


class _Killed(BaseException):
    """Stands for the end of the process."""


class _Steps:
    """Kills a run before or after the so manieth change of the disk that it makes."""

    _CHANGES: Final = ((writing, "_remove"), (writing, "_replace"), (Journal, "note"), (Journal, "register"))

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lives: int) -> None:
        self.lives = lives
        for place, name in self._CHANGES:
            monkeypatch.setattr(place, name, self._counted(getattr(place, name)))

    def _counted(self, real: Any) -> Any:
        def step(*arguments: Any, **options: Any) -> Any:
            self._live()
            result = real(*arguments, **options)
            self._live()
            return result

        return step

    def _live(self) -> None:
        if not self.lives:
            raise _Killed
        self.lives -= 1


_MOST_STEPS: Final = 40


def _scaled(work: Work) -> WorkResult:
    """Results that follow from the scale too."""
    result = copied(work)
    told = f"{work.entry.um_per_px}".encode()
    return replace(result, files={name: content + told for name, content in result.files.items()})


def _was_killed(monkeypatch: pytest.MonkeyPatch, lives: int, entry: SmearEntry, out: Path, **options: Any) -> bool:
    with monkeypatch.context() as patched:
        _Steps(patched, lives)
        try:
            run_batch([entry], out, engine=Inline(_scaled), **options)
        except _Killed:
            return True
    return False


def test_a_kill_at_any_step_leaves_no_result_of_something_else(
    entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = Path(entries[0].paths[0])
    content = path.read_bytes()
    one, other = (replace(entries[0], um_per_px=scale) for scale in (0.1, 0.2))
    kills = 0
    for lives in range(_MOST_STEPS):
        out = tmp_path / f"out{lives}"
        run_batch([one], out, engine=Inline(_scaled))
        kills += _was_killed(monkeypatch, lives, other, out)
        path.unlink()
        result = run_batch([other], out, engine=Inline(_scaled))
        assert states(result) == "f"
        left = tree(smear_folder(out, other.smear_id))
        assert set(left) == set(result.outcomes[0].files)
        assert all(one.endswith(b"0.2") for one in left.values())
        path.write_bytes(content)
        assert states(run_batch([other], out, engine=Inline(_scaled), retry_failed=True)) == "d"
    assert 10 < kills < _MOST_STEPS


def test_a_kill_at_any_step_of_a_retry_is_made_good_by_the_same_retry(
    entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    entry, path = entries[0], Path(entries[0].paths[0])
    content = path.read_bytes()
    path.write_bytes(b"other")
    run_batch([entry], tmp_path / "undisturbed", engine=Inline(_scaled))
    kills = 0
    for lives in range(_MOST_STEPS):
        out = tmp_path / f"out{lives}"
        path.write_bytes(content)
        run_batch([entry], out, engine=Inline(_scaled))
        path.write_bytes(b"other")
        assert states(run_batch([entry], out, engine=Inline(_scaled))) == "f"
        kills += _was_killed(monkeypatch, lives, entry, out, retry_failed=True)
        path.write_bytes(b"other")  # the same once more, as a copy would be
        assert states(run_batch([entry], out, engine=Inline(_scaled), retry_failed=True)) == "d"
        assert tree(out / SMEARS_FOLDER) == tree(tmp_path / "undisturbed" / SMEARS_FOLDER)
    assert 10 < kills < _MOST_STEPS
