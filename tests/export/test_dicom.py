from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import highdicom
import numpy as np
import pytest
from highdicom.ann import AnnotationCoordinateTypeValues, annread
from highdicom.spatial import ReferenceToPixelTransformer
from pydicom import dcmread

from hemato_lab import export
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.vocabulary import term

if TYPE_CHECKING:
    from highdicom.ann import MicroscopyBulkSimpleAnnotations
    from pydicom.dataset import Dataset

    from hemato_lab.analysis import Analysis


def files(analysis: Analysis) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(export.render(analysis, "dicom"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def image_of(content: dict[str, bytes], stem: str) -> Dataset:
    return dcmread(io.BytesIO(content[f"images/{stem}.dcm"]))


def annotations_of(content: dict[str, bytes], stem: str) -> MicroscopyBulkSimpleAnnotations:
    return annread(io.BytesIO(content[f"annotations/{stem}.dcm"]))


def test_the_tiles_make_up_the_field(measured: Analysis):
    content = files(measured)
    for field, stem in enumerate(("first", "second")):
        image = highdicom.imread(io.BytesIO(content[f"images/{stem}.dcm"]))
        pixels = image.get_total_pixel_matrix(apply_icc_profile=False)
        assert np.array_equal(pixels, measured.smear.fields[field].read())
        assert image.NumberOfFrames == (2 if field == 0 else 4)
    assert image_of(content, "first").LossyImageCompression == "00"
    assert image_of(content, "second").LossyImageCompression == "01", "it was a JPEG"
    assert image_of(content, "second").LossyImageCompressionRatio > 1


def test_cells_lie_on_the_pixels_where_they_were_found(measured: Analysis):
    content = files(measured)
    for field, stem in enumerate(("first", "second")):
        image, annotations = image_of(content, stem), annotations_of(content, stem)
        origin = image.TotalPixelMatrixOriginSequence[0]
        to_pixels = ReferenceToPixelTransformer(
            image_position=(origin.XOffsetInSlideCoordinateSystem, origin.YOffsetInSlideCoordinateSystem, 0.0),
            image_orientation=image.ImageOrientationSlide,
            pixel_spacing=image.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing,
            round_output=False,
        )
        assert annotations.annotation_coordinate_type == AnnotationCoordinateTypeValues.SCOORD3D
        assert annotations.FrameOfReferenceUID == image.FrameOfReferenceUID
        cells = measured.cells_of(field)
        for group in annotations.get_annotation_groups():
            own = cells.named(group.label)
            ends = group.get_graphic_data(AnnotationCoordinateTypeValues.SCOORD3D)
            assert len(ends) == len(own) == group.number_of_annotations
            for row, points in enumerate(ends):
                pixels = to_pixels(points.astype(float))[:, :2]
                assert pixels.mean(axis=0) == pytest.approx((own["x"][row], own["y"][row]), abs=1e-3)
                major, minor = np.hypot(*(pixels[0] - pixels[1])), np.hypot(*(pixels[2] - pixels[3]))
                if np.isfinite(own["area_um2"][row]):
                    assert np.pi / 4 * major * minor * 0.01 == pytest.approx(own["area_um2"][row], rel=1e-4)
                else:
                    assert (major, minor) == pytest.approx((2 * own["radius"][row],) * 2, rel=1e-4)


def test_groups_have_names_colours_scores_and_areas(measured: Analysis):
    annotations = annotations_of(files(measured), "first")
    groups = annotations.get_annotation_groups()
    assert [group.label for group in groups] == ["RBC", "sickle cell"], "in the order of the vocabulary"
    for group in groups:
        own = measured.cells_of(0).named(group.label)
        names, values, units = group.get_measurements()
        assert [name.meaning for name in names] == ["confidence score", "Area"]
        assert [unit.value for unit in units] == ["1", "um2"]
        assert np.allclose(values, np.stack([own["score"], own["area_um2"]], axis=1), equal_nan=True)
        assert group.annotated_property_type.meaning == group.label
        assert group.annotated_property_type.scheme_designator == "99HEMATOLAB"
        assert group.algorithm_identification.version
        shown = highdicom.color.CIELabColor.from_dicom_value(group.RecommendedDisplayCIELabValue).to_rgb(clip=True)
        expected = bytes.fromhex(term(group.label).colour[1:])
        assert np.abs(np.array(shown) - list(expected)).max() <= 2
    scheme = annotations.CodingSchemeIdentificationSequence[0]
    assert scheme.CodingSchemeDesignator == "99HEMATOLAB"
    assert (
        annotations.ReferencedImageSequence[0].ReferencedSOPInstanceUID
        == annotations.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID
    )


def test_what_the_standard_demands_is_there(measured: Analysis):
    from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map

    content = files(measured)
    modules, attributes = get_iod_module_map(), get_module_attribute_map()
    for iod, dataset in (
        ("vl-whole-slide-microscopy-image", image_of(content, "second")),
        ("microscopy-bulk-simple-annotations", dcmread(io.BytesIO(content["annotations/second.dcm"]))),
    ):
        wanted = [
            (attribute["keyword"], attribute["type"])
            for module in modules[iod]
            if module["usage"] == "M"
            for attribute in attributes[module["key"]]
            if not attribute["path"] and attribute["type"] in {"1", "2"}
        ]
        assert len(wanted) > 20
        missing = [keyword for keyword, _ in wanted if keyword not in dataset]
        assert missing == []
        assert [keyword for keyword, kind in wanted if kind == "1" and dataset[keyword].is_empty] == []


def test_nothing_is_of_a_patient_and_dates_are_stand_ins(measured: Analysis):
    content = files(measured)
    for name in (name for name in content if name.endswith(".dcm")):
        dataset = dcmread(io.BytesIO(content[name]))
        assert [str(dataset[key].value or "") for key in ("PatientName", "PatientID", "PatientBirthDate")] == [""] * 3
        assert dataset.ContentDate == "19000101"
        assert "InstanceCreationDate" not in dataset
        assert b"first.png" not in content[name]
        assert b"one/" not in content[name]
    assert image_of(content, "first").PatientIdentityRemoved == "YES"
    assert image_of(content, "first").ImageComments == RESEARCH_USE_NOTICE
    assert annotations_of(content, "first").ContentDescription == RESEARCH_USE_NOTICE


def test_uids_are_different_and_the_same_each_time(measured: Analysis):
    first, second = files(measured), files(measured)
    assert first == second
    images = [image_of(first, stem) for stem in ("first", "second")]
    notes = [annotations_of(first, stem) for stem in ("first", "second")]
    assert len({one.SOPInstanceUID for one in (*images, *notes)}) == 4
    assert len({one.SeriesInstanceUID for one in (*images, *notes)}) == 4
    assert len({one.FrameOfReferenceUID for one in images}) == 2
    assert len({one.StudyInstanceUID for one in (*images, *notes)}) == 1
    assert all(one.SOPInstanceUID.is_valid for one in images)


def test_without_a_scale_there_is_no_image(empty_analysis: Analysis):
    with pytest.raises(ConfigError, match="no DICOM image without a pixel size"):
        export.render(empty_analysis, "dicom")
