"""ZIP archives that are the same bytes for the same files, and whose names cannot leave the folder they are put in."""

from __future__ import annotations

import io
import json
import re
import unicodedata
import zipfile
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.export.characters import storable
from hemato_lab.formats.sniffing import SUFFIXES
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hemato_lab.analysis import Analysis

NOTICE_FILE: Final = "NOTICE.txt"
INDEX_FILE: Final = "fields.json"
_FIRST_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest that a ZIP can say; the same in every archive."""
_ON_UNIX: Final = 3
_ORDINARY_FILE: Final = 0o100644
_PACKED: Final = (".png", ".jpg")
_ENDING: Final = re.compile(rf"({'|'.join(map(re.escape, SUFFIXES))})$", re.IGNORECASE)
_UNFIT: Final = re.compile(r"[^\w .()+-]")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d) *(\.|$)", re.IGNORECASE)
_LONGEST_STEM: Final = 60
"""Characters: short enough for every file system when each takes four bytes."""


def zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a ZIP archive of files, in their order, after the research-use notice.

    Parameters
    ----------
    files : iterable of (name, content)
        Names with ``/`` between folder and file; every part of them is ours or of `stems`.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in ((NOTICE_FILE, f"{RESEARCH_USE_NOTICE}\n".encode()), *files):
            entry = zipfile.ZipInfo(name, _FIRST_DATE)
            entry.create_system = _ON_UNIX
            entry.external_attr = _ORDINARY_FILE << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(_PACKED) else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return stream.getvalue()


def stems(names: Sequence[str]) -> tuple[str, ...]:
    """Return a file name without ending for each name of a field: fit for every file system, no two the same.

    A usual name loses nothing but its folder and the ending of an image, so that files of annotations pair with their
    images by name; folders stay in where names would be the same without them. What means something to a file system
    becomes ``_``. Names of files may say who a patient is: they go into archives as they are.
    """
    alone = [_stem(re.split(r"[/\\]", name)[-1]) for name in names]
    plain_stems = alone if len({stem.casefold() for stem in alone}) == len(names) else [_stem(name) for name in names]
    taken: set[str] = set()
    found = []
    for plain in plain_stems:
        stem, number = plain, 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{plain}-{number}"
        taken.add(stem.casefold())
        found.append(stem)
    return tuple(found)


def _stem(name: str) -> str:
    composed = unicodedata.normalize("NFC", name)
    fit = _UNFIT.sub("_", _ENDING.sub("", composed)).strip(" .-")[:_LONGEST_STEM].rstrip(" .")
    if not fit.strip("_"):
        return "field"
    return f"_{fit}" if _RESERVED.match(fit) else fit


def index(analysis: Analysis, files: Mapping[int, str] | None = None, *, named: bool = True) -> tuple[str, bytes]:
    """Return the file that says which field each file of an archive is of, its size in pixels and number of cells.

    Parameters
    ----------
    analysis : Analysis
        Of which no pixels are used.
    files : mapping of int to str, or None
        Index of each field that is in the archive, and its file's name without ending; None stands for all fields
        under their own names.
    named : bool
        Whether the names of fields are told; names of files may say who the patient is.
    """
    files = dict(enumerate(stems_of(analysis))) if files is None else files
    fields = analysis.smear.fields
    counts = np.bincount(analysis.detections["field"], minlength=len(fields))
    rows = [
        {
            "file": stem,
            **({"field": storable(fields[place].name)} if named else {}),
            "file_id": storable(fields[place].file_id),
            "width": fields[place].width,
            "height": fields[place].height,
            "cells": int(counts[place]),
        }
        for place, stem in files.items()
    ]
    scale = analysis.smear.scale
    listed = {
        "notice": RESEARCH_USE_NOTICE,
        "pbs_study_id": storable(analysis.report.pbs_study_id),
        "um_per_px": None if scale is None else scale.um_per_px,
        "fields": rows,
    }
    return INDEX_FILE, f"{json.dumps(listed, indent=1)}\n".encode("ascii")


def stems_of(analysis: Analysis) -> tuple[str, ...]:
    """Return the file name without ending of each field of an analysis."""
    return stems([one.name for one in analysis.smear.fields])
