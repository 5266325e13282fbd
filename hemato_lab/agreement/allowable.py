"""Whether two methods are close enough: allowable errors of CLIA, RCPA, biological variation, and of smears.

A verdict is given from the limits of a figure, not from the figure alone: within, beyond, or not sure. The limits that
ship stand in ``allowable.toml`` with their sources (DOMAIN.md section 7).
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from hemato_lab.agreement.differences import limits_of_agreement
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.tabulated import Row, Tabulated, row
from hemato_lab.agreement.units import factor
from hemato_lab.errors import ConfigError, UnlikeUnitsError
from hemato_lab.statistics.limits import clopper_pearson_limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    from hemato_lab.agreement.pairs import Floats, Pairs

Outcome = Literal["within", "beyond", "not sure"]

NO_GROUP: Final = "the limit is in standard deviations of the peer group, which was not stated"
OF_NAMES: Final = "the limit is a share of right answers, not an error of a measurement"
OF_MEASUREMENTS: Final = "the limit is an error of a measurement, not a share of right answers"
ZERO_REFERENCE: Final = "a reference of 0 allows no error in per cent"
ZEROS: Final = (
    "{zeros} of {size} samples have a reference of 0, which allows no error in per cent; {wrong} of them differ"
)
FEW_PAIRS: Final = "too few samples to tell"
UNDEFINED: Final = "the figure or its limits are not defined"


@dataclass(frozen=True, slots=True)
class AllowableError:
    """How much a result may differ from the right one; the fields are explained in ``allowable.toml``."""

    analyte: str
    standard: str
    percent: float = 0.0
    absolute: float = 0.0
    unit: str = ""
    group_sds: float = 0.0
    least_share: float = 0.0
    source: str = "own"

    def __post_init__(self) -> None:
        numbers = (self.percent, self.absolute, self.group_sds, self.least_share)
        kinds = sum((self.percent > 0 or self.absolute > 0, self.group_sds > 0, self.least_share > 0))
        if kinds != 1 or not all(0 <= one < math.inf for one in numbers) or self.least_share > 1:
            problem = f"the limit of {self.standard} for {self.analyte} is not one"
            raise ConfigError(problem, hint="give percent, absolute or both; or group_sds; or least_share up to 1")

    def allowed(self, references: Floats, *, unit: str, group_sd: float | None = None) -> Floats:
        """Return the error that is allowed at each reference value, in its unit.

        Raises
        ------
        UnlikeUnitsError
            If the limit is an amount in a unit that no factor joins to this one.
        ConfigError
            If the limit needs the standard deviation of the peer group, or is none of a measurement.
        """
        if self.least_share:
            raise ConfigError(OF_NAMES, hint="use judge_share")
        if self.group_sds:
            if group_sd is None:
                raise ConfigError(NO_GROUP, hint="state group_sd")
            return np.full(len(references), self.group_sds * group_sd)
        amount = self.absolute * factor(self.unit, unit, subject=self.analyte) if self.absolute else 0.0
        return np.maximum(np.abs(references) * self.percent / 100, amount)

    def text(self) -> str:
        """Return the limit for people, for example ``±25 % or ±25 10*3/uL``."""
        parts = [f"±{self.percent:g} %"] if self.percent else []
        if self.absolute:
            parts.append(f"±{self.absolute:g} {self.unit}".strip())
        if self.group_sds:
            parts.append(f"±{self.group_sds:g} SD of the peer group")
        if self.least_share:
            parts.append(f"at least {100 * self.least_share:g} % right")
        return " or ".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict(Tabulated):
    """Whether an allowable error is kept.

    Attributes
    ----------
    limit : AllowableError
    outcome : {"within", "beyond", "not sure"}
        "not sure" where the limits of the figure lie on both sides of what is allowed, or nothing can be told.
    lower, upper : Estimate
        What was judged, as fractions of what is allowed: the limits of agreement of pairs; of a bias or a share both
        are the same figure (a share as itself).
    share_within : Estimate
        Share of the samples within what is allowed, with exact limits; NaN where no pairs were judged.
    pairs : Pairs or None
    allowed : array of float, shape (n,)
        Error that is allowed for each pair, in its unit.
    reason : str
        Why nothing can be told; empty if it can.
    caution : str
        What the verdict leaves out: samples with a reference of 0 have a part in the share within and in none of the
        limits of agreement, and one that differs leaves nothing "within". Empty if nothing is left out.
    """

    limit: AllowableError
    outcome: Outcome
    lower: Estimate
    upper: Estimate
    share_within: Estimate
    pairs: Pairs | None
    allowed: Floats
    reason: str = ""
    caution: str = ""

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        head = f"{self.limit.standard}, {self.limit.analyte}, {self.limit.text()}: {self.outcome}"
        if self.reason:
            return f"{head} ({self.reason})"
        if self.limit.least_share:
            return f"{head} ({self.lower.text()} right)"
        shown = f"{100 * self.lower.value:.3g} to {100 * self.upper.value:.3g} % of what is allowed"
        if self.pairs is None:
            return f"{head} (the bias is {100 * self.lower.value:.3g} % of what is allowed)"
        caution = f"; {self.caution}" if self.caution else ""
        return (
            f"{head} (limits of agreement are {shown}; {self.share_within.text()} of the samples are within{caution})"
        )

    def rows(self) -> tuple[Row, ...]:
        """Return what was judged, and the share of the samples within."""
        of_allowed = "" if self.limit.least_share else "of what is allowed"
        return (
            row("lower end", self.lower, of_allowed),
            row("upper end", self.upper, of_allowed),
            row("share within", self.share_within),
        )

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the differences against the reference with what is allowed.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.

        Raises
        ------
        ConfigError
            If no pairs were judged.
        """
        from hemato_lab.agreement.plots.allowable import draw

        return draw(self, axes)


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads((files("hemato_lab.agreement") / "allowable.toml").read_text(encoding="utf-8"))


