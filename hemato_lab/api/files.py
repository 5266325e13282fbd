"""What is uploaded: images as the service takes them, and the hash that it knows them by, taken before they are sent.

The service takes JPEG, PNG and ZIP (vendor's document, "Upload the files"). JPEG and PNG files go as they are, byte for
byte; arrays, Pillow images and fields of other formats go as PNG, which loses nothing.
"""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.errors import ConfigError, ImageTooLargeError, IntegrityError, UnsupportedFormatError
from hemato_lab.formats.failures import decoder_errors
from hemato_lab.formats.stored import InMemory, StoredFile, file_id_of
from hemato_lab.formats.whole import WholeImageSource
from hemato_lab.formats.zip_directory import read_entries
from hemato_lab.smear import Field, Smear

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

CONTENT_TYPES: Final[dict[str, str]] = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".zip": "application/zip",
}
"""Ending and content type of what the service takes."""
_SIGNATURES: Final = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG\r\n\x1a\n": ".png",
    b"PK\x03\x04": ".zip",
    b"PK\x05\x06": ".zip",
}
_MAX_ENCODED_PIXELS: Final = 200_000_000
"""A field that has to be encoded whole; a slide is uploaded as regions instead."""


class SkippedFileWarning(UserWarning):
    """Files of a smear are not uploaded, because they cannot be read."""


@dataclass(frozen=True, slots=True)
class UploadFile:
    """One file to upload.

    Attributes
    ----------
    name : str
        For people on this machine; made from the hash where the source has none.
    suffix : str
        A key of `CONTENT_TYPES`.
    file_id : str
        ``sha224-i-`` and the SHA-224 of its bytes (api/DECISIONS.md row 14).
    size : int
        Bytes.
    load : callable
        Returns the bytes; raises IntegrityError if they are no longer those that were hashed.
    field_id : str
        By which this machine knows a field that had to be encoded (`Field.file_id`); empty for its own id.
    members : tuple of UploadFile
        For a ZIP, the images in it.
    """

    name: str
    suffix: str
    file_id: str
    size: int
    load: Callable[[], bytes] = field(repr=False, compare=False)
    field_id: str = ""
    members: tuple[UploadFile, ...] = ()

    @property
    def images(self) -> tuple[UploadFile, ...]:
        """The images that the service gets with it."""
        return self.members or (self,)

    @property
    def known_as(self) -> str:
        """What the image is known by on this machine."""
        return self.field_id or self.file_id

    @property
    def content_type(self) -> str:
        """Value of the header that tells the type."""
        return CONTENT_TYPES[self.suffix]


def files_of(source: Any) -> tuple[UploadFile, ...]:
    """Return the files to upload of a source, each content once, in order.

    Parameters
    ----------
    source : bytes, path, Pillow image, array, UploadFile, Field, Smear, or a sequence of these
        A path of a folder, or of a format that the service does not take, is opened as a smear.

    Raises
    ------
    InputError
        If one cannot be read.
    UnsupportedFormatError
        If bytes are neither JPEG, PNG nor ZIP.
    ConfigError
        If there is nothing to upload.
    """
    found = [file for one in _flat(source) for file in ([one] if isinstance(one, UploadFile) else _files_of_one(one))]
    if not found:
        raise ConfigError("there is nothing to upload", hint="give images, a folder or a smear")
    once: dict[str, UploadFile] = {}
    for file in found:
        once.setdefault(file.file_id, file)
    return tuple(once.values())


def _flat(source: Any) -> list[Any]:
    if isinstance(source, list | tuple):
        return [each for one in source for each in _flat(one)]
    return [source]


def _files_of_one(source: Any) -> list[UploadFile]:
    if isinstance(source, bytes | bytearray | memoryview):
        return [_file_of_bytes(bytes(source))]
    if isinstance(source, Smear):
        return _files_of_smear(source)
    if isinstance(source, Field):
        return [_file_of_field(source)]
    if isinstance(source, str | os.PathLike):
        return _files_of_path(Path(source))
    if hasattr(source, "convert") and hasattr(source, "tobytes") and hasattr(source, "mode"):
        return [_encoded(lambda: _png_of_image(source))]
    if hasattr(source, "__array_interface__"):
        from hemato_lab.formats import open_smear

        return [_encoded(partial(_png_of_pixels, each), field_id=each.file_id) for each in open_smear(source).fields]
    raise ConfigError(
        f"cannot be uploaded: it is a {type(source).__name__}", hint="give bytes, a path, an image, an array or a smear"
    )


