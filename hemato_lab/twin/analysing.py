"""A job's work: the images of a study through `hemato_lab.analyze`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.errors import IntegrityError
from hemato_lab.formats import open_smear
from hemato_lab.formats.listing import natural_order
from hemato_lab.pipeline import analyze

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hemato_lab.analysis import Analysis
    from hemato_lab.smear import Smear
    from hemato_lab.twin.studies import StudyFile

PARAMETERS: Final = ("detector", "model")
"""What a repeated analysis may do differently."""
_HARMLESS: Final = re.compile(r"[\w][\w .()+=@-]{0,119}")
_SUFFIXES: Final = {"jpeg": (".jpg", ".jpeg"), "png": (".png",)}


def analyse_images(
    files: Sequence[StudyFile],
    path_of: Callable[[str], Path],
    *,
    rbc_diameter_px: float | None,
    parameters: Mapping[str, Any],
    progress: Callable[[int, int], None],
) -> Analysis:
    """Analyse images in the order given, under the names that the user gave them.

    Parameters
    ----------
    path_of : callable
        Where the bytes of a file id are.
    rbc_diameter_px : float or None
        Becomes the scale (api/DECISIONS.md row 32); None has it read from the cells.
    parameters : mapping
        Some of `PARAMETERS`.
    progress : callable
        Told the tiles done and in all.

    Raises
    ------
    IntegrityError
        If an image changed since it was received.
    HematoError
        What `hemato_lab.analyze` raises.
    """
    with tempfile.TemporaryDirectory(prefix="hemato_lab_twin_") as folder:
        named = [Path(folder, name) for name in distinct_names(files)]
        for path, file in zip(named, files, strict=True):
            path.symlink_to(path_of(file.file_id))
        smear = open_smear(named, rbc_diameter_px=rbc_diameter_px, name="study")
        _refuse_changed(smear, dict(zip((path.name for path in named), files, strict=True)))
        return analyze(smear, progress=progress, **{key: parameters[key] for key in PARAMETERS if key in parameters})


def _refuse_changed(smear: Smear, expected: Mapping[str, StudyFile]) -> None:
    """Refuse bytes that are no longer those that were registered (RELIABILITY.md)."""
    for field in smear.fields:
        file_id = expected[field.name].file_id
        if field.file_id != file_id:
            problem = "the bytes of an image are no longer those that were received"
            raise IntegrityError(problem, subject=file_id, hint="upload it again, in a new study")


def distinct_names(files: Sequence[StudyFile]) -> list[str]:
    """Return a file name for each image: its own where that is harmless and no other's, else its number and hash.

    Their natural order is that of the files.
    """
    own = [_own_name(file) for file in files]
    folded = [name.casefold() for name in own]
    usable = all(own) and len(set(folded)) == len(own) and own == sorted(own, key=natural_order)
    if usable:
        return own
    width = len(str(len(files)))
    return [
        f"{number:0{width}}-{file.file_id.rpartition('-')[2][:16]}{_SUFFIXES[file.kind][0]}"
        for number, file in enumerate(files, start=1)
    ]


def _own_name(file: StudyFile) -> str:
    name = file.name.replace("\\", "/").rpartition("/")[2]
    fits = _HARMLESS.fullmatch(name) and name.lower().endswith(_SUFFIXES[file.kind])
    return name if fits else ""
