"""What is known of compression with loss that the pixels of a field went through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hemato_lab.formats.tiff import TiffSource
from hemato_lab.formats.whole import WholeImageSource

if TYPE_CHECKING:
    from hemato_lab.smear import Field

_JPEG_METHOD: Final = "ISO_10918_1"
_JPEG_BEGINS: Final = b"\xff\xd8\xff"
_OF_TIFF: Final = {7: _JPEG_METHOD, 33005: "ISO_15444_1", 34712: "ISO_15444_1"}
"""Compression of a TIFF -> method as DICOM names it; JPEG 2000 counts as lossy, since its file does not say."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A compression with loss.

    Attributes
    ----------
    method : str
        As DICOM PS3.3 C.7.6.1.1.5 names it.
    ratio : float
        Bytes of the pixels as 8-bit RGB to bytes in the file.
    """

    method: str
    ratio: float


def loss_of(field: Field) -> Loss | None:
    """Return how the file of a field is compressed, None where it keeps pixels as they are or is not known.

    The name of a file says nothing; pixels of a PNG or an array may come from a JPEG, which nobody can tell.

    Raises
    ------
    InputError
        If the file can no longer be read.
    """
    source, size = field.source, 3 * field.width * field.height
    if isinstance(source, TiffSource) and source.layout.compression in _OF_TIFF:
        stored = sum(map(int, source.layout.byte_counts))
        return Loss(_OF_TIFF[source.layout.compression], size / max(stored, 1))
    if isinstance(source, WholeImageSource) and source.stored.head(len(_JPEG_BEGINS)) == _JPEG_BEGINS:
        return Loss(_JPEG_METHOD, size / max(source.stored.size, 1))
    return None
