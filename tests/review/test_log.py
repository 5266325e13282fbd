"""No decision is lost: not to a second process, a torn line, a full disk, or a kill."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hemato_lab.errors import DecisionLogError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.review import log as module
from hemato_lab.review.log import DecisionLog, log_bytes
from hemato_lab.review.log_places import default_path, study_id_of
from hemato_lab.review.standing import Hand, Standing
from tests.review.made_up import decision

STUDY = "11111111-2222-5333-8444-555555555555"
WRITER = """
import sys
from hemato_lab.review.log import DecisionLog
from hemato_lab.review.standing import Hand, Standing
from tests.review.made_up import decision
log = DecisionLog(sys.argv[1], sys.argv[2])
for number in range(int(sys.argv[3])):
    made = decision(reader=sys.argv[4])
    log.append([made])
    print(made.id, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "d.jsonl"


def writer(path: Path, decisions: int, reader: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), STUDY, str(decisions), reader]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])  # noqa: S603


def test_what_is_appended_is_there_in_order_for_whoever_opens_the_file(path):
    log = DecisionLog(path, STUDY)
    assert len(log) == 0
    assert not path.exists(), "a file is made when there is something to keep"
    made = [decision(x=float(x)) for x in range(5)]
    log.append(made[:2])
    log.append(made[2:])
    log.append([])
    assert log.decisions == tuple(made) == DecisionLog(path, STUDY).decisions
    assert log.damaged == ()
    assert log.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert RESEARCH_USE_NOTICE in path.read_text("ascii").splitlines()[0]
    assert [one.name for one in path.parent.iterdir()] == ["d.jsonl"], "no lock stays behind"


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_only_its_owner_may_read_it(path):
    DecisionLog(path, STUDY).append([decision()])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_logs_of_one_file_see_each_others_decisions(path):
    one, other = DecisionLog(path, STUDY), DecisionLog(path, STUDY)
    first, second = decision(), decision()
    one.append([first])
    assert other.refresh()
    assert not other.refresh()
    other.append([second])
    assert one.decisions == (first,)
    one.refresh()
    assert one.decisions == other.decisions == (first, second)


@pytest.mark.parametrize("cut", [1, 40, -1])
def test_a_line_that_was_cut_short_is_told_kept_and_written_after(path, cut):
    log = DecisionLog(path, STUDY)
    whole, torn = decision(), decision()
    log.append([whole, torn])
    content = path.read_bytes()
    end = content.rindex(b"\n", 0, -1) + 1
    kept = content[: end + cut] if cut > 0 else content[:-2]
    path.write_bytes(kept)

    again = DecisionLog(path, STUDY)
    assert again.decisions == (whole,)
    assert [one.number for one in again.damaged] == [3]
    new = decision()
    again.append([new])
    assert path.read_bytes().startswith(kept + b"\n"), "nothing is overwritten"
    assert again.decisions == (whole, new) == DecisionLog(path, STUDY).decisions
    assert [one.number for one in again.damaged] == [3]


@pytest.mark.parametrize("length", [1, 30, -1])
def test_a_head_that_was_cut_short_does_not_end_the_log(path, length):
    path.parent.mkdir()
    path.write_bytes(log_bytes([], STUDY)[:length])
    log = DecisionLog(path, STUDY)
    made = decision()
    log.append([made])
    assert DecisionLog(path, STUDY).decisions == log.decisions == (made,)


def test_a_damaged_line_in_the_middle_costs_no_other(path):
    made = [decision() for _ in range(3)]
    lines = log_bytes(made, STUDY).splitlines(keepends=True)
    lines[2] = b"\0" * 50 + b"\n"
    path.parent.mkdir()
    path.write_bytes(b"".join(lines) + b"[" * 100_000 + b"\n")
    log = DecisionLog(path, STUDY)
    assert log.decisions == (made[0], made[2])
    assert [one.number for one in log.damaged] == [3, 5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,dose\n", "no log"),
        (b"x", "no log"),
        (b'{"format":"other"}\n', "no log"),
        (b"\x89PNG\r\n\x1a\n", "no log"),
        (log_bytes([], "another study"), "other images"),
        (log_bytes([], STUDY).replace(b'"version":1', b'"version":2'), "another version"),
    ],
)
def test_a_file_that_is_no_log_of_this_smear_is_refused_and_stays(path, content, message):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DecisionLogError, match=message) as raised:
        DecisionLog(path, STUDY)
    assert raised.value.subject == str(path)
    assert message != "no log" or "--decisions" in raised.value.hint
    assert path.read_bytes() == content


