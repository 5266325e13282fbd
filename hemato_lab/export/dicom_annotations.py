"""Cells as DICOM Microscopy Bulk Simple Annotations; this module loads highdicom and is imported when it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.ann import (
    AnnotationCoordinateTypeValues,
    AnnotationGroup,
    GraphicTypeValues,
    Measurements,
    MicroscopyBulkSimpleAnnotations,
)
from highdicom.ann import AnnotationGroupGenerationTypeValues as Made
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.color import CIELabColor
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from hemato_lab import __version__
from hemato_lab.detections import REVIEWED
from hemato_lab.export.categories import category_of
from hemato_lab.export.dicom_image import MAKER, STAND_IN_DATE, STAND_IN_TIME, identify_by_content, uid
from hemato_lab.export.shapes import PIXEL_CORNER, ellipses
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.vocabulary import TERMS, term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from hemato_lab.analysis import Analysis
    from hemato_lab.detections import Detections
    from hemato_lab.smear import Scale

SCHEME: Final = "99HEMATOLAB"
"""Of our own codes; its meanings are the names of the vocabulary."""
DECIDED: Final = ", decided by a reader"
"""After the name in the label of a group: its cells are not the software's alone."""
_ENDS_OF_AXES: Final = [0, 2, 1, 3]
"""The order that DICOM wants of the four points of an ellipse: both ends of the major axis, then of the minor."""


def bulk_annotations(analysis: Analysis, field: int, image: Dataset) -> MicroscopyBulkSimpleAnnotations:
    """Return the cells of one field.

    Parameters
    ----------
    analysis : Analysis
        Whose smear has a scale.
    field : int
        Index of a field that has cells.
    image : Dataset
        Of `dicom_image.whole_slide_image` for this field.

    Raises
    ------
    ConfigError
        If a cell has no place, or a name that is no cell's.
    """
    cells, scale = analysis.cells_of(field), analysis.smear.scale
    groups = [_group(own, number, uid("group", number), scale) for number, own in enumerate(_groups_of(cells), start=1)]
    scheme = CodingSchemeIdentificationItem(SCHEME, name="hemato_lab", version=__version__)
    annotations = MicroscopyBulkSimpleAnnotations(
        source_images=[image],
        annotation_coordinate_type=AnnotationCoordinateTypeValues.SCOORD3D,
        annotation_groups=groups,
        series_instance_uid=uid("series"),
        series_number=2 * field + 2,
        sop_instance_uid=uid("instance"),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        software_versions=__version__,
        device_serial_number="none",
        content_label="CANDIDATES",
        content_description=RESEARCH_USE_NOTICE,
        content_date=STAND_IN_DATE,
        content_time=STAND_IN_TIME,
        coding_schemes=[scheme],
    )
    _forget_when(annotations)
    digest = identify_by_content(annotations)
    for number, group in enumerate(annotations.AnnotationGroupSequence, start=1):
        group.AnnotationGroupUID = uid("group", digest, number)
    return annotations


def _groups_of(cells: Detections) -> Iterator[Detections]:
    """Yield the cells of each name in the order of the vocabulary, those that a reader decided on by themselves."""
    reviewed = cells[REVIEWED] > 0 if REVIEWED in cells.columns else np.zeros(len(cells), bool)
    for name in TERMS:
        for decided in (False, True):
            own = cells.select((cells["name"] == name) & (reviewed == decided))
            if len(own):
                yield own


def _forget_when(annotations: Dataset) -> None:
    """Leave out when the file was made, so that it is the same each time."""
    del annotations.InstanceCreationDate, annotations.InstanceCreationTime
    for equipment in annotations.get("ContributingEquipmentSequence", []):
        equipment.pop("ContributionDateTime", None)


def _group(cells: Detections, number: int, identity: str, scale: Scale | None) -> AnnotationGroup:
    name = str(cells["name"][0])
    decided = REVIEWED in cells.columns and bool(cells[REVIEWED][0] > 0)
    return AnnotationGroup(
        number=number,
        uid=identity,
        label=f"{name}{DECIDED if decided else ''}",
        annotated_property_category=codes.SCT.AnatomicalStructure,
        annotated_property_type=Code(f"cell-{category_of(name)}", SCHEME, name),
        graphic_type=GraphicTypeValues.ELLIPSE,
        graphic_data=list(_on_the_slide(cells, scale)),
        algorithm_type=Made.SEMIAUTOMATIC if decided else Made.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=MAKER, family=codes.DCM.ArtificialIntelligence, version=__version__
        ),
        measurements=_measurements(cells),
        display_color=CIELabColor.from_string(term(name).colour),
    )


def _on_the_slide(cells: Detections, scale: Scale | None) -> NDArray[np.float32]:
    """Return the ends of both axes in mm, shape (n, 4, 3)."""
    mm_per_px = (1.0 if scale is None else scale.um_per_px) / 1000
    ends = ellipses(cells, scale).outlines(4)[:, _ENDS_OF_AXES] - PIXEL_CORNER
    flat = np.zeros((len(cells), 4, 1))
    return np.concatenate([ends * [mm_per_px, -mm_per_px], flat], axis=2).astype(np.float32)


def _measurements(cells: Detections) -> list[Any]:
    score = Code("score", SCHEME, "confidence score")
    found = [Measurements(score, cells["score"], codes.UCUM.NoUnits)]
    if "area_um2" in cells.columns:
        found.append(Measurements(codes.SCT.Area, cells["area_um2"], codes.UCUM.SquareMicrometer))
    return found
