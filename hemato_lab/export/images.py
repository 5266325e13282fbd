"""The fields as they were read and as annotated pictures, for archives."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.errors import ConfigError
from hemato_lab.export.archive import stems_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from PIL.Image import Image

    from hemato_lab.analysis import Analysis

IMAGES_FOLDER: Final = "images"
MOST_PIXELS: Final = 400_000_000
"""Of all fields of an archive with their pixels: it is made in memory."""


def image_names(analysis: Analysis, *, folder: str = IMAGES_FOLDER) -> tuple[str, ...]:
    """Return the name of each field's image in an archive: always a PNG, whose pixels are those that were read."""
    return tuple(f"{folder}/{stem}.png" for stem in stems_of(analysis))


def image_files(
    analysis: Analysis, *, folder: str = IMAGES_FOLDER, only: Collection[int] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each field's image, or of those fields `only` whose index is given.

    Raises
    ------
    ConfigError
        If the fields have more than `MOST_PIXELS` pixels.
    InputError
        If pixels can no longer be read.
    """
    from PIL import Image

    require_room(analysis)
    for index, name in enumerate(image_names(analysis, folder=folder)):
        if only is None or index in only:
            yield name, png(Image.fromarray(np.ascontiguousarray(analysis.smear.fields[index].read())))


def require_room(analysis: Analysis) -> None:
    """Refuse to pack the pixels of a smear that are more than fit into memory.

    Raises
    ------
    ConfigError
        If the fields have more than `MOST_PIXELS` pixels.
    """
    if analysis.smear.pixels > MOST_PIXELS:
        raise ConfigError(
            f"has {analysis.smear.pixels / 1e6:.0f} million pixels, at most {MOST_PIXELS / 1e6:.0f} are packed",
            subject=analysis.smear.name,
            hint="export the cells without pixels, for example as geojson, and open them on the slide itself",
        )


def png(picture: Image) -> bytes:
    """Return a picture as PNG."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
