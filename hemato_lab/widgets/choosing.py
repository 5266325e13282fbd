"""`view`: the widget that fits what is to be looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hemato_lab.analysis import Analysis
from hemato_lab.api import RemoteStudy
from hemato_lab.comparison import Comparison
from hemato_lab.errors import ConfigError
from hemato_lab.evaluation.dataset import ANNOTATIONS_FILE, DetectionSet, read_dataset
from hemato_lab.export.reading import REPORT_FILE, holds_results, read_analysis
from hemato_lab.formats import open_smear
from hemato_lab.report import Report
from hemato_lab.smear import Smear
from hemato_lab.widgets.placing import place_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.detections import Detections
    from hemato_lab.widgets.comparison_viewer import ComparisonViewer
    from hemato_lab.widgets.smear_review import SmearReview
    from hemato_lab.widgets.smear_viewer import SmearViewer

    Path_ = str | os.PathLike[str]
    Images = Smear | Path_ | Sequence[Path_]
    Shown = SmearViewer | SmearReview | ComparisonViewer


def view(
    x: Smear | Analysis | Comparison | RemoteStudy | Report | DetectionSet | Path_,
    *,
    smear: Images | None = None,
    decisions: Path_ | None = None,
    reader: str = "",
    blind: bool = False,
) -> Shown:
    """Show whatever it is: deep zoom, with review where cells are known, side by side where two readings are.

    Parameters
    ----------
    x : Smear, Analysis, Comparison, RemoteStudy, Report, DetectionSet or path
        A smear opens in a viewer, an analysis in a review, a comparison in a comparison viewer. A report or remote
        study is drawn on `smear`. A path names images (a file, folder, ZIP or slide), a folder of annotated images,
        a report's file, or the folder of results that ``hemato-lab analyze`` wrote.
    smear : Smear, path or list of paths, optional
        The images that were read, where `x` does not hold their pixels.
    decisions : path, optional
        Of a review: file of the log of decisions; default a place of the user's own for this smear.
    reader : str
        Of a review: a free label of who decides, kept with each decision; never a patient.
    blind : bool
        Of a review: a second reading, in which names, scores and earlier decisions are hidden.

    Returns
    -------
    SmearViewer, SmearReview or ComparisonViewer
        Shown by a notebook when it is the last line of a cell; ``to_html()`` makes a page of it.

    Raises
    ------
    ConfigError
        If this is nothing that can be shown, images are needed and not given, or given images are not those.
    InputError
        If images cannot be read.
    ReportFormatError, DatasetError
        If a file does not follow its format.
    DecisionLogError
        If the log of decisions cannot be used.
    """
    if isinstance(x, str | os.PathLike):
        return _of_path(Path(x), smear, decisions, reader, blind=blind)
    if isinstance(x, Analysis):
        return _review(x, decisions, reader, blind=blind)
    if decisions is not None or reader or blind:
        raise ConfigError(
            f"decisions cannot be made on a {type(x).__name__}", hint="analyse the smear first and show the analysis"
        )
    if isinstance(x, Comparison):
        from hemato_lab.widgets.comparison_viewer import ComparisonViewer

        return ComparisonViewer(x, smear=None if smear is None else _opened(smear))
    if isinstance(x, Smear):
        return _viewer(x)
    if isinstance(x, DetectionSet):
        return _annotations(x, smear)
    if isinstance(x, Report | RemoteStudy):
        return _reading(x, smear)
    raise ConfigError(
        f"a {type(x).__name__} cannot be shown",
        hint="give a Smear, an Analysis, a Comparison, a report with smear=, or a path",
    )


def _of_path(path: Path, smear: Images | None, decisions: Path_ | None, reader: str, *, blind: bool) -> Shown:
    if holds_results(path):
        return _review(read_analysis(path, smear), decisions, reader, blind=blind)
    if decisions is not None or reader or blind:
        problem = "decisions are made on the cells of an analysis, and here are none"
        raise ConfigError(problem, subject=str(path), hint="analyse the images first and show the analysis")
    if path.is_dir() and (path / ANNOTATIONS_FILE).is_file():
        return _annotated_folder(path, smear)
    if path.suffix.lower() == ".json":
        return _annotated_folder(path.parent, smear) if path.name == ANNOTATIONS_FILE else _reading(path, smear)
    if path.is_dir() and (path / REPORT_FILE).is_file():
        return _reading(path, smear)
    return _viewer(open_smear(path))


def _annotated_folder(folder: Path, smear: Images | None) -> SmearViewer:
    dataset = read_dataset(folder)
    return _annotations(dataset, smear) if isinstance(dataset, DetectionSet) else _viewer(open_smear(folder))


def _annotations(dataset: DetectionSet, smear: Images | None) -> SmearViewer:
    opened = _annotated_images(dataset) if smear is None else _opened(smear)
    return _reading(dataset, opened)


def _annotated_images(dataset: DetectionSet) -> Smear:
    """Open the images of a set; where its red cells measure much the same, that is the scale."""
    diameters = [one for image in dataset.images if (one := dataset.cell_diameter_px(image)) is not None]
    diameter = diameters[0] if diameters and max(diameters) == min(diameters) else None
    return open_smear([image.path for image in dataset.images], rbc_diameter_px=diameter, name=dataset.name)


def _reading(reading: Report | RemoteStudy | DetectionSet | Path, smear: Images | None) -> SmearViewer:
    if smear is None:
        subject = str(reading) if isinstance(reading, Path) else ""
        problem = "a report holds no pixels, so there is nothing to draw its places on"
        raise ConfigError(problem, subject=subject, hint="give the images that were read as smear=")
    opened = _opened(smear)
    placed = place_on(opened, reading)
    return _viewer(opened, placed.detections, placed.remarks)


def _opened(smear: Images) -> Smear:
    return smear if isinstance(smear, Smear) else open_smear(smear)


def _viewer(smear: Smear, detections: Detections | None = None, remarks: tuple[str, ...] = ()) -> SmearViewer:
    from hemato_lab.widgets.smear_viewer import SmearViewer

    return SmearViewer(smear, detections, remarks=remarks)


def _review(analysis: Analysis, decisions: Path_ | None, reader: str, *, blind: bool) -> SmearReview:
    from hemato_lab.widgets.smear_review import SmearReview

    return SmearReview(analysis, decisions=decisions, reader=reader, blind=blind)
