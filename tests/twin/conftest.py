"""What tests of the twin share: a database with an organisation, and studies in every state."""

from __future__ import annotations

import io
import time
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest

from hemato_lab.formats.stored import file_id_of
from hemato_lab.twin import accounts, jobs, studies
from hemato_lab.twin.database import open_database, transaction
from hemato_lab.twin.tokens import Bearer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = 1_750_000_000.0


def image_bytes(seed: int = 0, *, kind: str = "PNG", side: int = 8) -> bytes:
    """Return a small picture that no other seed has."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def organisation(connection: sqlite3.Connection) -> str:
    with transaction(connection):
        return accounts.add_organisation(connection, "lab.example.org", "A laboratory", NOW)


@pytest.fixture
def bearer(organisation: str) -> Bearer:
    return Bearer(organisation, "a-user", "user")


@pytest.fixture
def make_study(connection: sqlite3.Connection, bearer: Bearer) -> Callable[..., studies.Study]:
    """Make a study of an organisation, with so many files and, if wanted, its tasks."""

    def make(files: int = 0, *, tasks: tuple[str, ...] = (), **options: Any) -> studies.Study:
        study_id = str(uuid.uuid4())
        with transaction(connection):
            studies.create(
                connection, options.pop("bearer", bearer), study_id, now=NOW, tags=options.pop("tags", {}), **options
            )
            study = studies.study_by_id(connection, study_id)
            assert study is not None
            contents = [f"{study_id} {number}".encode() for number in range(files)]
            listed = [studies.StudyFile(file_id_of(one), "", "png", len(one)) for one in contents]
            studies.add_files(connection, study, listed)
            if tasks:
                studies.request_tasks(connection, study, tasks, "", NOW)
        found = studies.study_by_id(connection, study_id)
        assert found is not None
        return found

    return make


@pytest.fixture
def leased(connection: sqlite3.Connection, make_study: Callable[..., studies.Study]) -> jobs.Job:
    """A job that a worker has taken."""
    make_study(1, tasks=("pbs_v1",))
    with transaction(connection):
        job = jobs.lease(connection, "analyse", "a worker", time.time())
    assert job is not None
    return job