def test_a_log_that_shrinks_or_vanishes_is_told(path):
    log = DecisionLog(path, STUDY)
    log.append([decision(), decision()])
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(DecisionLogError, match="shorter"):
        log.append([decision()])
    path.unlink()
    with pytest.raises(DecisionLogError, match="gone"):
        log.append([decision()])
    path.write_bytes(content)
    log.append([decision()])
    assert len(DecisionLog(path, STUDY)) == 3


def test_what_does_not_fit_on_the_disk_leaves_no_trace(path, monkeypatch):
    log = DecisionLog(path, STUDY)
    log.append([decision()])
    before = path.read_bytes()

    def half(file, content):
        os.pwrite(file, bytes(content[:20]), os.fstat(file).st_size)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "write", half)
    with pytest.raises(DecisionLogError, match="No space left") as raised:
        log.append([decision(), decision()])
    assert "decisions=" in raised.value.hint
    assert path.read_bytes() == before
    assert len(log) == 1


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(DecisionLogError, match="cannot be read"):
        DecisionLog(tmp_path, STUDY)
    blocked = tmp_path / "file"
    blocked.write_text("", "ascii")
    with pytest.raises(DecisionLogError, match="cannot be"):
        DecisionLog(blocked / "d.jsonl", STUDY).append([decision()])