def suffix_of(head: bytes) -> str:
    """Return the ending of a content by its first bytes, empty for what the service does not take."""
    return next((suffix for signature, suffix in _SIGNATURES.items() if head.startswith(signature)), "")


def _file_of_bytes(content: bytes) -> UploadFile:
    suffix = suffix_of(content[:8])
    if not suffix:
        problem = "these bytes are neither JPEG nor PNG nor ZIP"
        raise UnsupportedFormatError(
            problem, hint="the service takes only these; a path of another format is converted"
        )
    file_id = file_id_of(content)
    name = name_of_hash(file_id, suffix)
    members = members_of(content, name) if suffix == ".zip" else ()
    return UploadFile(name, suffix, file_id, len(content), lambda: content, members=members)


def name_of_hash(file_id: str, suffix: str) -> str:
    """Return a file name for what has none, or none that may be sent."""
    return f"{file_id.rpartition('-')[2][:16]}{suffix}"


def members_of(content: bytes, name: str) -> tuple[UploadFile, ...]:
    """Return the images in a ZIP, which the service knows by their own hashes (api/DECISIONS.md row 13).

    Raises
    ------
    ArchiveError
        If the archive is hostile or damaged.
    """
    # The directory is checked by our own reader first: the library would unpack overlapping members.
    entries = read_entries(InMemory(content, name), name)
    found = []
    with decoder_errors(name, stage="unpack"), zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in entries:
            image = b"" if entry.is_folder else archive.read(entry.name)
            suffix = suffix_of(image[:8])
            if suffix in {".jpg", ".png"}:
                load = partial(_member, content, entry.name)
                found.append(UploadFile(entry.name, suffix, file_id_of(image), len(image), load))
    return tuple(found)


def _member(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def _files_of_path(path: Path) -> list[UploadFile]:
    if path.is_file():
        stored = StoredFile(path, path.name)
        suffix = suffix_of(stored.head(8))
        if suffix:
            file_id = stored.file_id()
            members = members_of(stored.read_all(), path.name) if suffix == ".zip" else ()
            load = _checked(stored.read_all, path.name, file_id)
            return [UploadFile(path.name, suffix, file_id, stored.size, load, members=members)]
    from hemato_lab.formats import open_smear

    return _files_of_smear(open_smear(path))


def _files_of_smear(smear: Smear) -> list[UploadFile]:
    if smear.skipped:
        kinds = ", ".join(sorted({one.code for one in smear.skipped}))
        message = (
            f"{len(smear.skipped)} files of the smear cannot be read ({kinds}) and are not uploaded; see Smear.skipped"
        )
        warnings.warn(message, SkippedFileWarning, stacklevel=2)
    return [_file_of_field(each) for each in smear.fields]


def _file_of_field(one: Field) -> UploadFile:
    source = one.source
    if isinstance(source, WholeImageSource):
        suffix = suffix_of(source.stored.head(8))
        if suffix in {".jpg", ".png"}:
            load = _checked(source.stored.read_all, one.name, one.file_id)
            return UploadFile(one.name, suffix, one.file_id, source.stored.size, load)
    if one.window.area > _MAX_ENCODED_PIXELS:
        raise ImageTooLargeError(
            f"has {one.window.area / 1e6:.0f} megapixels, which is too much for one upload",
            subject=one.name,
            hint="upload regions of it: Field.read(Window(...)) gives arrays",
        )
    return _encoded(partial(_png_of_pixels, one), one.name, one.file_id)


def _encoded(encode: Callable[[], bytes], name: str = "", field_id: str = "") -> UploadFile:
    """Return a file that is encoded again when it is sent, so that a thousand of them do not fill the memory."""
    content = encode()
    file_id = file_id_of(content)
    name = name or name_of_hash(file_id, ".png")
    return UploadFile(name, ".png", file_id, len(content), _checked(encode, name, file_id), field_id)


def _checked(load: Callable[[], bytes], name: str, file_id: str) -> Callable[[], bytes]:
    def read() -> bytes:
        content = load()
        if file_id_of(content) != file_id:
            raise IntegrityError(
                f"its bytes are no longer those of {file_id}",
                subject=name,
                hint="give it again, when nothing writes to it",
            )
        return content

    return read


def _png_of_pixels(one: Field) -> bytes:
    import PIL.Image

    return _png_of_image(PIL.Image.fromarray(one.read()))


def _png_of_image(image: Image) -> bytes:
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "PNG", compress_level=3)
    return stream.getvalue()
