import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hemato_lab.batch.engines import TRIES, local, make_engine
from hemato_lab.batch.engines.environment import is_private
from hemato_lab.batch.engines.local import LocalEngine
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.inputs import register
from hemato_lab.batch.model import Settings, Work, WorkResult
from hemato_lab.batch.work import carry_out
from hemato_lab.errors import BatchError, ConfigError
from tests.batch.counting import LOG, copied, deadly, noted
from tests.batch.making import phantom_entries, plain_entries

CLASSICAL = Settings(detector="classical")


@pytest.fixture(autouse=True)
def _log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOG, str(tmp_path / "log.txt"))


def works_of(entries: list[SmearEntry]) -> list[Work]:
    return [Work(one, tuple(file.file_id for file in register(one)), CLASSICAL) for one in entries]


def finish(engine: LocalEngine, works: list[Work]) -> dict[str, WorkResult]:
    for work in works:
        engine.submit((work,))
    results: list[WorkResult] = []
    while len(results) < len(works):
        results += engine.wait()
    return {one.smear_id: one for one in results}


def test_processes_carry_out_what_this_one_would(tmp_path: Path):
    works = works_of(phantom_entries(tmp_path / "fields", 4))
    engine = LocalEngine(2)
    try:
        results = finish(engine, works)
        assert len(engine.process_ids) == 2
        assert os.getpid() not in engine.process_ids
    finally:
        engine.close()
    assert results == {work.entry.smear_id: carry_out(work) for work in works}
    assert engine.process_ids == []


def test_a_worker_that_dies_is_replaced_and_its_work_done_again(tmp_path: Path):
    entries = plain_entries(tmp_path / "files", 6)
    entries[1] = replace(entries[1], tags={"deadly": "2"})
    entries[4] = replace(entries[4], tags={"deadly": "1000"})
    works = works_of(entries)
    engine = LocalEngine(2, deadly)
    try:
        results = finish(engine, works)
    finally:
        engine.close()
    assert results["smear 00001"] == replace(copied(works[1]), attempts=3)
    died = results["smear 00004"]
    assert (died.error_code, died.attempts, died.files) == ("worker-died", TRIES, {})
    assert "smear 00004" in died.error
    for number in (0, 2, 3, 5):
        assert results[f"smear {number:05}"] == copied(works[number])
    assert noted().count("smear 00004") == TRIES


def test_no_more_processes_are_started_than_there_is_work(tmp_path: Path):
    engine = LocalEngine(8, copied)
    try:
        finish(engine, works_of(plain_entries(tmp_path / "files", 1)))
        assert len(engine.process_ids) == 1
    finally:
        engine.close()


def test_closing_ends_work_in_its_midst(tmp_path: Path):
    engine = LocalEngine(1, copied)
    for work in works_of(plain_entries(tmp_path / "files", 200)):
        engine.submit((work,))
    engine.wait()
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 60
    assert len(noted()) < 200
    engine.close()


def test_workers_that_cannot_start_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local.sys, "executable", str(tmp_path / "no-python"))
    engine = LocalEngine(1, copied)
    engine.submit(tuple(works_of(plain_entries(tmp_path / "files", 1))))
    with pytest.raises(BatchError, match="end as soon as they start"):
        engine.wait()
    engine.close()


def test_what_workers_print_does_not_disturb(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    works = works_of(plain_entries(tmp_path / "files", 1))
    engine = LocalEngine(1, talkative)
    try:
        assert finish(engine, works)["smear 00000"].error_code == ""
    finally:
        engine.close()
    told = capfd.readouterr()
    assert "chatter" in told.err
    assert told.out == ""


def talkative(work: Work) -> WorkResult:
    print("chatter", flush=True)
    os.write(1, b"chatter")
    sys.stdout.flush()
    return copied(work)


@pytest.mark.parametrize(
    "engine", ["", "remote", "local:", "local:0", "local:3-2", "local:99999", "local:2-", "tcp:", "tcp://", "://x"]
)
def test_what_is_no_engine_is_refused(engine: str):
    with pytest.raises(ConfigError, match=r"no Dask cluster.*local:8"):
        make_engine(engine, workers=1)


@pytest.mark.parametrize("numbers", [{"workers": 0}, {"workers": -1}, {"workers": 1, "per_task": 0}])
def test_impossible_numbers_are_refused(numbers: dict[str, int]):
    with pytest.raises(ConfigError, match="impossible"):
        make_engine("local", **numbers)


def test_engines_have_names():
    assert make_engine("local", workers=3).capacity == 3
    assert make_engine("local:3", workers=1, per_task=4).per_task == 4
    assert make_engine("local:2-5", workers=1).capacity == 5
    assert make_engine("tls://somewhere:8786", workers=1).capacity == 1


def test_no_credentials_reach_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tripwires = [f"HEMATO_LAB_{what}" for what in ("TOKEN", "KEY", "ISSUER", "USER_ID", "KID", "BASE_URL")]
    for name in (*tripwires, "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "tripwire")
    engine = LocalEngine(1, environment)
    try:
        result = finish(engine, works_of(plain_entries(tmp_path / "files", 1)))["smear 00000"]
    finally:
        engine.close()
    seen = json.loads(result.error)
    assert seen["OMP_NUM_THREADS"] == "1"
    assert LOG in seen
    assert "tripwire" not in seen.values()
    assert not any(map(is_private, seen))


def environment(work: Work) -> WorkResult:
    return WorkResult(work.entry.smear_id, error_code="seen", error=json.dumps(dict(os.environ)))


def test_work_that_a_worker_cannot_load_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "known_here_alone.py").write_text("def task(work):\n    pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import known_here_alone  # type: ignore[import-not-found]

    engine = LocalEngine(1, known_here_alone.task)
    for work in works_of(plain_entries(tmp_path / "files", 1)):
        engine.submit((work,))
    found: list[WorkResult] = []
    waiting = threading.Thread(target=lambda: found.extend(engine.wait()), daemon=True)
    waiting.start()
    waiting.join(60)
    engine.close()
    assert [(one.error_code, one.attempts) for one in found] == [("worker-died", TRIES)]