def test_another_process_that_keeps_the_log_is_told_after_a_while(path, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    log = DecisionLog(path, STUDY)
    with log._alone(), pytest.raises(DecisionLogError, match="another process"):
        DecisionLog(path, STUDY).append([decision()])
    log.append([decision()])


def test_threads_lose_nothing(path):
    log = DecisionLog(path, STUDY)
    threads = [threading.Thread(target=lambda: [log.append([decision()]) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log) == len(DecisionLog(path, STUDY)) == 40


def test_processes_that_write_at_a_time_and_one_that_is_killed_lose_nothing(path):
    """What a writer was told to be kept is there, though it dies by SIGKILL among others that write."""
    steady, killed = writer(path, 10, "steady"), writer(path, 10_000, "killed")
    acknowledged = [killed.stdout.readline().strip() for _ in range(5)]
    killed.kill()
    acknowledged += killed.communicate()[0].split()
    acknowledged += steady.communicate()[0].split()
    assert killed.returncode != 0
    assert steady.returncode == 0
    log = DecisionLog(path, STUDY)
    kept = {one.id for one in log.decisions}
    whole = {one for one in acknowledged if len(one) == 32}
    assert len(whole) >= 15
    assert whole <= kept
    log.append([decision()])
    assert len(DecisionLog(path, STUDY)) == len(kept) + 1


def test_decisions_of_another_log_are_taken_in_once(path, tmp_path):
    log = DecisionLog(path, STUDY)
    mine, theirs = decision(), [decision(), decision()]
    log.append([mine])
    file = tmp_path / "mailed.jsonl"
    file.write_bytes(log_bytes([mine, *theirs], STUDY))
    assert log.take_in(file) == 2
    assert log.take_in(file.read_bytes()) == 0
    assert log.decisions == (mine, *theirs) == DecisionLog(path, STUDY).decisions
    for content, message in ((log_bytes(theirs, "other"), "other images"), (b"", "no log")):
        with pytest.raises(DecisionLogError, match=message):
            log.take_in(content)
    with pytest.raises(DecisionLogError, match="cannot be read"):
        log.take_in(tmp_path / "absent.jsonl")


def test_the_default_place_is_the_users_own_and_named_by_the_images_alone(malaria, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    log = DecisionLog.of_smear(malaria.smear)
    assert log.study_id == study_id_of(malaria.smear)
    turned = replace(malaria.smear, fields=malaria.smear.fields[::-1])
    assert study_id_of(turned) == log.study_id != study_id_of(replace(turned, fields=turned.fields[1:]))
    assert log.path == default_path(log.study_id)
    assert log.path.name == f"{log.study_id}.jsonl"
    if sys.platform == "linux":
        assert log.path.is_relative_to(tmp_path)
    assert repr(log) == f"DecisionLog({str(log.path)!r}, 0 decisions)"


def test_at_every_cut_of_the_last_line_nothing_whole_is_lost_and_undo_takes_back_the_last(path):
    log, hand = DecisionLog(path, STUDY), Hand("", blind=False)
    first, last = decision(), decision(x=90.0)
    log.append([first])
    log.append([last])
    content = path.read_bytes()
    for length in range(content.rindex(b"\n", 0, -1) + 1, len(content) + 1):
        path.write_bytes(content[:length])
        cut = DecisionLog(path, STUDY)
        whole = (first, last) if length >= len(content) - 1 else (first,)
        assert cut.decisions == whole
        is_torn = content[:length].rindex(b"\n") + 1 < length < len(content) - 1
        assert len(cut.damaged) == is_torn
        assert cut.sha256 == hashlib.sha256(content[:length]).hexdigest()
        cut.append(Standing(cut.decisions).undo(hand))
        again = DecisionLog(path, STUDY)
        assert again.decisions == cut.decisions
        assert Standing(again.decisions).held() == list(whole[:-1])
        assert again.damaged == cut.damaged
        assert path.read_bytes().startswith(content[:length])


def test_at_every_cut_of_the_head_the_log_goes_on(path):
    path.parent.mkdir()
    head = log_bytes([], STUDY)
    for length in range(len(head) + 1):
        path.write_bytes(head[:length])
        log = DecisionLog(path, STUDY, ["image"])
        made = decision()
        log.append([made])
        again = DecisionLog(path, STUDY)
        assert again.decisions == log.decisions == (made,)
        assert len(log.damaged) == len(again.damaged) == (0 < length < len(head) - 1)


def test_a_file_put_in_place_of_the_log_is_noticed(path, tmp_path):
    log = DecisionLog(path, STUDY)
    kept, others = decision(), [decision() for _ in range(3)]
    log.append([kept])
    before = path.read_bytes()
    replacement = tmp_path / "other.jsonl"
    replacement.write_bytes(log_bytes(others, STUDY))
    replacement.replace(path)
    for _ in range(2):
        with pytest.raises(DecisionLogError, match="replaced or changed by something else, and a decision is missing"):
            log.append([decision()])
    assert log.decisions == (kept,)
    path.write_bytes(before.replace(b"accept", b"reject") + log_bytes(others, STUDY))
    replacement.write_bytes(log_bytes([*others, kept], STUDY))
    replacement.replace(path)
    assert log.refresh()
    assert log.rereads == 1
    assert log.decisions == (*others, kept)
    assert not log.refresh()
    replacement.write_bytes(path.read_bytes())
    replacement.replace(path)
    assert not log.refresh()
    assert log.rereads == 1


def test_a_log_shares_an_image_or_is_refused(path):
    mine = decision(file_id="one")
    DecisionLog(path, "study", ["one", "two"]).append([mine])
    assert DecisionLog(path, "other", ["two", "three"]).decisions == (mine,)
    with pytest.raises(DecisionLogError, match="other images"):
        DecisionLog(path, "other", ["three"])
    path.write_bytes(log_bytes([mine], "study"))
    assert DecisionLog(path, "other", ["one", "three"]).decisions == (mine,), "a head need not list images"
    with pytest.raises(DecisionLogError, match="other images"):
        DecisionLog(path, "other", ["two"])


def test_of_several_logs_that_share_images_the_one_that_was_taken_is_told(malaria, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    first, *more = (one.file_id for one in malaria.smear.fields)
    for study, file_ids in (("a", [first]), ("b", [first, *more])):
        DecisionLog(default_path(study), study, file_ids).append([decision(file_id=first)])
    log = DecisionLog.of_smear(malaria.smear)
    assert (log.path, len(log)) == (default_path("b"), 1)
    assert "b.jsonl" in log.remark.split(";")[0]
    assert "a.jsonl" in log.remark.split(";")[1]


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_an_empty_file_becomes_the_owners_alone_and_one_with_decisions_stays_shared(path):
    path.parent.mkdir()
    path.touch(0o644)
    log = DecisionLog(path, STUDY)
    log.append([decision()])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    log.append([decision()])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize(("version", "hint"), [(b"2", "update"), (b"0", "restore"), (b'"x"', "restore")])
def test_the_hint_about_another_version_knows_the_direction(path, version, hint):
    path.parent.mkdir()
    path.write_bytes(log_bytes([], STUDY).replace(b'"version":1', b'"version":' + version))
    with pytest.raises(DecisionLogError, match="another version") as raised:
        DecisionLog(path, STUDY)
    assert hint in raised.value.hint


def test_what_could_not_be_read_of_a_log_that_was_taken_in_is_told(path):
    log, made = DecisionLog(path, STUDY), [decision(), decision()]
    assert log.take_in(log_bytes(made, STUDY)[:-40] + b"\n{garbage\n") == 1
    assert [one.number for one in log.left_out] == [3, 4]
    assert log.damaged == ()
