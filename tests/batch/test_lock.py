import subprocess
import sys
from pathlib import Path

import pytest

from hemato_lab.batch.folders import LOCK_FILE
from hemato_lab.batch.lock import only_batch_in
from hemato_lab.errors import LockedError


def test_a_folder_is_one_batchs_at_a_time(tmp_path: Path):
    with only_batch_in(tmp_path):
        with pytest.raises(LockedError, match=r"another batch works in this folder") as found, only_batch_in(tmp_path):
            pass
        assert found.value.subject == str(tmp_path)
    with only_batch_in(tmp_path):
        assert (tmp_path / LOCK_FILE).exists()
    assert not (tmp_path / LOCK_FILE).exists()


def test_the_lock_is_free_after_an_error(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), only_batch_in(tmp_path):
        raise ZeroDivisionError
    with only_batch_in(tmp_path):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path: Path):
    program = (
        "import sys, pathlib, time\n"
        "from hemato_lab.batch.lock import only_batch_in\n"
        "with only_batch_in(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(LockedError), only_batch_in(tmp_path):
            pass
        process.kill()
    with only_batch_in(tmp_path):
        pass
