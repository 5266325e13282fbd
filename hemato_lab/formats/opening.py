"""Anything that holds images of one sample -> a smear."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from hemato_lab.errors import (
    ArchiveError,
    ConfigError,
    HematoError,
    InputError,
    MissingDependencyError,
    NoImagesError,
    ScaleNotCredibleError,
    UnreadableInputError,
)
from hemato_lab.formats.failures import naming_content
from hemato_lab.formats.listing import folders_with_images, images_in_folder, is_folder, listed_files, natural_order
from hemato_lab.formats.sniffing import HEAD_BYTES, SUFFIXES, checked_format, format_of, is_image_name
from hemato_lab.formats.stored import Stored, StoredFile
from hemato_lab.smear import CREDIBLE_UM_PER_PX, RED_CELL_DIAMETER_UM, ArraySource, Field, Scale, SkippedFile, Smear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.formats.zip_members import StoredMember

Paths: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"
Pixels: TypeAlias = "NDArray[np.uint8] | Sequence[NDArray[np.uint8]]"

_SCALES_AGREE_WITHIN: Final = 0.15
"""Largest relative difference of two stated scales (DOMAIN.md section 2.3)."""
_MOST_NAMED: Final = 3
"""Folders with images that a hint names."""
COPY_CODE: Final = "copy"
"""Code of a skipped file whose content is that of an earlier one."""


def _read_jpeg(stored: Stored) -> tuple[Field, ...]:
    from hemato_lab.formats.jpeg import open_jpeg

    return open_jpeg(stored)


def _read_png(stored: Stored) -> tuple[Field, ...]:
    from hemato_lab.formats.png import open_png

    return open_png(stored)


def _read_tiff(stored: Stored) -> tuple[Field, ...]:
    from hemato_lab.formats.tiff import open_tiff

    return open_tiff(stored)


READERS: Final[dict[str, Callable[[Stored], tuple[Field, ...]]]] = {
    "JPEG": _read_jpeg,
    "PNG": _read_png,
    "TIFF": _read_tiff,
}
"""Format (see `sniffing.MAGIC`) -> function that returns the fields of a file; a reader's module loads on first use."""


def open_smear(
    source: Paths | Pixels,
    *,
    um_per_px: float | None = None,
    rbc_diameter_px: float | None = None,
    tags: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Smear:
    """Open the images of one sample.

    Each file is read once, hashed and checked. Pixels are decoded when they are read; only a few images stay decoded.

    Parameters
    ----------
    source : path, list of paths, array or list of arrays
        An image (JPEG, PNG, TIFF), a folder of images, a ZIP archive of images, several images, or pixels of shape
        (height, width, 3), uint8 RGB, which are copied. Files are taken in natural order, arrays as given. Of a folder
        the images directly in it are taken, or those in its ``images/`` (see `listing.images_in_folder`).
    um_per_px : float, optional
        Pixel size in micrometres.
    rbc_diameter_px : float, optional
        Diameter of a normal red cell in pixels. Beside `um_per_px` it is only compared: the pixel size counts.
    tags : mapping of str to str, optional
        Free labels, never of a patient.
    name : str, optional
        Default: the name of the file or folder.

    Returns
    -------
    Smear
        Files that could not be read are in ``skipped`` when others could; so are files with the same content as an
        earlier one, whose cells would be counted twice.

    Raises
    ------
    InputError
        What is wrong with the only image, or with the whole archive.
    NoImagesError
        If there is no image, or none of several can be read.
    MissingDependencyError
        If the only file needs an optional package.
    ScaleNotCredibleError
        If a stated scale is impossible, or two stated scales differ by more than 15 %.
    ConfigError
        If an argument is of the wrong kind.
    """
    scale = stated_scale(um_per_px, rbc_diameter_px)
    labels = _checked_tags(tags)
    if isinstance(source, np.ndarray) or _is_list_of_arrays(source):
        fields, default_name = _fields_of_arrays(source), "array"
        skipped: list[SkippedFile] = []
    else:
        fields, skipped, default_name = _fields_of_files(source)
    return Smear(name or default_name, tuple(fields), labels, scale, tuple(skipped))


def stated_scale(um_per_px: float | None, rbc_diameter_px: float | None) -> Scale | None:
    """Return the scale that the user states, None when nothing is stated.

    Raises
    ------
    ScaleNotCredibleError
        If a value is impossible, or both are stated and differ by more than 15 %.
    ConfigError
        If a value is no number.
    """
    low, high = CREDIBLE_UM_PER_PX
    limits = {
        "um_per_px": (um_per_px, low, high),
        "rbc_diameter_px": (rbc_diameter_px, RED_CELL_DIAMETER_UM / high, RED_CELL_DIAMETER_UM / low),
    }
    for label, (value, least, most) in limits.items():
        if value is None:
            continue
        if not isinstance(value, int | float | np.number):
            raise ConfigError(f"{label} is a number, not {value!r}")
        if not least <= value <= most:
            raise ScaleNotCredibleError(
                f"{label} {value:g} is impossible for a smear", hint=f"state {least:g} to {most:g}, or leave it out"
            )
    by_cell = None if rbc_diameter_px is None else Scale.from_rbc_diameter_px(float(rbc_diameter_px))
    if um_per_px is None:
        return by_cell
    by_pixel = Scale.from_um_per_px(float(um_per_px))
    if by_cell is not None and not math.isclose(
        by_cell.um_per_px, by_pixel.um_per_px, rel_tol=0, abs_tol=_SCALES_AGREE_WITHIN * by_pixel.um_per_px
    ):
        raise ScaleNotCredibleError(
            f"um_per_px {um_per_px:g} makes a red cell {by_pixel.rbc_diameter_px:.4g} pixels wide, "
            f"but rbc_diameter_px {rbc_diameter_px:g} is stated",
            hint="state only the one that is sure",
        )
    return by_pixel


def _checked_tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    labels: dict[Any, Any] = dict(tags or {})
    for key, value in labels.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise ConfigError(f"tags are pairs of text, not {key!r}: {value!r}")
    return labels


def _is_list_of_arrays(source: Any) -> bool:
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(one, np.ndarray) for one in source)


