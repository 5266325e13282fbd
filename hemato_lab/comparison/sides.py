"""Whatever can be compared, brought to one form: files, what is listed in them, and the report."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from hemato_lab.analysis import Analysis
from hemato_lab.api import RemoteStudy
from hemato_lab.api.study_document import is_study_document, read_study
from hemato_lab.comparison.listing import FARTHEST_PX, LARGEST_RADIUS_PX, LONGEST_NAME, Listed, Row, sane_radius
from hemato_lab.comparison.results_folder import CELLS_FILE, REPORT_FILE, read_bytes, read_cells, read_report
from hemato_lab.errors import ConfigError, ReportFormatError
from hemato_lab.evaluation.dataset import ANNOTATIONS_FILE, DetectionSet, read_dataset
from hemato_lab.report import Report
from hemato_lab.report.document import number_of, parse
from hemato_lab.vocabulary import PLATELET, RBC, TERMS, WBC, detector_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Kind = Literal["analysis", "report", "remote study", "annotations"]
UNREMARKABLE: Final = frozenset(
    {RBC, WBC, PLATELET, "normal RBC", "uncategorised RBC", "uninfected RBC", "unclassified WBC", "benign"}
)
"""Names that a report does not list one by one."""
_LEAST_DIAMETER_PX: Final = 1.0
"""Of a red cell; less is no diameter of anything that can be seen."""
Source = Analysis | Report | RemoteStudy | DetectionSet | str | os.PathLike[str]
"""What can be compared."""


@dataclass(frozen=True, slots=True)
class SideFile:
    """One image of a side.

    Attributes
    ----------
    name : str
        For people; empty where only an id is known.
    ids : frozenset of str
        By which it is known, here or by a service.
    rbc_diameter_px : float or None
        Of a red cell, where the reading says.
    covered : frozenset of str or None
        Names that were looked for all over this image; None for every name.
    """

    name: str
    ids: frozenset[str]
    rbc_diameter_px: float | None = None
    covered: frozenset[str] | None = None


@dataclass(frozen=True)
class Side:
    """One of two readings.

    Attributes
    ----------
    label : str
        For people: the name of the smear, study or set.
    kind : Kind
        What it was made from.
    files : tuple of SideFile
        Its images, in its order.
    findings : Listed
        What its report lists, in files that it names; empty for annotations.
    cells : Listed or None
        Every cell, where more is known than the report lists; None for a report.
    unplaced : mapping of str to int
        By finding, entries that name no file (api/DECISIONS.md row 18): their counts can be compared, not their places.
    report : Report or None
        None for annotations.
    misplaced : int
        Entries of the report at places that are in no image.
    ignored : Listed
        What was marked as neither one thing nor the other.
    analysis : Analysis or None
        For its pictures.
    """

    label: str
    kind: Kind
    files: tuple[SideFile, ...]
    findings: Listed
    cells: Listed | None = None
    unplaced: Mapping[str, int] = field(default_factory=dict)
    report: Report | None = None
    misplaced: int = 0
    ignored: Listed = field(default_factory=lambda: Listed.of_rows(()))
    analysis: Analysis | None = field(default=None, repr=False)

    def listed(self, *, findings_only: bool) -> Listed:
        """Return every cell where that is known and wanted, else what the report lists."""
        return self.findings if self.cells is None or (findings_only and self.report is not None) else self.cells

    def in_files(self, files: Sequence[int]) -> Side:
        """Return the part of the side that is about some of its images; the report stays whole."""
        numbers = {file: number for number, file in enumerate(files)}
        return replace(
            self,
            files=tuple(self.files[file] for file in files),
            findings=self.findings.in_files(numbers)[0],
            cells=None if self.cells is None else self.cells.in_files(numbers)[0],
            ignored=self.ignored.in_files(numbers)[0],
        )


def side_of(source: Source | Side, label: str = "") -> Side:
    """Bring a reading to the form that is compared.

    Parameters
    ----------
    source : Analysis, Report, RemoteStudy, DetectionSet, path, or Side
        A path names a report's JSON file, a study that was kept, a folder of results (``report.json``, with
        ``cells.csv`` all cells), or a folder (or its ``annotations.json``) of annotated images.
    label : str
        For people; empty takes the source's own name.

    Raises
    ------
    UnreadableInputError
        If a file cannot be read.
    ReportFormatError, DatasetError
        If it does not follow its format.
    ConfigError
        If this is nothing that can be compared.
    """
    if isinstance(source, Side):
        return replace(source, label=label or source.label)
    if isinstance(source, Analysis):
        return _of_analysis(source, label)
    if isinstance(source, RemoteStudy):
        return _of_remote_study(source, label)
    if isinstance(source, Report):
        return _of_report(source, label or f"report {source.pbs_study_id}")
    if isinstance(source, DetectionSet):
        return _of_annotations(source, label)
    if isinstance(source, str | os.PathLike):
        return _of_path(Path(source), label)
    raise ConfigError(
        f"a {type(source).__name__} cannot be compared",
        hint="give an Analysis, a Report, a RemoteStudy, an annotated set, or the path of a report or set",
    )


def _of_path(path: Path, label: str) -> Side:
    if path.is_dir():
        if (path / ANNOTATIONS_FILE).is_file():
            return _of_folder(path, label)
        if (path / REPORT_FILE).is_file():
            return _of_results(path, label or path.name)
        problem = f"holds neither {REPORT_FILE} nor {ANNOTATIONS_FILE}"
        raise ConfigError(problem, subject=str(path), hint="analyse its images first, then compare the analysis")
    text = read_bytes(path)
    document = parse(text)
    if isinstance(document, dict) and {"images", "annotations"} <= document.keys():
        return _of_folder(path.parent, label)
    name = label or "/".join(path.parts[-2:])
    if is_study_document(document):
        return _of_remote_study(read_study(document), name)
    return _of_report(Report.from_json(text), name)


def _of_results(folder: Path, label: str) -> Side:
    """Read what was written of an analysis: with all its cells where their table is there too."""
    side = _of_report(read_report(folder / REPORT_FILE), label)
    if not (folder / CELLS_FILE).is_file():
        return side
    cells = read_cells(folder / CELLS_FILE).cells
    if len(cells) and cells.file.max() >= len(side.files):
        problem = f"has cells in field {cells.file.max()}, and the report beside it lists {len(side.files)} files"
        raise ReportFormatError(problem, subject=str(folder / CELLS_FILE), hint="analyse the smear again")
    return replace(side, kind="analysis", cells=cells)


def _of_folder(folder: Path, label: str) -> Side:
    dataset = read_dataset(folder)
    if not isinstance(dataset, DetectionSet):
        raise ConfigError("holds single cells, no fields", subject=str(folder), hint="use hemato-lab evaluate for it")
    return _of_annotations(dataset, label)


def _of_analysis(analysis: Analysis, label: str) -> Side:
    scale = analysis.smear.scale
    diameter = None if scale is None else scale.rbc_diameter_px
    files = tuple(SideFile(one.name, frozenset({one.file_id}), diameter) for one in analysis.smear.fields)
    placed = _Placed.of(analysis.report, files)
    return Side(
        label or analysis.smear.name,
        "analysis",
        files,
        placed.findings,
        Listed.of_detections(analysis.detections),
        placed.unplaced,
        analysis.report,
        placed.misplaced,
        analysis=analysis,
    )


def _of_report(report: Report, label: str) -> Side:
    names = {one["file_id"]: str(one.get("name", "")) for one in _inputs(report)}
    files = tuple(
        SideFile(names.get(file_id, ""), frozenset({file_id}), _stated_diameter(report)) for file_id in report.file_ids
    )
    placed = _Placed.of(report, files)
    return Side(label, "report", files, placed.findings, None, placed.unplaced, report, placed.misplaced)


def _of_remote_study(study: RemoteStudy, label: str) -> Side:
    diameter = _stated_diameter(study.report)
    files = [SideFile(one.name, frozenset({one.file_id, *one.remote_ids}), diameter) for one in study.files]
    known = frozenset[str]().union(*(one.ids for one in files))
    # Files that the report names and nobody sent from here keep what is known of them.
    files += [SideFile("", frozenset({one}), diameter) for one in study.report.file_ids if one not in known]
    placed = _Placed.of(study.report, files)
    name = label or f"study {study.pbs_study_id}"
    report = study.report
    return Side(name, "remote study", tuple(files), placed.findings, None, placed.unplaced, report, placed.misplaced)


def _of_annotations(dataset: DetectionSet, label: str) -> Side:
    files = tuple(
        SideFile(one.file_name, _content_id(one.path), dataset.cell_diameter_px(one), one.complete)
        for one in dataset.images
    )
    marked: list[Row] = []
    ignored: list[Row] = []
    for number, image in enumerate(dataset.images):
        truth = image.truth
        for row in range(len(truth)):
            x, y, radius = (float(truth[axis][row]) for axis in ("x", "y", "radius"))
            kept = (number, x, y, radius, str(truth["name"][row]), 1.0)
            (ignored if truth["ignored"][row] else marked).append(kept)
    cells = Listed.of_rows(marked)
    nothing = Listed.of_rows(())
    return Side(label or dataset.name, "annotations", files, nothing, cells, ignored=Listed.of_rows(ignored))


def _content_id(path: Path) -> frozenset[str]:
    """Return the id of an image's bytes (api/DECISIONS.md row 14); none where the file is not there."""
    try:
        return frozenset({f"sha224-i-{hashlib.sha224(path.read_bytes()).hexdigest()}"})
    except OSError:
        return frozenset()


