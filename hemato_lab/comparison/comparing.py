"""`compare`: the list of what is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

_NO_REPORT = Report("")


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
        What to call the sides; empty takes their own names.

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
    sides = side_of(first, labels[0]), side_of(second, labels[1])
    pairing = pair_files(sides[0].files, sides[1].files, pair_files_by)
    cells = compare_cells(*sides, pairing, gate=gate, class_aware=class_aware, rbc_diameter_px=rbc_diameter_px)
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
    for reason, count in cells.left_out.items():
        yield f"not compared: {count} {reason}"
