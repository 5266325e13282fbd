"""What the report of a smear says beside its figures: images left out, images read, reasons for a review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hemato_lab.report import Report


class LeftOut(NamedTuple):
    """An image of a smear that was not read.

    Attributes
    ----------
    name : str
        Of the file.
    code : str
        Stable name of the reason.
    reason : str
        In words.
    """

    name: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SmearNotes:
    """What a report says that fits in no column of numbers; nothing of a smear that was not analysed.

    Attributes
    ----------
    smear_id : str
        Whose report it is.
    images : mapping of str to str
        Name of each image by its file id; of several with one content, and of the pages of a file, the first.
    left_out : tuple of LeftOut
        Images that were not read.
    review : tuple of str
        Why a person must look at the smear.
    judged : bool
        Whether candidates were looked for; a report that says nothing of it counts as judged.
    """

    smear_id: str
    images: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    review: tuple[str, ...] = ()
    judged: bool = True

    @classmethod
    def of(cls, smear_id: str, report: Report) -> Self:
        """Return what a report says."""
        extension = report.extension
        provenance = extension.get("provenance")
        images: dict[str, str] = {}
        for one in _listed(provenance, "inputs"):
            if "file_id" in one:
                images.setdefault(str(one["file_id"]), str(one.get("name", "")))
        return cls(
            smear_id,
            images,
            tuple(
                LeftOut(*(str(one.get(key, "")) for key in ("name", "code", "reason")))
                for one in _listed(provenance, "skipped")
            ),
            tuple(str(one.get("reason", "")) for one in _listed(extension.get("review"), "reasons")),
            extension.get("diagnosis", {}) is not None,
        )


def _listed(document: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list in a report; nothing where it has another shape."""
    values = document.get(key) if isinstance(document, Mapping) else None
    yield from (one for one in values or () if isinstance(one, Mapping)) if isinstance(values, list | tuple) else ()


def shared_images(notes: Iterable[SmearNotes]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Return the images that several smears have: of each, the smears and its name in them."""
    places: dict[str, list[tuple[str, str]]] = {}
    for one in notes:
        for file_id, name in one.images.items():
            places.setdefault(file_id, []).append((one.smear_id, name))
    return tuple(tuple(found) for found in places.values() if len(found) > 1)


def remarks_on(notes: Sequence[SmearNotes]) -> Iterator[str]:
    """Yield sentences on images that the figures do not have, or have twice."""
    lacking = [one for one in notes if one.left_out]
    if lacking:
        images = sum(len(one.left_out) for one in lacking)
        were = "was" if images == 1 else "were"
        smears = _noun(len(lacking), "smear")
        yield f"{_noun(images, 'image')} of {smears} {were} left out; report.html says which and why"
    shared = len(shared_images(notes))
    if shared:
        are = "is" if shared == 1 else "are"
        yield f"{_noun(shared, 'image')} {are} in several smears and counted in each; report.html lists them"


def _noun(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
