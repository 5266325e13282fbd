"""Whatever numbers come in: a figure, or NaN with a reason; never a warning, a crash, or limits the wrong way round."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hemato_lab.agreement.allowable import judge
from hemato_lab.agreement.correlation import lin_concordance, pearson, spearman
from hemato_lab.agreement.counting import Counting
from hemato_lab.agreement.deming import deming, weighted_deming
from hemato_lab.agreement.differences import bland_altman
from hemato_lab.agreement.pairs import make_pairs
from hemato_lab.agreement.passing_bablok import passing_bablok

if TYPE_CHECKING:
    from hemato_lab.agreement.estimate import Estimate

VALUES = st.one_of(
    st.sampled_from([0.0, 1.0, 1.0, 2.0, 0.1, 0.3, -1.0, 1e-300, 5e-324, 1e-9, 1e9, 1e50, -1e50]),
    st.floats(-1e50, 1e50, allow_nan=False),
    st.integers(0, 5).map(float),
)


def _results(first: np.ndarray, second: np.ndarray) -> dict[str, tuple[str, list[Estimate]]]:
    found: dict[str, tuple[str, list[Estimate]]] = {}
    counting = Counting.of_shares(200)
    results: list[Any] = [
        *(bland_altman(first, second, scale=scale, counted=counting) for scale in ("plain", "percent", "log")),
        deming(first, second),
        deming(first, second, limits="analytical", variance_ratio=3),
        weighted_deming(first, second),
        passing_bablok(first, second),
        passing_bablok(first, second, limit_ranks="interpolated"),
    ]
    for number, result in enumerate(results):
        line = (
            [result.slope, result.intercept] if hasattr(result, "slope") else [result.bias, result.lower, result.upper]
        )
        found[f"{number}"] = result.reason, line
    concordance = lin_concordance(first, second)
    found["concordance"] = concordance.reason, [concordance.concordance]
    for result in (pearson(first, second), spearman(first, second)):
        found[result.kind] = result.reason, [result.coefficient]
    for verdict in judge(make_pairs(first, second), "white cells"):
        found[verdict.limit.standard] = verdict.reason, [verdict.lower, verdict.upper]
    return found


@settings(max_examples=100)
@given(st.lists(st.tuples(VALUES, VALUES), max_size=8))
@example([(1e50, -1e50), (-1e50, 1e50), (1e50, 1e50)])
@example([(1e-300, 1e-300), (2e-300, 1e-300), (3e-300, 3e-300)])
@example([(5e-324, 1.0), (0.0, 1.0), (1.0, 5e-324)])
def test_there_is_a_figure_or_a_reason(samples: list[tuple[float, float]]):
    first, second = np.array(samples, dtype=float).reshape(-1, 2).T
    for name, (reason, figures) in _results(first, second).items():
        for figure in figures:
            assert reason or figure.defined, name
            if not reason:
                assert not math.isnan(figure.low), name
            if figure.defined and not math.isnan(figure.low + figure.high):
                assert figure.low <= figure.value <= figure.high, (name, figure)
