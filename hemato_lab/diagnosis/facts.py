"""What rules judge: findings, concentrations, the patient's context and how good the pictures are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from scipy.special import betainc

from hemato_lab.statistics.rounding import quantised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.findings import Findings
    from hemato_lab.reference import ClinicalContext, Reference

Origin = Literal["blood count", "share of the blood count", "estimate"]


@dataclass(frozen=True, slots=True)
class CellConcentration:
    """Cells of a kind in the blood, with what is known of the uncertainty.

    Attributes
    ----------
    value : float
        10*3/uL, of red cells 10*6/uL.
    unit : str
    origin : str
        ``blood count``: from an analyser, taken as exact; ``share of the blood count``: a share of white cells on the
        film times the analyser's white cells; ``estimate``: the ratio to red cells on the film times their stated
        concentration.
    n, n_reference : int
        Cells of the kind and cells of the reference on the film; 0 for a blood count.
    at_even_odds : float
        For an estimate the concentration at which as many cells of the kind as red cells would be seen; for a share
        the analyser's white cells.
    overdispersion : float
        Variance of the fields over that of chance, at least 1.
    white_cells : int or None
        White cells found, of an estimate of white cells or a type of them.
    """

    value: float
    unit: str
    origin: Origin
    n: int = 0
    n_reference: int = 0
    at_even_odds: float = 0.0
    overdispersion: float = 1.0
    white_cells: int | None = None

    def probability_above(self, threshold: float) -> float:
        """Return the probability that the concentration exceeds a threshold in its unit.

        From a beta posterior with Jeffreys' prior, as DOMAIN.md section 5 has it for proportions; counts are divided by
        the over-dispersion.
        """
        if self.origin == "blood count":
            return float(self.value > threshold)
        if threshold <= 0:
            return 1.0
        if self.at_even_odds == 0:  # an analyser that found no white cell leaves none to share
            return 0.0
        others = self.n_reference if self.origin == "estimate" else self.n_reference - self.n
        if self.origin == "estimate":
            share = threshold / (threshold + self.at_even_odds)
        else:
            share = min(1.0, threshold / self.at_even_odds)
        spread = max(1.0, self.overdispersion)
        return 1.0 - float(betainc(self.n / spread + 0.5, others / spread + 0.5, share))

    def too_few(self, reference: Reference) -> str:
        """Return why nothing may rest on so few cells, empty where there are enough or an analyser counted them."""
        if self.origin == "blood count":
            return ""
        counts = reference.minimum_counts
        share = self.origin == "share of the blood count"
        least = math.ceil((counts.white_cells if share else counts.red_cells).value)
        what = "white cells" if share else "red cells"
        if self.n_reference < least:
            return f"too few {what}: {self.n_reference} of {least}"
        white = math.ceil(counts.white_cells.value)
        few = self.white_cells is not None and self.white_cells < white
        return f"too few white cells: {self.white_cells} of {white}" if few else ""

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        counted = {} if self.origin == "blood count" else {"n": self.n, "n_reference": self.n_reference}
        return {"value": quantised(self.value), "unit": self.unit, "origin": self.origin, **counted}


@dataclass(frozen=True, slots=True)
class PictureQuality:
    """How far the pictures can be trusted.

    Attributes
    ----------
    factor : float
        From 0 to 1, what confidence is multiplied by: each check that a field failed costs a part.
    monolayer : bool
        Whether most cells lie in fields that passed the monolayer check.
    failed : mapping of str to int
        Number of fields that failed each check.
    unknown : mapping of str to int
        Number of fields in which each check could not be made.
    """

    factor: float
    monolayer: bool
    failed: Mapping[str, int]
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that rules may ask for.

    Attributes
    ----------
    findings : Findings
    concentrations : mapping of str to CellConcentration
        By ``RBC``, ``WBC``, ``platelet`` and the names of white cells. Only what rests on a blood count, or on a
        concentration of red cells that the user stated: with neither it is empty.
    parasite_scores : tuple of float
        Score of every cell called parasitised, falling.
    red_cells_searched : int
        Red cells in which parasites were looked for.
    quality : PictureQuality
    context : ClinicalContext
    independent_scale : bool
        Whether the pixel size was stated, so that sizes of red cells can be judged.
    reference : Reference
    """

    findings: Findings
    concentrations: Mapping[str, CellConcentration]
    parasite_scores: tuple[float, ...]
    red_cells_searched: int
    quality: PictureQuality
    context: ClinicalContext
    independent_scale: bool
    reference: Reference
