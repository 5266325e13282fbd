"""Fields as DICOM whole-slide images and their cells as Microscopy Bulk Simple Annotations, in a ZIP archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError, MissingDependencyError
from hemato_lab.export.archive import index, zipped
from hemato_lab.export.images import require_room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.analysis import Analysis

IMAGES_FOLDER: Final = "images"
ANNOTATIONS_FOLDER: Final = "annotations"


def render(analysis: Analysis) -> bytes:
    """Return an archive with an image a field, and annotations a field that has cells.

    Pixels are not compressed again. Cells are ellipses in the slide coordinates of their image, a group a name, with
    score and area; those that a reader decided on are groups of their own. No value is of a patient and no file has the
    name of a field, so that ``field_01`` is the first; dates that DICOM demands are stand-ins, and the files say so.
    Pixels are not looked at: writing or a label in them stays there. Another content has another UID.

    Raises
    ------
    ConfigError
        If the smear has no scale, more pixels than are packed, or a cell a name that is no cell's.
    MissingDependencyError
        If highdicom or pydicom are not installed.
    InputError
        If pixels can no longer be read.
    """
    if analysis.smear.scale is None:
        raise ConfigError(
            "no DICOM image without a pixel size", subject=analysis.smear.name, hint="state the scale of the smear"
        )
    require_room(analysis)
    return zipped((index(analysis, dict(enumerate(_stems(analysis))), named=False), *_files(analysis)))


def _files(analysis: Analysis) -> Iterator[tuple[str, bytes]]:
    try:
        from hemato_lab.export import dicom_annotations, dicom_image
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("hemato_lab"):
            raise
        raise MissingDependencyError(error.name, extra="dicom", subject="DICOM files") from error
    for field, stem in enumerate(_stems(analysis)):
        image = dicom_image.whole_slide_image(analysis, field)
        yield f"{IMAGES_FOLDER}/{stem}.dcm", dicom_image.content_of(image)
        if len(analysis.cells_of(field)):
            annotations = dicom_annotations.bulk_annotations(analysis, field, image)
            yield f"{ANNOTATIONS_FOLDER}/{stem}.dcm", dicom_image.content_of(annotations)


def _stems(analysis: Analysis) -> tuple[str, ...]:
    """Return names of files that tell nothing: those of fields are often names of patients."""
    digits = max(2, len(str(len(analysis.smear))))
    return tuple(f"field_{number:0{digits}}" for number in range(1, len(analysis.smear) + 1))
