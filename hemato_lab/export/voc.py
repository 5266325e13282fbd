"""Cells as Pascal VOC annotations: an XML file a field, boxes in whole pixels that count from 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import numpy as np

from hemato_lab import __version__
from hemato_lab.detections import OPERATING_SCORE
from hemato_lab.export.archive import index, stems_of, zipped
from hemato_lab.export.characters import printable, storable
from hemato_lab.export.images import image_files
from hemato_lab.export.shapes import boxes
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis
    from hemato_lab.detections import Detections

ANNOTATIONS_FOLDER: Final = "Annotations"
IMAGES_FOLDER: Final = "JPEGImages"
_SIDES: Final = ("xmin", "ymin", "xmax", "ymax")


def render(analysis: Analysis, *, include_images: bool = False) -> bytes:
    """Return a ZIP archive of the annotations; the images are in it if asked for.

    As in the kit of the challenge, the first pixel is (1, 1) and the last pixel of a box belongs to it. A cell below
    the operating score is difficult, and so is one without a score.

    Raises
    ------
    ConfigError
        If a cell lies outside its field, or there are too many pixels to pack.
    InputError
        If pixels can no longer be read.
    """
    stems = stems_of(analysis)
    names = [f"{stem}.png" for stem in stems] if include_images else [one.name for one in analysis.smear.fields]
    annotations = [
        (f"{ANNOTATIONS_FOLDER}/{stem}.xml", _annotation(analysis, field, name))
        for field, (stem, name) in enumerate(zip(stems, names, strict=True))
    ]
    images = image_files(analysis, folder=IMAGES_FOLDER) if include_images else ()
    return zipped((index(analysis), *annotations, *images))


def _annotation(analysis: Analysis, field: int, file_name: str) -> bytes:
    one, cells = analysis.smear.fields[field], analysis.cells_of(field)
    root = ET.Element("annotation")
    # A comment cannot end early: the notice and the version hold no hyphens in a row.
    root.append(ET.Comment(f" {RESEARCH_USE_NOTICE} "))
    _add(root, "folder", IMAGES_FOLDER)
    _add(root, "filename", file_name)
    source = ET.SubElement(root, "source")
    _add(source, "database", f"hemato_lab {__version__}")
    size = ET.SubElement(root, "size")
    for key, value in (("width", one.width), ("height", one.height), ("depth", 3)):
        _add(size, key, value)
    _add(root, "segmented", 0)
    pixels = _in_whole_pixels(cells, analysis, field)
    for row in range(len(cells)):
        _object(root, cells, row, pixels[row])
    ET.indent(root, " ")
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _in_whole_pixels(cells: Detections, analysis: Analysis, field: int) -> list[list[int]]:
    """Return the first and last pixel of each box, counted from 1."""
    corners = boxes(cells, analysis.smear.fields[field])
    first = np.floor(corners[:, :2]) + 1
    last = np.maximum(np.ceil(corners[:, 2:]), first)
    whole: list[list[int]] = np.concatenate([first, last], axis=1).astype(int).tolist()
    return whole


def _object(root: ET.Element, cells: Detections, row: int, sides: list[int]) -> None:
    one = ET.SubElement(root, "object")
    _add(one, "name", str(cells["name"][row]))
    _add(one, "pose", "Unspecified")
    _add(one, "truncated", _flag(cells, "on_border", row))
    _add(one, "difficult", int(not cells["score"][row] >= OPERATING_SCORE))
    _add(one, "occluded", _flag(cells, "overlapped", row))
    box = ET.SubElement(one, "bndbox")
    for key, value in zip(_SIDES, sides, strict=True):
        _add(box, key, value)


def _flag(cells: Detections, column: str, row: int) -> int:
    return int(column in cells.columns and bool(cells[column][row] == 1))


def _add(parent: ET.Element, tag: str, value: object) -> None:
    ET.SubElement(parent, tag).text = printable(storable(str(value)))
