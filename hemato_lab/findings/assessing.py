"""The findings of a smear: what can be judged is counted, what cannot is listed with the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.detections import RENAMED, REVIEWED
from hemato_lab.findings.arrangements import (
    AGGLUTINATION,
    PLATELET_CLUMP,
    ROULEAUX,
    Group,
    platelet_clumps,
    red_cell_groups,
)
from hemato_lab.findings.grading import grade_of, grade_range
from hemato_lab.findings.measuring import measurements
from hemato_lab.findings.model import Circle, Finding, Findings
from hemato_lab.findings.naming import MEASURED_NAMES, median_diameter_um, ragged_platelets
from hemato_lab.findings.red_cells import HYPOCHROMIC, POLYCHROMATIC, SPHEROCYTE, judged, measured_shapes, red_cells
from hemato_lab.statistics.differential import NUCLEATED_RED_CELL, SMUDGE_CELL, white_cells
from hemato_lab.statistics.parasitaemia import PARASITISED
from hemato_lab.statistics.shares import ShareEstimate, ratio_of, share_of
from hemato_lab.vocabulary import PLATELET, RBC, TERMS, WBC, is_a

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.reference import Reference
    from hemato_lab.smear import Scale

    Mask = NDArray[np.bool_]

SIZE_CLASSES: Final = ("macrocyte", "microcyte", "oval macrocyte")
"""Judged only where the scale does not rest on the red cells themselves (DOMAIN.md section 2.3)."""
UNREMARKABLE: Final = (RBC, WBC, PLATELET, "normal RBC", "uncategorised RBC", "uninfected RBC", "unclassified WBC")
"""Names that are no finding."""
NOT_NAMED: Final = "cells were not named in this analysis"
SUMMED: Final = "vocabulary"
"""Rule of a finding that is the sum of those with narrower names."""
NO_METHOD: Final = "no model or measurement looks for it"
IN_WORDS: Final = {RBC: "red cell", WBC: "white cell", PLATELET: "platelet"}
NEEDS_SCALE: Final = "sizes need a stated pixel size: an estimated scale takes the red cells for normal"
NOT_MEASURED: Final = "too few red cells were outlined and measured"
BY_READER: Final = "reader"
"""Rule of a finding that no method looks for and a reader named."""
NO_MONOLAYER: Final = "no field has red cells as close as a monolayer has"


@dataclass(frozen=True, slots=True)
class Sample:
    """What findings are looked for in.

    Attributes
    ----------
    detections : Detections
        Cells of the fields that are fit for it, with measured names (`hemato_lab.findings.naming`).
    fields : int
        Number of fields that the column ``field`` refers to.
    monolayer : collection of int
        Fields whose red cells are as close as in a monolayer; arrangements are looked for in these alone.
    scale : Scale
        Sizes are judged where it does not rest on the red cells themselves.
    named_by : mapping of str to str
        For every name that a network can give, that network; empty where cells were not named.
    nameable : collection of str
        Names that some network could have given.
    """

    detections: Detections
    fields: int
    monolayer: Collection[int]
    scale: Scale
    named_by: Mapping[str, str]
    nameable: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class _Method:
    """How a finding is looked for: words, where the rule is kept, and its mark."""

    words: str
    rule: str
    source: str


def assess(sample: Sample, reference: Reference) -> Findings:
    """Look for every finding of the vocabulary.

    Parameters
    ----------
    sample : Sample
        The cells.
    reference : Reference
        Grades, minimum counts and thresholds.

    Returns
    -------
    Findings
        Every name of DOMAIN.md section 3 is either assessed or listed with the reason why not.
    """
    judge = _Judge(sample, reference)
    assessed: dict[str, Finding] = {}
    not_assessed: dict[str, str] = {}
    for name, term in TERMS.items():
        if name in UNREMARKABLE or term.lineage == "artefact" or name in {"anisocytosis", "benign"}:
            continue
        found = judge.look_for(name)
        if isinstance(found, str):
            not_assessed[name] = found
        elif found.reference == 0:
            not_assessed[name] = (
                f"no {IN_WORDS.get(found.denominator, found.denominator)} was found that could be judged"
            )
        else:
            assessed[name] = found
    taken, missing = measurements(sample.detections, reference)
    return Findings(assessed, taken, not_assessed | missing, int(np.count_nonzero(judge.judged)))


class _Judge:
    """Looks for one finding after the other in the same cells."""

    def __init__(self, sample: Sample, reference: Reference) -> None:
        self.sample = sample
        self.reference = reference
        self.cells = sample.detections
        self.renamed = self._renamed()
        self.readers_names = frozenset(self.cells["name"][self.renamed].tolist()) - set(UNREMARKABLE)
        # A reader who names a cell has judged it, even one that is cut or lies over others.
        named = self.renamed & np.isin(self.cells["name"], list(self.readers_names))
        self.judged = judged(self.cells) | (named & red_cells(self.cells))
        self.shapes = measured_shapes(self.cells, reference.measured)
        self.rouleaux, self.agglutinated = red_cell_groups(self.cells, reference.measured, sample.monolayer)

    def _renamed(self) -> Mask:
        if REVIEWED not in self.cells.features:
            return np.zeros(len(self.cells), np.bool_)
        return np.asarray(self.cells[REVIEWED] == RENAMED)

    def look_for(self, name: str) -> Finding | str:
        """Return the finding, or why it could not be assessed."""
        if name in SIZE_CLASSES and not self.sample.scale.is_independent:
            return NEEDS_SCALE
        if name == PLATELET_CLUMP:
            return self._clumps()
        if name in (ROULEAUX, AGGLUTINATION):
            return self._arranged(name)
        method = self._method(name)
        return method if isinstance(method, str) else self._counted(name, method)

    def _counted(self, name: str, method: _Method) -> Finding:
        if name in (NUCLEATED_RED_CELL, SMUDGE_CELL):
            return self._beside_white_cells(name, method)
        own = self.cells.of_kind(name)
        if is_a(name, PARASITISED):
            return self._share(name, red_cells(self.cells), own, RBC, method)
        if is_a(name, WBC):
            # Some names are of neutrophils or blasts alone (DOMAIN.md section 3.1).
            denominator = TERMS[name].denominator or WBC
            among = white_cells(self.cells) & (self.cells.of_kind(denominator) | (denominator == WBC))
            return self._share(name, among, own, denominator, method)
        if is_a(name, PLATELET):
            return self._share(name, self.cells.of_kind(PLATELET), own, PLATELET, method)
        # Where cells were named, polychromatic ones have their measured name already.
        bare = name not in self.sample.named_by and not (self.sample.named_by and name in MEASURED_NAMES)
        # What a reader calls a cell counts for more than its measures.
        of_name = (self.shapes[name] & ~self.renamed) | own if bare and name in self.shapes else own
        return self._share(name, self.judged, of_name, RBC, method)

    def _method(self, name: str) -> _Method | str:
        found = self._own_method(name)
        if name not in self.readers_names or not (isinstance(found, str) or found.rule == SUMMED):
            return found
        words = "named by a reader, where one saw it"
        return _Method(words if isinstance(found, str) else f"{found.words}, and {words}", BY_READER, "own")

    def _own_method(self, name: str) -> _Method | str:
        named_by = self.sample.named_by
        if name in named_by:
            words = f"named by the network {named_by[name]}{', and by a reader' if name in self.readers_names else ''}"
            return _Method(words, f"network {named_by[name]}", "computed")
        if name in (POLYCHROMATIC, SPHEROCYTE, HYPOCHROMIC):
            return self._measured(name, "the median red cell", enough=bool(self.shapes))
        if name in MEASURED_NAMES:
            known = median_diameter_um(self.cells) is not None
            return self._measured(name, "the red cells", enough=known) if named_by else NOT_NAMED
        if TERMS[name].kind == "cell" and any(
            known != name and is_a(known, name) for known in (*named_by, *self.readers_names)
        ):
            return _Method("sum of the narrower names", SUMMED, "own")
        if not named_by and any(is_a(known, name) for known in self.sample.nameable):
            return NOT_NAMED
        return NO_METHOD

    def _measured(self, name: str, against: str, *, enough: bool) -> _Method | str:
        if not enough:
            return NOT_MEASURED
        source = getattr(self.reference.measured, name.replace(" ", "_")).source
        return _Method(f"measured against {against} of the smear", f"measured.{name}", source)

    def _share(self, name: str, among: Mask, of_name: Mask, denominator: str, method: _Method) -> Finding:
        estimate = share_of(of_name[among], self.cells["field"][among], self.sample.fields)
        return self._finding(
            name, estimate, denominator, method, self._circles(among & of_name & ~self._finer(name, method))
        )

    def _finer(self, name: str, method: _Method) -> Mask:
        """Tell which cells are listed under a narrower name, as a reader gave it, shape (n,)."""
        other = np.asarray(self.cells["name"] != name)
        if method.rule in (SUMMED, BY_READER):
            return other & (method.rule == BY_READER)
        return other & self.renamed

    def _beside_white_cells(self, name: str, method: _Method) -> Finding:
        own = np.asarray(self.cells["name"] == name)
        estimate = ratio_of(self.cells["field"][own], self.cells["field"][white_cells(self.cells)], self.sample.fields)
        return self._finding(name, estimate, WBC, method, self._circles(own), unit="/100{WBC}")

    def _arranged(self, name: str) -> Finding | str:
        if not self.sample.monolayer:
            return NO_MONOLAYER
        groups = self.rouleaux if name == ROULEAUX else self.agglutinated
        among = red_cells(self.cells) & np.isin(self.cells["field"], list(self.sample.monolayer))
        rule = self.reference.measured.rouleaux if name == ROULEAUX else self.reference.measured.agglutination
        method = _Method("overlapping red cells of the monolayer", f"measured.{name}", rule.source)
        return self._grouped(name, among, groups, RBC, method)

    def _clumps(self) -> Finding:
        rules, red_cell_um = self.reference.measured, median_diameter_um(self.cells)
        ragged = np.zeros(len(self.cells), np.bool_)
        if red_cell_um is not None:
            ragged = ragged_platelets(self.cells, rules, self.sample.scale, red_cell_um)
        clumps = platelet_clumps(self.cells, rules, range(self.sample.fields), ragged)
        method = _Method(
            "touching platelets, or one ragged body",
            f"measured.{PLATELET_CLUMP}",
            self.reference.measured.platelet_clump.source,
        )
        return self._grouped(PLATELET_CLUMP, self.cells.of_kind(PLATELET), clumps, PLATELET, method)

    def _grouped(self, name: str, among: Mask, groups: tuple[Group, ...], denominator: str, method: _Method) -> Finding:
        inside = np.zeros(len(self.cells), np.bool_)
        for group in groups:
            inside[group.rows] = True
        estimate = share_of(inside[among], self.cells["field"][among], self.sample.fields)
        return self._finding(name, estimate, denominator, method, tuple(group.circle for group in groups))

    def _finding(
        self,
        name: str,
        estimate: ShareEstimate,
        denominator: str,
        method: _Method,
        circles: tuple[Circle, ...],
        *,
        unit: str = "%",
    ) -> Finding:
        minimum = self._minimum(name, denominator)
        insufficient = estimate.reference < minimum
        table = self.reference.grades_of(name)
        graded = table is not None and not insufficient
        limits = estimate.limits.scaled(100)
        spread = estimate.overdispersion.factor
        return Finding(
            name,
            estimate.count,
            estimate.reference,
            denominator,
            limits,
            grade_of(100 * estimate.share, table) if graded and table is not None else None,
            grade_range(limits, table) if graded and table is not None else None,
            insufficient,
            minimum,
            method.words,
            method.rule,
            method.source,
            1.0 if spread is None else max(1.0, spread),
            circles,
            unit,
        )

    def _minimum(self, name: str, denominator: str) -> int:
        counts = self.reference.minimum_counts
        if is_a(name, "blast"):
            return math.ceil(counts.white_cells_for_blasts.value)
        by_kind = {RBC: counts.red_cells, WBC: counts.white_cells, PLATELET: counts.platelets}
        return math.ceil(by_kind.get(denominator, counts.white_cells).value)

    def _circles(self, rows: Mask) -> tuple[Circle, ...]:
        cells = self.cells.select(rows)
        columns = (cells[column].tolist() for column in ("field", "x", "y", "radius"))
        return tuple(Circle(*row) for row in zip(*columns, strict=True))
