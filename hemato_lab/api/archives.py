"""Many files as a few ZIP archives, the same bytes each time, so that a resumed upload recognises them."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Final

from hemato_lab.api.files import UploadFile
from hemato_lab.formats.stored import file_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LARGEST_ARCHIVE: Final = 64 * 2**20
"""Bytes; an archive is in memory as a whole while it is sent."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def packed(files: Sequence[UploadFile], above_bytes: int) -> tuple[UploadFile, ...]:
    """Return the files as archives if together they are larger than `above_bytes`, else as they are.

    Images hardly get smaller: an archive saves requests, not bytes. What is an archive already stays as it is.
    """
    images = [file for file in files if not _is_archive(file)]
    if len(images) < 2 or sum(file.size for file in images) <= above_bytes:
        return tuple(files)
    others = [file for file in files if _is_archive(file)]
    groups = _groups(images)
    return (*(_archive(group, number) for number, group in enumerate(groups, start=1)), *others)


def _is_archive(file: UploadFile) -> bool:
    return file.suffix == ".zip"


def _groups(files: Iterable[UploadFile]) -> list[list[UploadFile]]:
    groups: list[list[UploadFile]] = []
    size = LARGEST_ARCHIVE
    for file in files:
        if size + file.size > LARGEST_ARCHIVE:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.size
    return groups


def _archive(files: Sequence[UploadFile], number: int) -> UploadFile:
    if len(files) == 1:
        return files[0]
    content = _zip(files)
    file_id = file_id_of(content)
    name = f"fields_{number:03}.zip"
    return UploadFile(name, ".zip", file_id, len(content), lambda: _zip(files), members=tuple(files))


def _zip(files: Sequence[UploadFile]) -> bytes:
    """Return a ZIP whose members are stored, dated alike, and named by their hash: names may tell of patients."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.file_id.rpartition("-")[2] + file.suffix, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.load())
    return stream.getvalue()
