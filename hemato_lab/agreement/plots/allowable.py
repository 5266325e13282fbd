"""Differences against the reference, with what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hemato_lab.agreement.plots import style
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hemato_lab.agreement.allowable import Verdict


def draw(verdict: Verdict, axes: Axes | None = None) -> Axes:
    """Draw the pairs that were judged.

    Raises
    ------
    ConfigError
        If a bias or a share was judged, not pairs.
    """
    pairs = verdict.pairs
    if pairs is None:
        raise ConfigError("there are no pairs to draw", hint="judge the pairs themselves")
    axes = style.given_or_new(axes)
    differences = pairs.differences
    within = np.ones(len(pairs), dtype=bool)
    if len(verdict.allowed):
        within = np.abs(differences) <= verdict.allowed * (1 + 1e-12)
        order = np.argsort(pairs.first, kind="stable")
        levels, allowed = pairs.first[order], verdict.allowed[order]
        look: dict[str, Any] = {"color": style.LIMITS, "linestyle": "--", "linewidth": 1.2}
        axes.plot(levels, allowed, label=f"allowed: {style.plain(verdict.limit.text())}", **look)
        axes.plot(levels, -allowed, **look)
    axes.axhline(0.0, color=style.EQUALITY, linestyle=":", linewidth=1)
    style.dots(axes, pairs.first[within], differences[within])
    style.triangles(axes, pairs.first[~within], differences[~within], "beyond")
    first, second = pairs.names
    title = f"{verdict.limit.standard}, {verdict.limit.analyte}: {verdict.outcome}"
    return style.finish(
        axes,
        len(pairs),
        across=style.with_unit(first, pairs.unit),
        up=style.with_unit(f"{second} − {first}", pairs.unit),
        title=style.plain(title),
        reason=verdict.reason,
    )
