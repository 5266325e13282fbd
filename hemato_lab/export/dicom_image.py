"""A field as a DICOM VL Whole Slide Microscopy Image; this module loads pydicom and is imported when it is wanted.

Each field is a slide of its own: where fields lie to each other is not known. The slide coordinates have their origin
in the centre of the first pixel, x to the right and y up: a cell at (x, y) pixels lies at (x, -y) times the pixel size.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Final
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, ExplicitVRLittleEndian, VLWholeSlideMicroscopyImageStorage
from pydicom.valuerep import format_number_as_ds

from hemato_lab import __version__
from hemato_lab.export.losses import loss_of
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.smear import Window

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

    from hemato_lab.analysis import Analysis
    from hemato_lab.smear import Field

TILE: Final = 512
"""Side of a frame in pixels, at most."""
STAND_IN_DATE: Final = "19000101"
STAND_IN_TIME: Final = "000000"
"""Where a date must stand and none is known, as DICOM PS3.15 replaces dates; the files say that dates were removed."""
MAKER: Final = "hemato_lab"
_FILM_UM: Final = 1.0
"""Depth of the imaged volume where none is known: less than the depth of field of an oil immersion."""
_WHITE: Final = 255
_TYPE: Final = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
_NOT_LOOKED_AT: Final = "no data of a patient was read; pixels were not looked at"
"""DICOM demands a word on labels and writing in the image: who relies on it must know that nobody looked."""
_LOSS_UNKNOWN: Final = "Not compressed here; whether compression with loss came before is not known."


def uid(*names: object) -> UID:
    """Return the same UID for the same names, made from a UUID."""
    return UID(f"2.25.{uuid5(NAMESPACE_URL, ascii(('hemato_lab:dicom', *names))).int}")


def content_of(dataset: Dataset) -> bytes:
    """Return a dataset as the bytes of a DICOM file."""
    stream = io.BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def identify_by_content(dataset: Dataset) -> str:
    """Give a dataset an instance and a series UID of its own content, and return the hash that they are made from.

    An archive for images keeps the first file of a UID: what differs in anything needs another one.

    Parameters
    ----------
    dataset : Dataset
        Complete but for these UIDs, which are the same in every file until now.
    """
    digest = hashlib.sha256(content_of(dataset)).hexdigest()
    dataset.SOPInstanceUID = uid("instance", digest)
    dataset.SeriesInstanceUID = uid("series", digest)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return digest


def whole_slide_image(analysis: Analysis, field: int) -> Dataset:
    """Return one field as a tiled image with a single level.

    Parameters
    ----------
    analysis : Analysis
        Whose smear has a scale.
    field : int
        Index of the field.

    Raises
    ------
    InputError
        If its pixels can no longer be read.
    """
    one = analysis.smear.fields[field]
    image = Dataset()
    _identify(image, analysis, field)
    _describe_specimen(image, analysis)
    _place(image, analysis, one)
    _describe_light(image)
    _fill(image, one)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    identify_by_content(image)
    return image


def _identify(image: Dataset, analysis: Analysis, field: int) -> None:
    study, scale = analysis.report.pbs_study_id, analysis.smear.scale
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = VLWholeSlideMicroscopyImageStorage
    image.SOPInstanceUID = uid(study, field, "image")
    image.StudyInstanceUID = uid(study)
    image.SeriesInstanceUID = uid(study, field, "images")
    image.FrameOfReferenceUID = uid(study, field, "slide", None if scale is None else scale.um_per_px)
    image.PositionReferenceIndicator = ""
    image.Modality = "SM"
    image.SeriesNumber, image.InstanceNumber = 2 * field + 1, 1
    image.SeriesDescription = f"field {field + 1} of a blood smear"
    image.ImageComments = RESEARCH_USE_NOTICE
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"):
        setattr(image, keyword, "")
    for keyword in ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID"):
        setattr(image, keyword, "")
    image.DeidentificationMethod = _NOT_LOOKED_AT
    image.LongitudinalTemporalInformationModified = "REMOVED"
    image.ContentDate, image.ContentTime = STAND_IN_DATE, STAND_IN_TIME
    image.AcquisitionDateTime = STAND_IN_DATE + STAND_IN_TIME
    image.Manufacturer = image.ManufacturerModelName = MAKER
    image.SoftwareVersions = __version__
    image.DeviceSerialNumber = "none"


def _describe_specimen(image: Dataset, analysis: Analysis) -> None:
    specimen = Dataset()
    specimen.SpecimenIdentifier = "smear"
    specimen.SpecimenUID = uid(analysis.report.pbs_study_id, "smear")
    specimen.SpecimenShortDescription = "peripheral blood smear"
    specimen.IssuerOfTheSpecimenIdentifierSequence = []
    specimen.SpecimenPreparationSequence = []
    image.ContainerIdentifier = "smear"
    image.IssuerOfTheContainerIdentifierSequence = []
    image.ContainerTypeCodeSequence = [coded(codes.SCT.MicroscopeSlide)]
    image.SpecimenDescriptionSequence = [specimen]
    image.AcquisitionContextSequence = []


def coded(code: Code) -> Dataset:
    """Return a code as the item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def _place(image: Dataset, analysis: Analysis, field: Field) -> None:
    """State the size of pixels, and where they lie on the slide."""
    scale = analysis.smear.scale
    um_per_px = 1.0 if scale is None else scale.um_per_px
    spacing = format_number_as_ds(um_per_px / 1000)
    measures, origin, organisation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [spacing, spacing]
    measures.SliceThickness = format_number_as_ds(_FILM_UM / 1000)
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = "0"
    organisation.DimensionOrganizationUID = uid(analysis.report.pbs_study_id, field.file_id, "tiles")
    image.TotalPixelMatrixColumns, image.TotalPixelMatrixRows = field.width, field.height
    image.TotalPixelMatrixOriginSequence = [origin]
    image.TotalPixelMatrixFocalPlanes = 1
    image.ImageOrientationSlide = [1, 0, 0, 0, -1, 0]
    image.ImagedVolumeWidth = field.width * um_per_px / 1000
    image.ImagedVolumeHeight = field.height * um_per_px / 1000
    image.ImagedVolumeDepth = _FILM_UM
    image.DimensionOrganizationType = "TILED_FULL"
    image.DimensionOrganizationSequence = [organisation]
    image.SharedFunctionalGroupsSequence = [_shared(measures)]


