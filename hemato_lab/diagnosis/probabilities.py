"""How likely a condition holds, from counts and their known mistakes (DOMAIN.md section 5).

Each function is monotone in the count and stays within [0, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scipy.special import betainc, ndtr, pdtr

from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from hemato_lab.findings import Finding
    from hemato_lab.reference import Reference
    from hemato_lab.reference.model import Misnaming


class Counted(NamedTuple):
    """Cells that are called so, cells that are not, and the variance of the fields over that of chance."""

    called: float
    others: float
    overdispersion: float = 1.0


def probability_share_at_least(counted: Counted, threshold: float) -> float:
    """Return the probability that a true share is at least a threshold.

    From the beta posterior with Jeffreys' prior, ``1 - BetaInc(k + 1/2, n - k + 1/2; t)``; counts are divided by the
    over-dispersion, because cells that cluster tell less.

    Parameters
    ----------
    counted : Counted
    threshold : float
        A share, 0 to 1.
    """
    if threshold <= 0:
        return 1.0
    if threshold >= 1:
        return 0.0
    spread = max(1.0, counted.overdispersion)
    return 1.0 - float(betainc(counted.called / spread + 0.5, counted.others / spread + 0.5, threshold))


def apparent_threshold(threshold: float, misnaming: Misnaming | None, other_shares: dict[str, float]) -> float:
    """Return the share that would be called so if the true share were at the threshold (Rogan and Gladen 1978).

    Parameters
    ----------
    threshold : float
        True share, 0 to 1.
    misnaming : Misnaming or None
        None where nothing is known of mistakes: the threshold stays.
    other_shares : dict of str to float
        Shares called by the names that are confused with this one; a missing one is taken for 0.

    Returns
    -------
    float
        ``sensitivity t + false share (1 - t)`` and, for each other name, its rate times its share; within [0, 1].
    """
    if misnaming is None:
        return threshold
    moved = misnaming.sensitivity * threshold + misnaming.false_share * (1 - threshold)
    moved += sum(rate * other_shares.get(name, 0.0) for name, rate in misnaming.confused_with.items())
    return min(1.0, max(0.0, moved))


def probability_present(count: int, expected_false: float, *, at_least: int = 1) -> float:
    """Return the probability that mistakes alone would call fewer cells so, 0 below `at_least` cells.

    ``P(Poisson(expected_false) < count)``.
    """
    if count < max(1, at_least):
        return 0.0
    return float(pdtr(count - 1, expected_false))


def precision_of(count: int, expected_false: float) -> float:
    """Return the share of the called cells that is not expected to be a mistake, 0 where none was called."""
    return max(0.0, 1.0 - expected_false / count) if count else 0.0


def probability_value_at_least(value: float, standard_error: float, threshold: float) -> float:
    """Return the probability that a measured mean is at least a threshold, all in one unit, from the normal law."""
    if standard_error <= 0:
        return float(value >= threshold)
    return float(ndtr((value - threshold) / standard_error))


def counted_of(finding: Finding) -> Counted:
    """Return the counts of a finding; where the denominator does not contain it, its cells come on top."""
    others = finding.reference - finding.count if is_share(finding) else finding.reference
    return Counted(finding.count, max(0, others), finding.overdispersion)


def share_of_percent(finding: Finding, percent: float) -> float:
    """Return a percentage of the finding's unit as a share, 0 to 1; a ratio r becomes r / (1 + r)."""
    ratio = percent / 100
    return min(1.0, ratio) if is_share(finding) else ratio / (1 + ratio)


def is_share(finding: Finding) -> bool:
    """Return whether the denominator contains the finding."""
    return finding.unit == "%"


def parasites_expected_false(reference: Reference, red_cells: int, *, surest: bool) -> float:
    """Return how many red cells of a smear without parasites would be called parasitised."""
    rule = reference.parasites
    return (rule.false_per_1000_surest if surest else rule.false_per_1000) * red_cells / 1000


def is_parasite(name: str) -> bool:
    """Return whether a name is of a cell with a parasite."""
    return TERMS[name].lineage == "parasite"