@dataclass(frozen=True, slots=True)
class _Placed:
    """What a report places in its files, and by name how many entries it places nowhere, and how many in no image."""

    findings: Listed
    unplaced: dict[str, int]
    misplaced: int

    @classmethod
    def of(cls, report: Report, files: Sequence[SideFile]) -> _Placed:
        homes: dict[str, list[int]] = {}
        for number, one in enumerate(files):
            for file_id in one.ids:
                homes.setdefault(file_id, []).append(number)
        everywhere = list(range(len(files)))
        rows: list[Row] = []
        unplaced: Counter[str] = Counter()
        misplaced = 0
        for name, finding in report.morphological_findings.items():
            _check_name(name)
            for entry in finding.heat_map:
                home = homes.get(entry.file_id, []) if entry.file_id is not None else everywhere
                if not all(abs(axis) <= FARTHEST_PX for axis in entry.center):
                    misplaced += 1
                elif len(home) == 1:
                    rows.append((home[0], *entry.center, sane_radius(entry.radius), name, np.nan))
                else:
                    unplaced[name] += 1
        return cls(Listed.of_rows(rows), dict(unplaced), misplaced)


def _check_name(name: str) -> None:
    if len(name) > LONGEST_NAME:
        problem = f"has a finding with a name of {len(name)} characters, {name[:20]!r} and so on"
        raise ReportFormatError(problem, subject="report", hint="ask who wrote the report")