def _shared(measures: Dataset) -> Dataset:
    shared, path, frame_type = Dataset(), Dataset(), Dataset()
    path.OpticalPathIdentifier = "1"
    frame_type.FrameType = _TYPE
    shared.PixelMeasuresSequence = [measures]
    shared.OpticalPathIdentificationSequence = [path]
    shared.WholeSlideMicroscopyImageFrameTypeSequence = [frame_type]
    return shared


def _describe_light(image: Dataset) -> None:
    path = Dataset()
    path.OpticalPathIdentifier = "1"
    path.OpticalPathDescription = "bright field"
    path.IlluminationTypeCodeSequence = [coded(codes.DCM.BrightfieldIllumination)]
    path.IlluminationColorCodeSequence = [coded(codes.cid8122.FullSpectrum)]
    path.ICCProfile, path.ColorSpace = _srgb(), "SRGB"
    image.OpticalPathSequence = [path]
    image.NumberOfOpticalPaths = 1
    image.FocusMethod, image.ExtendedDepthOfField = "MANUAL", "NO"
    image.SpecimenLabelInImage = image.BurnedInAnnotation = "NO"
    image.VolumetricProperties = "VOLUME"


def _srgb() -> bytes:
    """Return the profile of sRGB, with a date that is always the same."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes()
    return bytes(profile)


def _fill(image: Dataset, field: Field) -> None:
    """Add the pixels, tile by tile, white where a tile reaches beyond the field."""
    columns, rows = min(TILE, field.width), min(TILE, field.height)
    frames = []
    for y in range(0, field.height, rows):
        for x in range(0, field.width, columns):
            pixels = field.read(Window(x, y, x + columns, y + rows))
            frame = np.full((rows, columns, 3), _WHITE, np.uint8)
            frame[: pixels.shape[0], : pixels.shape[1]] = pixels
            frames.append(frame)
    image.ImageType = _TYPE
    image.Rows, image.Columns, image.NumberOfFrames = rows, columns, len(frames)
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
    _state_losses(image, field)
    content = b"".join(frame.tobytes() for frame in frames)
    image.PixelData = content + b"\0" * (len(content) % 2)


def _state_losses(image: Dataset, field: Field) -> None:
    """Say how pixels were compressed before, as far as their file tells."""
    loss = loss_of(field)
    image.LossyImageCompression = "00" if loss is None else "01"
    if loss is None:
        image.DerivationDescription = _LOSS_UNKNOWN
        return
    image.LossyImageCompressionMethod = loss.method
    image.LossyImageCompressionRatio = format_number_as_ds(round(loss.ratio, 2))