def _fields_of_arrays(source: Any) -> list[Field]:
    arrays = [source] if isinstance(source, np.ndarray) else list(source)
    names = ["array"] if len(arrays) == 1 else [f"array {number}" for number in range(1, len(arrays) + 1)]
    fields = []
    for name, array in zip(names, arrays, strict=True):
        # A copy, so that nobody can change pixels whose hash was taken.
        pixels = ArraySource(np.array(array, order="C"))
        if array.size == 0:
            raise ConfigError(f"an array of shape {array.shape} has no pixels", subject=name)
        digest = hashlib.sha224(f"{pixels.height} x {pixels.width} x 3 uint8\n".encode())
        digest.update(pixels.pixels.data)
        fields.append(Field(name, pixels, "sha224-i-" + digest.hexdigest()))
    return fields


Opened: TypeAlias = tuple[list[Field], list[SkippedFile]]


def _fields_of_files(source: Any) -> tuple[list[Field], list[SkippedFile], str]:
    if isinstance(source, str | os.PathLike):
        if not os.fspath(source):
            raise UnreadableInputError("the path is empty", hint="give an image, a folder or an archive")
        path = Path(source)
        opened = _open_folder(path) if is_folder(path) else _open_single_file(path)
        return *opened, path.absolute().name or str(path)
    if not isinstance(source, Sequence) or isinstance(source, bytes | bytearray | memoryview):
        raise ConfigError(
            f"a smear cannot be opened from a {type(source).__name__}",
            hint="give a path, a list of paths, or arrays of shape (height, width, 3)",
        )
    if not source:
        raise NoImagesError("the list of files is empty", hint="list at least one image")
    if len(source) == 1:
        return _fields_of_files(source[0])
    files = listed_files(source)
    opened = _open_several((name, _file_opener(path, name)) for path, name in files)
    return *opened, files[0][0].parent.name or "smear"


def _open_single_file(path: Path) -> Opened:
    with _naming_path(path, path.name):
        return _open_file(StoredFile(path, path.name))


@contextmanager
def _naming_path(path: Path, label: str) -> Iterator[None]:
    """Let the error of an only image name its path and not just its label."""
    try:
        yield
    except HematoError as error:
        if error.subject == label:
            error.subject = str(path)
        raise


