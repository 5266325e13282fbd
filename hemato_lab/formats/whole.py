"""Images that are decoded whole, when they are first read, and kept only while there is room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hemato_lab.errors import ImageTooLargeError
from hemato_lab.formats.caching import WHOLE_IMAGES
from hemato_lab.formats.failures import damaged, naming_content
from hemato_lab.formats.limits import MAX_WHOLE_FILE_BYTES
from hemato_lab.formats.orientation import upright, upright_size
from hemato_lab.formats.stored import Stored, changed, file_id_of
from hemato_lab.smear import RGB, Field, Window

Decoder = Callable[[bytes, str], RGB]
"""Turns (file bytes, label) into the stored pixels, before they are turned the right way up."""


@dataclass(frozen=True, slots=True)
class WholeImageSource:
    """Pixels of one JPEG or PNG.

    Attributes
    ----------
    stored : Stored
        Where the bytes are; read again when the decoded pixels are no longer in memory.
    file_id : str
        Hash of the bytes when they were opened.
    decode : callable
        A module-level function, so that the source can be sent to another process.
    orientation : int
        EXIF orientation, 1-8.
    width, height : int
        In pixels, the right way up.
    """

    stored: Stored
    file_id: str
    decode: Decoder
    orientation: int
    width: int
    height: int

    def read(self, window: Window) -> RGB:
        """Return a copy of the pixels of a window inside the image.

        Raises
        ------
        IntegrityError
            If the bytes changed since they were opened.
        UnreadableInputError
            If the bytes are damaged or gone.
        """
        self.stored.ensure_unchanged(self.file_id)
        return self._pixels()[window.slices()].copy()

    def verify(self) -> None:
        """Decode once and keep the pixels; raises what `read` would."""
        self._pixels()

    def _pixels(self) -> RGB:
        return WHOLE_IMAGES.get(self.file_id, self._decode_now)

    def _decode_now(self) -> RGB:
        content = self.stored.read_all()
        if file_id_of(content) != self.file_id:
            raise changed(self.stored.label, self.file_id)
        with naming_content(self.file_id):
            pixels = upright(self.decode(content, self.stored.label), self.orientation)
            if pixels.shape != (self.height, self.width, 3):
                reason = f"{pixels.shape[1]} x {pixels.shape[0]} pixels came out, not {self.width} x {self.height}"
                raise damaged(self.stored.label, stage="decode", reason=reason)
        return pixels if pixels.flags.c_contiguous else pixels.copy()


def check_file_size(stored: Stored) -> None:
    """Refuse a file that is longer than any image within the limits can be.

    Raises
    ------
    ImageTooLargeError
        If so.
    """
    if stored.size > MAX_WHOLE_FILE_BYTES:
        raise ImageTooLargeError(
            f"has {stored.size / 1e9:.1f} GB, more than any image within the limit of pixels",
            subject=stored.label,
            hint="save large images as tiled TIFF, which is read window by window",
        )


def whole_image_field(
    stored: Stored,
    content: bytes,
    decode: Decoder,
    *,
    stored_size: tuple[int, int],
    orientation: int,
    um_per_px: float | None,
) -> Field:
    """Return the field of an image whose header was read and found sound; decodes it once to be sure of the rest."""
    file_id = file_id_of(content)
    width, height = upright_size(*stored_size, orientation)
    source = WholeImageSource(stored, file_id, decode, orientation, width, height)
    source.verify()
    return Field(stored.label, source, file_id, um_per_px)
