from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import highdicom
import numpy as np
import pytest
from highdicom.ann import AnnotationCoordinateTypeValues, annread
from highdicom.spatial import ReferenceToPixelTransformer
from PIL import Image
from pydicom import dcmread

from hemato_lab import export
from hemato_lab.errors import ConfigError
from hemato_lab.formats import open_smear
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.smear import Scale
from hemato_lab.vocabulary import term

if TYPE_CHECKING:
    from pathlib import Path

    from highdicom.ann import MicroscopyBulkSimpleAnnotations
    from pydicom.dataset import Dataset

    from hemato_lab.analysis import Analysis

STEMS = ("field_01", "field_02")


def files(analysis: Analysis) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(export.render(analysis, "dicom"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def image_of(content: dict[str, bytes], stem: str) -> Dataset:
    return dcmread(io.BytesIO(content[f"images/{stem}.dcm"]))


def annotations_of(content: dict[str, bytes], stem: str) -> MicroscopyBulkSimpleAnnotations:
    return annread(io.BytesIO(content[f"annotations/{stem}.dcm"]))


def test_the_tiles_make_up_the_field(measured: Analysis):
    content = files(measured)
    for field, stem in enumerate(STEMS):
        image = highdicom.imread(io.BytesIO(content[f"images/{stem}.dcm"]))
        pixels = image.get_total_pixel_matrix(apply_icc_profile=False)
        assert np.array_equal(pixels, measured.smear.fields[field].read())
        assert image.NumberOfFrames == (2 if field == 0 else 4)
    assert image_of(content, "field_02").LossyImageCompression == "00"
    assert "is not known" in image_of(content, "field_02").DerivationDescription


@pytest.mark.parametrize("saved", [("a.jpg", {}), ("a.tif", {"compression": "jpeg"})])
def test_the_file_and_not_its_name_tells_of_losses(tmp_path: Path, measured: Analysis, saved: tuple[str, dict]):
    name, options = saved
    picture = Image.fromarray(measured.smear.fields[0].read())
    picture.save(tmp_path / name, **options)
    smear = replace(open_smear(tmp_path / name), scale=measured.smear.scale)
    cells = measured.cells_of(0)
    image = image_of(files(replace(measured, smear=smear, detections=cells)), "field_01")
    assert (image.LossyImageCompression, image.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    pixels = 600 * 400 * 3
    assert image.LossyImageCompressionRatio == pytest.approx(pixels / (tmp_path / name).stat().st_size, rel=0.02)


def test_cells_lie_on_the_pixels_where_they_were_found(measured: Analysis):
    content = files(measured)
    for field, stem in enumerate(STEMS):
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
    annotations = annotations_of(files(measured), "field_01")
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
        ("vl-whole-slide-microscopy-image", image_of(content, "field_02")),
        ("microscopy-bulk-simple-annotations", dcmread(io.BytesIO(content["annotations/field_02.dcm"]))),
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
    for name, written in content.items():
        assert "first" not in name
        assert b"first" not in written
        assert b"one/" not in written
    assert "PatientIdentityRemoved" not in image_of(content, "field_01"), "nobody looked at the pixels"
    assert "pixels were not looked at" in image_of(content, "field_01").DeidentificationMethod
    assert len(image_of(content, "field_01").DeidentificationMethod) <= 64
    assert image_of(content, "field_01").ImageComments == RESEARCH_USE_NOTICE
    assert annotations_of(content, "field_01").ContentDescription == RESEARCH_USE_NOTICE


def test_uids_are_different_and_the_same_each_time(measured: Analysis):
    first, second = files(measured), files(measured)
    assert first == second
    images = [image_of(first, stem) for stem in STEMS]
    notes = [annotations_of(first, stem) for stem in STEMS]
    assert len({one.SOPInstanceUID for one in (*images, *notes)}) == 4
    assert len({one.SeriesInstanceUID for one in (*images, *notes)}) == 4
    assert len({one.FrameOfReferenceUID for one in images}) == 2
    assert len({one.StudyInstanceUID for one in (*images, *notes)}) == 1
    assert all(one.SOPInstanceUID.is_valid for one in images)


def test_another_content_has_another_uid(measured: Analysis):
    cells = measured.detections
    fewer = replace(measured, detections=cells.select(np.arange(len(cells)) != 1))
    wider = replace(measured, smear=replace(measured.smear, scale=Scale.from_um_per_px(0.2)))
    first, second, third = (files(one) for one in (measured, fewer, wider))
    for name in (name for name in first if name.endswith(".dcm")):
        for other in (second, third):
            same = first[name] == other[name]
            read = [dcmread(io.BytesIO(one[name])) for one in (first, other)]
            for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
                assert (read[0][keyword].value == read[1][keyword].value) == same
            assert read[0].file_meta.MediaStorageSOPInstanceUID == read[0].SOPInstanceUID
    assert first["annotations/field_01.dcm"] != second["annotations/field_01.dcm"]
    assert first["images/field_01.dcm"] == second["images/field_01.dcm"]
    frames = [image_of(one, "field_01").FrameOfReferenceUID for one in (first, third)]
    assert frames[0] != frames[1], "other places in mm"
    groups = [[g.uid for g in annotations_of(one, "field_01").get_annotation_groups()] for one in (first, second)]
    assert not set(groups[0]) & set(groups[1])


def test_what_a_reader_decided_is_not_called_automatic(measured: Analysis):
    reviewed = np.array([0.0, 3, 1, 0, 0, 0])
    corrected = replace(measured, detections=measured.detections.with_columns(reviewed=reviewed))
    groups = annotations_of(files(corrected), "field_01").get_annotation_groups()
    assert [(one.label, one.algorithm_type.value) for one in groups] == [
        ("RBC", "AUTOMATIC"),
        ("RBC, decided by a reader", "SEMIAUTOMATIC"),
        ("sickle cell, decided by a reader", "SEMIAUTOMATIC"),
    ]


def test_without_a_scale_there_is_no_image(empty_analysis: Analysis):
    with pytest.raises(ConfigError, match="no DICOM image without a pixel size"):
        export.render(empty_analysis, "dicom")