@cache
def allowable_errors() -> tuple[AllowableError, ...]:
    """Return every limit that ships, in the order of the file."""
    return tuple(AllowableError(**entry) for entry in _document()["limits"])


def limits_for(analyte: str) -> tuple[AllowableError, ...]:
    """Return the limits of an analyte, which may be named by the key of a statistic; none if there is no limit."""
    analytes: dict[str, dict[str, list[str]]] = _document()["analytes"]
    names = {name for name, entry in analytes.items() if analyte == name or analyte in entry["statistics"]}
    return tuple(limit for limit in allowable_errors() if limit.analyte in names)


def judge(
    pairs: Pairs,
    analyte: str,
    *,
    limits: Iterable[AllowableError] | None = None,
    group_sd: float | None = None,
    confidence: float = 0.95,
) -> tuple[Verdict, ...]:
    """Tell for each allowable error whether 95 % of the results keep it.

    Each difference is taken as a fraction of what is allowed at its reference value. The limits of agreement of these
    fractions must lie within -1 and 1 with their own limits; where even their inner limits lie outside, the error is
    beyond.

    Parameters
    ----------
    pairs : Pairs
        The first method is the reference.
    analyte : str
        A name of ``allowable.toml``, or the key of a statistic.
    limits : iterable of AllowableError, optional
        A laboratory's own; default those that ship.
    group_sd : float, optional
        Standard deviation of the peer group in the unit of the values, for limits that need it.
    confidence : float

    Returns
    -------
    tuple of Verdict
        One for each limit; none where there is no limit for the analyte.

    Raises
    ------
    ConfigError
        If `group_sd` is no positive number.
    """
    _check(group_sd)
    chosen = limits_for(analyte) if limits is None else tuple(limits)
    return tuple(_judged(pairs, limit, group_sd, confidence) for limit in chosen)


def judge_bias(
    bias: Estimate,
    analyte: str,
    *,
    level: float,
    unit: str = "",
    limits: Iterable[AllowableError] | None = None,
    group_sd: float | None = None,
) -> tuple[Verdict, ...]:
    """Tell for each allowable error whether a bias keeps it; scatter comes on top, so this is the least to ask.

    Parameters
    ----------
    bias : Estimate
        In the unit of the values, for example `Deming.bias_at` a level.
    analyte, limits, group_sd
        As in `judge`.
    level : float
        Reference value at which the bias was estimated.
    unit : str
        Of both.

    Raises
    ------
    ConfigError
        If `group_sd` is no positive number.
    """
    _check(group_sd)
    chosen = limits_for(analyte) if limits is None else tuple(limits)
    return tuple(_judged_bias(bias, limit, level, unit, group_sd) for limit in chosen)