def _open_folder(folder: Path) -> Opened:
    images = images_in_folder(folder, str(folder))
    if not images:
        below = folders_with_images(folder, _MOST_NAMED)
        hint = f"images end in {', '.join(SUFFIXES)} and lie directly in it or in its folder images"
        if below:
            hint = f"open one of its folders that hold images, such as {', '.join(map(str, below))}"
        raise NoImagesError("the folder holds no image", subject=str(folder), hint=hint)
    with _naming_path(*images[0]):
        return _open_several((name, _file_opener(path, name)) for path, name in images)


def _file_opener(path: Path, name: str) -> Callable[[], Opened]:
    return lambda: _open_file(StoredFile(path, name))


def _open_several(openers: Iterable[tuple[str, Callable[[], Opened]]], *, in_archive: bool = False) -> Opened:
    """Open what can be opened and remember the rest; a hostile archive is refused as a whole."""
    fields: list[Field] = []
    skipped: list[SkippedFile] = []
    first_error: HematoError | None = None
    first_names: dict[str, str] = {}
    for name, opener in openers:
        try:
            opened = opener()
        except (InputError, MissingDependencyError) as error:
            if in_archive and isinstance(error, ArchiveError):
                raise
            first_error = first_error or error
            skipped.append(SkippedFile(name, error.code, str(error)))
        else:
            more, more_skipped = _without_copies(name, opened, first_names)
            fields += more
            skipped += more_skipped
    if first_error is not None and not fields:
        raise first_error if len(skipped) == 1 else _none_readable(len(skipped), first_error)
    return fields, skipped


def _none_readable(count: int, first: HematoError) -> NoImagesError:
    named = f"{first.subject}: {first.problem}" if first.subject else first.problem
    return NoImagesError(f"none of {count} images can be read; the first: {named}", hint=first.hint)


def _without_copies(name: str, opened: Opened, first_names: dict[str, str]) -> Opened:
    """Set aside what has the content of an earlier file, and remember the content of the rest.

    The pages of one file share its content and are kept; ``first_names`` tells which name had a content first.
    """
    fields, skipped = opened
    by_content = {field.file_id: field.name for field in reversed(fields)}
    if len(by_content) == 1:
        by_content = dict.fromkeys(by_content, name)
    copies = [
        SkippedFile(other, COPY_CODE, f"{other}: same image as {first_names[content]}")
        for content, other in by_content.items()
        if content in first_names
    ]
    kept = [field for field in fields if field.file_id not in first_names]
    for content, first_name in by_content.items():
        first_names.setdefault(content, first_name)
    return kept, [*skipped, *copies]


def _open_file(stored: StoredFile) -> Opened:
    """Open an image or an archive."""
    kind = checked_format(stored.head(HEAD_BYTES), stored.label)
    return _open_archive(stored) if kind == "ZIP" else (_open_image(stored, kind), [])


def _open_image(stored: Stored, kind: str) -> list[Field]:
    try:
        fields = READERS[kind](stored)
    except UnreadableInputError as error:
        with naming_content(stored.file_id()):
            raise error from error.__cause__
    # The file may have been written to between hashing and decoding.
    stored.ensure_unchanged(fields[0].file_id)
    return list(fields)


def _open_archive(archive: StoredFile) -> Opened:
    from hemato_lab.formats.zip_members import members_of

    members = [member for member in members_of(archive) if is_image_name(member.label)]
    if not members:
        raise NoImagesError(
            "the archive holds no image", subject=archive.label, hint=f"images end in {', '.join(SUFFIXES)}"
        )
    members.sort(key=lambda member: natural_order(member.label))
    return _open_several(((member.label, _member_opener(member)) for member in members), in_archive=True)


def _member_opener(member: StoredMember) -> Callable[[], Opened]:
    return lambda: (_open_member(member), [])


def _open_member(member: StoredMember) -> list[Field]:
    if member.size == 0:
        raise UnreadableInputError("is empty (0 bytes)", subject=member.label, hint="pack it again")
    head = member.head(HEAD_BYTES)
    if format_of(head) == "ZIP":
        raise ArchiveError(
            f"has an archive inside, disguised as {member.label}",
            reason="nested",
            subject=member.archive.label,
            hint="unpack the inner archive first",
        )
    return _open_image(member, checked_format(head, member.label))
