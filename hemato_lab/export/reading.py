"""Reading an analysis back from the folder of results that ``hemato-lab analyze`` or a batch wrote."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast, get_args

from hemato_lab.analysis import Analysis
from hemato_lab.errors import HematoError, InputError, ReportFormatError, UnreadableInputError
from hemato_lab.export.cells_table import HINT, read_cells_table
from hemato_lab.formats import open_smear
from hemato_lab.report import Report
from hemato_lab.report.document import Cursor, number_of
from hemato_lab.smear import Field, Scale, ScaleOrigin, SkippedFile, Smear
from hemato_lab.vocabulary import DETECTOR_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hemato_lab.detections import Detections
    from hemato_lab.smear import Window

REPORT_FILE: Final = "report.json"
CELLS_FILE: Final = "cells.csv"
_GIVE_IMAGES: Final = "give the images that were analysed: --images on the command line, images= in Python"

Images = Smear | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""The images of an analysis: opened, or what `hemato_lab.open_smear` opens."""


@dataclass(frozen=True, slots=True)
class AbsentSource:
    """Stands for the pixels of a field that are not at hand; its size is known.

    Attributes
    ----------
    width, height : int
        Columns and rows.
    name : str
        Of the field.
    """

    width: int
    height: int
    name: str

    def read(self, window: Window) -> NoReturn:  # noqa: ARG002 (as other sources)
        """Raise InputError: there are no pixels."""
        raise InputError("its pixels are not in the folder of results", subject=self.name, hint=_GIVE_IMAGES)


def holds_results(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is a folder that `read_analysis` is for."""
    return all((Path(path) / name).is_file() for name in (REPORT_FILE, CELLS_FILE))


def read_analysis(folder: str | os.PathLike[str], images: Images | None = None) -> Analysis:
    """Read the analysis that a folder of results holds: its report and its cells with all that was measured.

    Parameters
    ----------
    folder : path
        Holds ``report.json`` and ``cells.csv``.
    images : Smear, path or list of paths, optional
        The images that were analysed, recognised by their content. A field whose image is not given knows its size and
        raises an InputError when its pixels are asked for.

    Returns
    -------
    Analysis
        Its smear is called as the folder, or as `images`. Numbers of cells have the four decimals of the table, and the
        scale's uncertainty those of the report: what is computed again from them, as a corrected report is, may differ
        in the last digits from what is computed in the session that analysed the images.

    Raises
    ------
    UnreadableInputError
        If a file is missing or cannot be read.
    ReportFormatError
        If the report is none of ours, or the table of cells is not the one that it is about.
    InputError
        If `images` cannot be opened, or are other images.
    """
    place = Path(folder)
    report = _report(place / REPORT_FILE)
    extension = Cursor(dict(report.extension), "hemato_lab")
    try:
        stated = _Stated.read(extension)
    except HematoError as error:
        problem = f"is no report of hemato-lab: {error}"
        raise ReportFormatError(problem, subject=str(place / REPORT_FILE), hint=HINT) from error
    cells = read_cells_table(place / CELLS_FILE, [one.name for one in stated.fields])
    _check_counts(cells, report, place / CELLS_FILE)
    found = None if images is None else _opened(images)
    smear = Smear(
        place.absolute().name if found is None else found.name,
        stated.fields if found is None else _with_pixels(stated.fields, found, place),
        {} if found is None else found.tags,
        stated.scale,
        stated.skipped,
    )
    return Analysis(smear, cells, report, stated.provenance, stated.quality)


def _report(path: Path) -> Report:
    try:
        content = path.read_bytes()
    except OSError as error:
        hint = f"give a folder that holds {REPORT_FILE} and {CELLS_FILE}, as hemato-lab analyze writes"
        raise UnreadableInputError(f"cannot be read: {error.strerror}", subject=str(path), hint=hint) from error
    try:
        return Report.from_json(content)
    except ReportFormatError as error:
        raise ReportFormatError(str(error), subject=str(path), hint=HINT) from error


@dataclass(frozen=True, slots=True)
class _Stated:
    """What the report says of the smear and the analysis."""

    fields: tuple[Field, ...]
    scale: Scale | None
    skipped: tuple[SkippedFile, ...]
    provenance: Mapping[str, Any]
    quality: Mapping[str, Any]

    @classmethod
    def read(cls, extension: Cursor) -> _Stated:
        """Read the extension of a report; raises HematoError."""
        provenance = extension.member("provenance")
        fields = tuple(_field(entry) for entry in provenance.member("inputs").items())
        Smear("results", fields)  # refuses none, and two of one name
        skipped = provenance.member("skipped").items()
        return cls(
            fields,
            _scale(provenance.member("scale")),
            tuple(
                SkippedFile(*(entry.member(key).string() for key in ("name", "code", "reason"))) for entry in skipped
            ),
            provenance.members(),
            extension.member("quality").members(),
        )


def _field(entry: Cursor) -> Field:
    name = entry.member("name").string()
    sides = [entry.member(key).number() for key in ("width", "height")]
    if not all(isinstance(side, int) and side > 0 for side in sides):
        raise entry.expected("an image of a whole number of pixels")
    width, height = map(int, sides)
    return Field(name, AbsentSource(width, height, name), entry.member("file_id").string())


def _scale(entry: Cursor) -> Scale | None:
    if entry.value is None:
        return None
    origin = entry.member("origin")
    if origin.string() not in get_args(ScaleOrigin):
        raise origin.expected(f"one of {', '.join(get_args(ScaleOrigin))}")
    diameter, size, uncertainty = (
        float(entry.member(key).number()) for key in ("rbc_diameter_px", "um_per_px", "relative_uncertainty")
    )
    return Scale(diameter, size, cast("ScaleOrigin", origin.value), uncertainty)


def _check_counts(cells: Detections, report: Report, path: Path) -> None:
    """Refuse a table that was changed or comes from another analysis than the report beside it."""
    stated = report.extension.get("cells_found", {})
    for name in DETECTOR_CLASSES:
        listed, counted = int(cells.of_kind(name).sum()), number_of(stated.get(name)) if stated else None
        if counted is not None and listed != counted:
            problem = f"lists {listed} cells of the kind {name}, and the report beside it counts {counted}"
            raise ReportFormatError(problem, subject=str(path), hint=HINT)


def _opened(images: Images) -> Smear:
    return images if isinstance(images, Smear) else open_smear(images)


def _with_pixels(stated: Iterable[Field], images: Smear, folder: Path) -> tuple[Field, ...]:
    """Give the fields their pixels, where images of the same content are there.

    The pages of one file have one content; they are taken in order.
    """
    pages: dict[tuple[str, int], Field] = {}
    seen: Counter[str] = Counter()
    for one in images.fields:
        pages[one.file_id, seen[one.file_id]] = one
        seen[one.file_id] += 1
    fields, wanted = [], Counter[str]()
    for field in stated:
        page = pages.get((field.file_id, wanted[field.file_id]))
        wanted[field.file_id] += 1
        fields.append(field if page is None else _joined(field, page))
    if all(isinstance(one.source, AbsentSource) for one in fields):
        problem = f"none of its {len(fields)} fields is among the images of {images.name}"
        raise InputError(problem, subject=str(folder), hint="give the very images that were analysed, unchanged")
    return tuple(fields)


def _joined(stated: Field, page: Field) -> Field:
    if (stated.width, stated.height) != (page.width, page.height):
        problem = f"is {page.width} x {page.height} pixels, and {stated.width} x {stated.height} were analysed"
        raise InputError(problem, subject=page.name, hint="give the very images that were analysed")
    return replace(page, name=stated.name)
