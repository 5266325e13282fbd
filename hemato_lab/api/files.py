"""What is uploaded: images as the service takes them, and the hash that it knows them by, taken before they are sent.

The service takes JPEG, PNG and ZIP (vendor's document, "Upload the files"). JPEG and PNG files go as they are, byte for
byte; arrays, Pillow images and fields of other formats go as PNG, which loses nothing.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.errors import ConfigError, ImageTooLargeError, IntegrityError, UnsupportedFormatError
from hemato_lab.formats.stored import StoredFile, file_id_of
from hemato_lab.formats.whole import WholeImageSource
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


@dataclass(frozen=True, slots=True)
class UploadFile:
    """One file to upload.

    Attributes
    ----------
    name : str
        For people on this machine.
    suffix : str
        A key of `CONTENT_TYPES`.
    file_id : str
        ``sha224-i-`` and the SHA-224 of its bytes (api/DECISIONS.md row 14).
    size : int
        Bytes.
    load : callable
        Returns the bytes; raises IntegrityError if they are no longer those that were hashed.
    members : tuple of str
        For a ZIP made here, the ids of the images in it.
    """

    name: str
    suffix: str
    file_id: str
    size: int
    load: Callable[[], bytes] = field(repr=False, compare=False)
    members: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        """Value of the header that tells the type."""
        return CONTENT_TYPES[self.suffix]


Uploadable = "bytes | str | os.PathLike[str] | Image | np.ndarray | Field | Smear | Sequence[Any]"
"""What can be uploaded: bytes, a file, a folder, a Pillow image, an array, a field, a smear, or several of them."""


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
        return [_file_of_bytes(bytes(source), "bytes")]
    if isinstance(source, Smear):
        return [_file_of_field(each) for each in source.fields]
    if isinstance(source, Field):
        return [_file_of_field(source)]
    if isinstance(source, str | os.PathLike):
        return _files_of_path(Path(source))
    if hasattr(source, "convert") and hasattr(source, "tobytes") and hasattr(source, "mode"):
        return [_encoded(lambda: _png_of_image(source), "image")]
    if hasattr(source, "__array_interface__"):
        from hemato_lab.formats import open_smear

        return [_file_of_field(each) for each in open_smear(source).fields]
    raise ConfigError(
        f"cannot be uploaded: it is a {type(source).__name__}", hint="give bytes, a path, an image, an array or a smear"
    )


def suffix_of(head: bytes) -> str:
    """Return the ending of a content by its first bytes, empty for what the service does not take."""
    return next((suffix for signature, suffix in _SIGNATURES.items() if head.startswith(signature)), "")


def _file_of_bytes(content: bytes, name: str) -> UploadFile:
    suffix = suffix_of(content[:8])
    if not suffix:
        raise UnsupportedFormatError(
            "is neither JPEG nor PNG nor ZIP", subject=name, hint="the service takes only these"
        )
    return UploadFile(name, suffix, file_id_of(content), len(content), lambda: content)


def _files_of_path(path: Path) -> list[UploadFile]:
    if path.is_file():
        stored = StoredFile(path, path.name)
        suffix = suffix_of(stored.head(8))
        if suffix:
            file_id = stored.file_id()
            return [UploadFile(path.name, suffix, file_id, stored.size, _checked(stored.read_all, path.name, file_id))]
    from hemato_lab.formats import open_smear

    return [_file_of_field(each) for each in open_smear(path).fields]


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
    return _encoded(lambda: _png_of_pixels(one), one.name)


def _encoded(encode: Callable[[], bytes], name: str) -> UploadFile:
    """Return a file that is encoded again when it is sent, so that a thousand of them do not fill the memory."""
    content = encode()
    file_id = file_id_of(content)
    return UploadFile(name, ".png", file_id, len(content), _checked(encode, name, file_id))


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
