"""`compare`: the list of what is compared."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hemato_lab.agreement import DEFAULT_GATE
from hemato_lab.comparison.diagnoses import compare_diagnoses
from hemato_lab.comparison.findings import compare_findings
from hemato_lab.comparison.matching import compare_cells
from hemato_lab.comparison.model import Comparison
from hemato_lab.comparison.narrative import compare_narratives
from hemato_lab.comparison.pairing import pair_files
from hemato_lab.comparison.sides import side_of
from hemato_lab.comparison.statistics import compare_statistics
from hemato_lab.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.comparison.cells import CellComparison
    from hemato_lab.comparison.pairing import FilePairing, PairBy
    from hemato_lab.comparison.sides import Side, Source

_NO_REPORT: Final = Report("")
_MISPLACED: Final = "at places that are in no image"
_MOST_FOLDERS: Final = 4
_MOST_NAMED: Final = 5


def compare(
    first: Source | Side,
    second: Source | Side,
    *,
    gate: float = DEFAULT_GATE,
    class_aware: bool = False,
    pair_files_by: PairBy = "content",
    rbc_diameter_px: float | None = None,
    labels: tuple[str, str] = ("", ""),
) -> Comparison:
    """Compare two readings of one smear: cells, statistics, findings, candidates and text.

    Parameters
    ----------
    first, second : Analysis, Report, RemoteStudy, DetectionSet or path
        What to compare, in any combination. A path names a report's JSON file, a folder that holds ``report.json``, or
        an annotated set. Two analyses, or an analysis and annotations, are compared with all their cells; beside a
        report only what reports list can be.
    gate : float
        How far the centres of a pair may be apart, in radii of a red cell.
    class_aware : bool
        Whether only cells of the same name are paired; otherwise a cell that is called differently is one that was
        reclassified.
    pair_files_by : {"content", "name", "order"}
        How images are recognised, see `hemato_lab.comparison.pairing.pair_files`.
    rbc_diameter_px : float, optional
        Diameter of a red cell in pixels, where neither side states it.
    labels : pair of str
        What to call the sides; empty takes their own names. Two of one name are told apart by the folders that they lie
        in, by their detectors, or as the first and the second.

    Returns
    -------
    Comparison
        Nothing in it says which side is right.

    Raises
    ------
    UnreadableInputError
        If a file cannot be read.
    ReportFormatError, DatasetError
        If it does not follow its format.
    ConfigError
        If this is nothing that can be compared, or the size of a red cell is not known.
    """
    sides = _told_apart((side_of(first, labels[0]), side_of(second, labels[1])), (first, second), labels)
    pairing = pair_files(sides[0].files, sides[1].files, pair_files_by)
    cells = compare_cells(*sides, pairing, gate=gate, class_aware=class_aware, rbc_diameter_px=rbc_diameter_px)
    cells = _with_misplaced(cells, sum(side.misplaced for side in sides))
    # Annotations have no report; then there is nothing to compare at its levels.
    both = all(side.report is not None for side in sides)
    reports = [side.report if both and side.report is not None else _NO_REPORT for side in sides]
    return Comparison(
        *sides,
        pairing,
        cells,
        compare_statistics(*reports),
        compare_findings(*reports),
        compare_diagnoses(*reports),
        compare_narratives(*(report.pathology_report for report in reports)),
        tuple(_remarks(*sides, pairing, cells)),
    )


def _told_apart(
    sides: tuple[Side, Side], sources: tuple[Source | Side, Source | Side], labels: tuple[str, str]
) -> tuple[Side, Side]:
    """Return the sides with labels that differ."""
    if sides[0].label != sides[1].label:
        return sides
    named = (f"{sides[0].label} (first)", f"{sides[1].label} (second)")
    detectors = [_detector_of(side) for side in sides]
    if all(detectors) and detectors[0] != detectors[1] and not any(labels):
        named = (f"{sides[0].label} ({detectors[0]})", f"{sides[1].label} ({detectors[1]})")
    paths = [Path(source).absolute().parts for source in sources if isinstance(source, str | os.PathLike)]
    if len(paths) == 2 and not any(labels):
        parts = next((n for n in range(2, _MOST_FOLDERS + 1) if paths[0][-n:] != paths[1][-n:]), 0)
        named = ("/".join(paths[0][-parts:]), "/".join(paths[1][-parts:])) if parts else named
    return replace(sides[0], label=named[0]), replace(sides[1], label=named[1])


def _detector_of(side: Side) -> str:
    """Return the name of the detector that found the cells, empty where it is not known."""
    parameters = {} if side.analysis is None else side.analysis.provenance.get("parameters", {})
    return str(parameters.get("detector", ""))


def _with_misplaced(cells: CellComparison, misplaced: int) -> CellComparison:
    return replace(cells, left_out={**cells.left_out, _MISPLACED: misplaced}) if misplaced else cells


def _miscounted(side: Side) -> Iterator[str]:
    """Yield each finding whose count is not the number of its places (api/DECISIONS.md row 20)."""
    findings = {} if side.report is None else side.report.morphological_findings
    for name, finding in findings.items():
        if finding.number != len(finding.heat_map):
            yield f"{name} (count {finding.count[:20]}, places {len(finding.heat_map)})"


def _remarks(first: Side, second: Side, pairing: FilePairing, cells: CellComparison) -> Iterator[str]:
    """Yield what a reader must know before the numbers."""
    if not pairing.pairs:
        yield "no image in common: places were not compared"
    for side, alone in ((first, pairing.first_only), (second, pairing.second_only)):
        if alone and pairing.pairs:
            names = ", ".join(side.files[index].name or min(side.files[index].ids, default="?") for index in alone[:3])
            yield f"{len(alone)} images are in {side.label} alone: {names}{', ...' if len(alone) > 3 else ''}"
    if any(pair.by == "name" for pair in pairing.pairs):
        yield "images were recognised by their names alone; whether their pixels are the same is not known"
    if any(pair.by == "order" for pair in pairing.pairs):
        yield "images were paired by their order, as asked"
    if cells.counts_only:
        named = ", ".join(cells.counts_only)
        yield f"compared by number alone, as a report does not say in which image they lie: {named}"
    for side in (first, second):
        if unlike := list(_miscounted(side)):
            listed = ", ".join(unlike[:_MOST_NAMED]) + (", ..." if len(unlike) > _MOST_NAMED else "")
            yield f"the counts of {side.label} are not the numbers of its places: {listed}"
    yield from cells.remarks
    for reason, count in cells.left_out.items():
        yield f"not compared: {count} {reason}"