def _inputs(report: Report) -> Iterable[Mapping[str, Any]]:
    provenance = report.extension.get("provenance", {})
    inputs = provenance.get("inputs", []) if isinstance(provenance, dict) else []
    return [one for one in inputs if isinstance(one, dict) and isinstance(one.get("file_id"), str)]


def _stated_diameter(report: Report) -> float | None:
    """Return the red-cell diameter in pixels that the report's extension states."""
    provenance = report.extension.get("provenance", {})
    scale = provenance.get("scale") if isinstance(provenance, dict) else None
    stated = number_of(scale.get("rbc_diameter_px")) if isinstance(scale, dict) else None
    return stated if stated is not None and _LEAST_DIAMETER_PX <= stated <= 2 * LARGEST_RADIUS_PX else None


def assessed_names(report: Report) -> frozenset[str]:
    """Return the names that a report would list wherever it saw them."""
    stated = report.extension.get("not_assessed", {})
    left_out = frozenset(stated) if isinstance(stated, dict) else frozenset[str]()
    return (frozenset(TERMS) - UNREMARKABLE - left_out) | frozenset(report.morphological_findings)


def listed_diameter(listed: Listed) -> float | None:
    """Return the median diameter of the red cells that a reading lists, None where it lists none."""
    red = [detector_class(name) == RBC if name in TERMS else False for name in listed.name.tolist()]
    radii = listed.radius[np.array(red, dtype=bool)] if red else np.empty(0)
    radii = radii[np.isfinite(radii) & (radii >= _LEAST_DIAMETER_PX / 2)]
    return 2 * float(np.median(radii)) if len(radii) else None
