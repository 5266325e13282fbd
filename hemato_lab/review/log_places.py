"""Where the log of a smear lies when no file is given: in the user's own folder for data, found again by its images."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hemato_lab.report import local_study_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hemato_lab.smear import Smear

SUFFIX: Final = ".jsonl"


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A file for the decisions about a smear.

    Attributes
    ----------
    path : Path
    remark : str
        For people, where the file was made for other images too or is not the only one; else empty.
    """

    path: Path
    remark: str


@dataclass(frozen=True, slots=True, order=True)
class _Sharing:
    not_shared: int
    age: float
    path: Path


def study_id_of(smear: Smear) -> str:
    """Return the study id of a smear's images in any order."""
    return local_study_id(sorted(file_ids_of(smear)))


def file_ids_of(smear: Smear) -> frozenset[str]:
    """Return the ids of a smear's images."""
    return frozenset(one.file_id for one in smear.fields)


def default_path(study_id: str) -> Path:
    """Return where the log of a study lies in the user's own folder for data."""
    from platformdirs import user_data_path

    return user_data_path("hemato_lab") / "decisions" / f"{study_id}{SUFFIX}"


def default_place(smear: Smear) -> LogPlace:
    """Return the log of a smear's images; where there is none, that which shares most images with it, then the newest.

    Images that are added, left out or cannot be read do not part a smear from its decisions.
    """
    own, file_ids = default_path(study_id_of(smear)), file_ids_of(smear)
    sharing = sorted(_sharing(own.parent, file_ids))
    path = own if own.exists() or not sharing else sharing[0].path
    others = [one.path for one in sharing if one.path != path]
    said = []
    if path != own:
        shared = len(file_ids) - sharing[0].not_shared
        said.append(f"{path.name} holds decisions about {shared} of these {len(file_ids)} images and is used")
    if others:
        names = ", ".join(one.name for one in others)
        said.append(f"decisions about some of these images are also in {names} of the same folder and are not used")
    return LogPlace(path, "; ".join(said))


def _sharing(folder: Path, file_ids: frozenset[str]) -> Iterator[_Sharing]:
    # Ids are hashes: where one stands in a file, the file is about that image.
    wanted = [one.encode() for one in file_ids]
    for path in folder.glob(f"*{SUFFIX}"):
        content, changed = b"", 0.0
        with suppress(OSError):
            content, changed = path.read_bytes(), path.stat().st_mtime
        shared = sum(one in content for one in wanted)
        if shared:
            yield _Sharing(len(wanted) - shared, -changed, path)