def judge_share(
    share: Estimate, analyte: str, *, limits: Iterable[AllowableError] | None = None
) -> tuple[Verdict, ...]:
    """Tell for each limit of an analyte whether enough answers are right, for example names of cells.

    Parameters
    ----------
    share : Estimate
        As a fraction.
    analyte, limits
        As in `judge`.
    """
    chosen = limits_for(analyte) if limits is None else tuple(limits)
    return tuple(_judged_share(share, limit) for limit in chosen)


def _check(group_sd: float | None) -> None:
    if group_sd is not None and not 0 < group_sd < math.inf:
        raise ConfigError(f"a standard deviation of {group_sd} is impossible", hint="give one above 0, or none")


def _judged(pairs: Pairs, limit: AllowableError, group_sd: float | None, confidence: float) -> Verdict:
    try:
        allowed = limit.allowed(pairs.first, unit=pairs.unit, group_sd=group_sd)
    except (ConfigError, UnlikeUnitsError) as error:
        return _unsure(limit, error.problem, pairs)
    if len(pairs) < 2:
        return _unsure(limit, FEW_PAIRS, pairs)
    some = allowed > 0
    if np.count_nonzero(some) < 2:
        return _unsure(limit, ZERO_REFERENCE, pairs)
    differences = pairs.differences
    parts = differences[some] / allowed[some]
    _, lower, upper = limits_of_agreement(
        float(parts.mean()), float(parts.std(ddof=1)), len(parts), confidence=confidence
    )
    wrong = int(np.count_nonzero(differences[~some]))
    kept = int(np.count_nonzero(np.abs(parts) <= 1 + 1e-12)) + int(np.count_nonzero(~some)) - wrong
    share = Estimate(
        kept / len(pairs), *clopper_pearson_limits(kept, len(pairs), confidence=confidence), "Clopper-Pearson"
    )
    outcome: Outcome = "not sure"
    if lower.low >= -1 and upper.high <= 1 and not wrong:
        outcome = "within"
    elif lower.high < -1 or upper.low > 1:
        outcome = "beyond"
    zeros = int(np.count_nonzero(~some))
    caution = ZEROS.format(zeros=zeros, size=len(pairs), wrong=wrong) if zeros else ""
    return Verdict(limit, outcome, lower, upper, share, pairs, allowed, caution=caution)


def _judged_bias(bias: Estimate, limit: AllowableError, level: float, unit: str, group_sd: float | None) -> Verdict:
    try:
        allowed = float(limit.allowed(np.array([level]), unit=unit, group_sd=group_sd)[0])
    except (ConfigError, UnlikeUnitsError) as error:
        return _unsure(limit, error.problem)
    if allowed <= 0:
        return _unsure(limit, ZERO_REFERENCE)
    if math.isnan(bias.low + bias.high):
        return _unsure(limit, UNDEFINED)
    part = Estimate(bias.value / allowed, bias.low / allowed, bias.high / allowed, bias.method)
    outcome: Outcome = "not sure"
    if part.low >= -1 and part.high <= 1:
        outcome = "within"
    elif part.low > 1 or part.high < -1:
        outcome = "beyond"
    return Verdict(limit, outcome, part, part, Estimate(math.nan), None, np.array([allowed]))


def _judged_share(share: Estimate, limit: AllowableError) -> Verdict:
    if not limit.least_share:
        return _unsure(limit, OF_MEASUREMENTS)
    if math.isnan(share.low + share.high):
        return _unsure(limit, UNDEFINED)
    outcome: Outcome = "not sure"
    if share.low >= limit.least_share:
        outcome = "within"
    elif share.high < limit.least_share:
        outcome = "beyond"
    return Verdict(limit, outcome, share, share, Estimate(math.nan), None, np.empty(0))


def _unsure(limit: AllowableError, reason: str, pairs: Pairs | None = None) -> Verdict:
    nothing = Estimate(math.nan, method="undefined")
    return Verdict(limit, "not sure", nothing, nothing, nothing, pairs, np.empty(0), reason)
