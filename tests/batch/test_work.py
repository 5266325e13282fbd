import copy
import json
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest

from hemato_lab.batch import work as module
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import CELLS_FILE, PICTURE_FILE, REPORT_FILE
from hemato_lab.batch.inputs import register
from hemato_lab.batch.model import Settings, Work
from hemato_lab.batch.work import carry_out, carry_out_all
from tests.batch.making import phantom_entries

CLASSICAL = Settings(detector="classical")


def work_on(entry: SmearEntry, settings: Settings = CLASSICAL) -> Work:
    return Work(entry, tuple(one.file_id for one in register(entry)), settings)


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[SmearEntry]:
    return phantom_entries(tmp_path_factory.mktemp("fields"), 3)


def test_a_smear_becomes_its_files(entries: list[SmearEntry]):
    both = SmearEntry("two fields", entries[0].paths + entries[1].paths, um_per_px=entries[0].um_per_px)
    work = work_on(both, replace(CLASSICAL, files=(PICTURE_FILE,)))
    result = carry_out(work)
    assert (result.error_code, result.error) == ("", "")
    assert list(result.files) == [REPORT_FILE, CELLS_FILE, PICTURE_FILE]
    report = json.loads(result.files[REPORT_FILE])
    assert report["file_ids"] == list(work.file_ids)
    assert result.files[CELLS_FILE].startswith(b"field_name,field,x,y,radius,name,score")
    assert b"field00001.png" in result.files[CELLS_FILE]


def test_it_is_a_function_of_its_argument(entries: list[SmearEntry]):
    works = tuple(map(work_on, entries))
    results = {one.smear_id: one for one in map(carry_out, copy.deepcopy(works[::-1]))}
    assert carry_out_all(works) == tuple(results[one.entry.smear_id] for one in works)


def test_the_scale_of_the_settings_is_for_smears_without_one(entries: list[SmearEntry]):
    stated = entries[0]
    unstated = replace(stated, um_per_px=None)
    by_settings = replace(CLASSICAL, um_per_px=stated.um_per_px)
    assert carry_out(work_on(unstated, by_settings)) == carry_out(work_on(stated))
    assert carry_out(work_on(stated, replace(by_settings, um_per_px=0.3))) == carry_out(work_on(stated))


def test_changed_bytes_are_refused_before_anything_is_analysed(
    entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "one.png"
    path.write_bytes(Path(entries[0].paths[0]).read_bytes())
    work = work_on(replace(entries[0], paths=(str(path),)))
    path.write_bytes(Path(entries[1].paths[0]).read_bytes())
    monkeypatch.setattr("hemato_lab.pipeline.analyze", lambda *_, **__: pytest.fail("it was analysed"))
    result = carry_out(work)
    assert result.error_code == "integrity"
    assert not result.files


def test_bytes_that_change_while_they_are_opened_are_refused(
    entries: list[SmearEntry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from hemato_lab import formats

    path = tmp_path / "one.png"
    path.write_bytes(Path(entries[0].paths[0]).read_bytes())
    work = work_on(replace(entries[0], paths=(str(path),)))
    real = formats.open_smear

    def replaced(*arguments: object, **options: object) -> object:
        path.write_bytes(Path(entries[1].paths[0]).read_bytes())
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(formats, "open_smear", replaced)
    monkeypatch.setattr("hemato_lab.pipeline.analyze", lambda *_, **__: pytest.fail("it was analysed"))
    assert carry_out(work).error_code == "integrity"


@pytest.mark.parametrize(
    ("content", "code"), [(b"no image", "format-mismatch"), (b"", "unreadable"), (b"\xff\xd8\xff\xe0", "unreadable")]
)
def test_what_is_no_image_is_a_failure_in_the_result(tmp_path: Path, content: bytes, code: str):
    path = tmp_path / "one.jpg"
    path.write_bytes(content)
    result = carry_out(work_on(SmearEntry("a", (str(path),))))
    assert result.error_code == code
    assert "one.jpg" in result.error
    assert (result.files, result.log) == ({}, "")


def test_a_smear_without_a_scale_fails_with_the_reason(tmp_path: Path):
    path = tmp_path / "plain.png"
    PIL.Image.new("RGB", (64, 64), (230, 225, 235)).save(path)
    assert carry_out(work_on(SmearEntry("a", (str(path),)))).error_code == "scale-not-credible"


@pytest.mark.parametrize("error", [ZeroDivisionError("Jane Doe"), MemoryError("Jane Doe"), RecursionError()])
def test_a_mistake_of_ours_is_a_failure_whose_place_is_in_the_log(
    entries: list[SmearEntry], monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "_rendered", fail)
    result = carry_out(work_on(entries[0]))
    assert result.error_code == "internal"
    assert "Traceback" not in result.error
    assert type(error).__name__ in result.error
    assert "Traceback" in result.log
    assert "in fail" in result.log
    assert type(error).__name__ in result.log
    assert "Jane Doe" not in result.log + result.error


def test_the_log_names_the_errors_behind_an_error_without_their_words(entries: list[SmearEntry]):
    try:
        try:
            {}["Jane Doe"]
        except KeyError as behind:
            raise ValueError("of Jane Doe") from behind
    except ValueError as error:
        log = module.internal_failure(work_on(entries[0]), error).log
    assert log.index("KeyError") < log.index("ValueError")
    assert log.count("test_work.py") == 2
    assert "of Jane Doe" not in log.replace('raise ValueError("of Jane Doe")', "")


def test_a_worker_with_other_versions_refuses(entries: list[SmearEntry]):
    result = carry_out(replace(work_on(entries[0]), agreed="other"))
    assert result.error_code == "config"
    assert "other versions" in result.error
