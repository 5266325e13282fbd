"""What a folder offers to be opened, for people who pick from a list."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from hemato_lab.errors import UnreadableInputError
from hemato_lab.export.reading import holds_results
from hemato_lab.formats.listing import IMAGES_FOLDER, is_folder, natural_order
from hemato_lab.formats.sniffing import is_image_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Kind = Literal["images", "results"]
MOST_LISTED: Final = 500
"""Of a fuller folder the first by name are offered; any other path can be typed."""
MOST_LOOKED_AT: Final = 2_000
"""Files of a folder that are counted."""
_ARCHIVE: Final = ".zip"


@dataclass(frozen=True, slots=True)
class Openable:
    """A smear or an analysis on disk.

    Attributes
    ----------
    path : Path
        Of the image, archive or folder.
    kind : Kind
        Whether there are images or results of an analysis.
    label : str
        For people: its name and what it holds.
    """

    path: Path
    kind: Kind
    label: str


def openable_in(place: Path) -> tuple[Openable, ...]:
    """Return what can be opened at a place: itself, or what lies directly in it.

    Parameters
    ----------
    place : Path
        A folder, image or archive.

    Raises
    ------
    UnreadableInputError
        If it is not there or may not be listed.
    """
    try:
        if not is_folder(place):
            return _of_file(place)
        entries = sorted(islice(place.iterdir(), MOST_LOOKED_AT), key=lambda one: natural_order(one.name))
    except OSError as error:
        raise UnreadableInputError(
            f"cannot be looked into: {error.strerror}", subject=str(place), hint="check the path"
        ) from error
    found = [*_of_folder(place, "this folder"), *_below(entries)]
    return tuple(found[:MOST_LISTED])


def _of_file(place: Path) -> tuple[Openable, ...]:
    place.stat()
    return (Openable(place, "images", place.name),)


def _below(entries: list[Path]) -> Iterator[Openable]:
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if is_folder(entry):
            yield from _of_folder(entry, entry.name)
        elif is_image_name(entry.name):
            yield Openable(entry, "images", entry.name)
        elif entry.suffix.lower() == _ARCHIVE:
            yield Openable(entry, "images", f"{entry.name} (archive)")


def _of_folder(folder: Path, name: str) -> Iterator[Openable]:
    """Yield a folder of results or of images; one that cannot be listed offers nothing."""
    if holds_results(folder):
        yield Openable(folder, "results", f"{name} (results of an analysis)")
        return
    count = _images_in(folder) or _images_in(folder / IMAGES_FOLDER)
    if count:
        yield Openable(folder, "images", f"{name} ({count} {'image' if count == 1 else 'images'})")


def _images_in(folder: Path) -> int:
    try:
        return sum(is_image_name(one.name) for one in islice(folder.iterdir(), MOST_LOOKED_AT))
    except OSError:
        return 0
