"""Whether a folder holds the packaged set, file by file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hemato_lab.datasets.records import pinned_files
from hemato_lab.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    name : str
        The set.
    folder : Path
        Where it was looked for.
    intact : int
        Files that are there with the pinned bytes.
    missing : tuple of str
        Pinned files that are not there, as paths below the folder.
    different : tuple of str
        Files that are there with other bytes than the pinned ones.
    """

    name: str
    folder: Path
    intact: int
    missing: tuple[str, ...]
    different: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every pinned file is there with its bytes."""
        return not self.missing and not self.different

    def __str__(self) -> str:
        return (
            f"{self.name} in {self.folder}: {self.intact} files intact, "
            f"{len(self.missing)} missing, {len(self.different)} different"
        )


def verify(name: str, folder: Path) -> Verification:
    """Compare the files of a set with the pinned SHA-256 of each.

    Files that are not pinned (a README, further images) are not looked at.

    Parameters
    ----------
    name : str
        One of `names`.
    folder : Path
        The folder of this one set.

    Raises
    ------
    ConfigError
        If no set has this name.
    DatasetError
        If the folder does not exist, or a file of it cannot be read.
    """
    pinned = pinned_files(name)
    if not folder.is_dir():
        raise DatasetError("does not exist or is no folder", subject=str(folder), hint=f"give the folder of {name}")
    missing = [each.file for each in pinned if not (folder / each.file).is_file()]
    absent = set(missing)
    present = [each for each in pinned if each.file not in absent]
    different = [each.file for each in present if file_sha256(folder / each.file) != each.sha256]
    return Verification(name, folder, len(present) - len(different), tuple(missing), tuple(different))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex; `DatasetError` if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"cannot be read: {error}", subject=str(path)) from error
