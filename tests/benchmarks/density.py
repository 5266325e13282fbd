"""Goal 5: density of a million points on a grid of 1024 x 1024."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from scipy import ndimage, stats

from hemato_lab.kernels.density import blur, deposit, kernel_density
from tests.benchmarks.stopwatch import Verdict, median_milliseconds, verdicts

POINTS, SIDE, BANDWIDTH = 1_000_000, 1024, 4.0
EDGES = np.arange(SIDE + 1) - 0.5
SCIPY_CELLS, SKLEARN_CELLS = 12, 600
NAME = "1e6 points, 1024x1024"


def points() -> tuple[np.ndarray, np.ndarray]:
    """A cloud and its quarter turns: the covariance is isotropic, so scipy's bandwidth is one number too."""
    x, y = np.random.default_rng(0).uniform(-SIDE / 2, SIDE / 2, (2, POINTS // 4))
    centre = (SIDE - 1) / 2
    return np.concatenate([x, -y, -x, y]) + centre, np.concatenate([y, x, -y, -x]) + centre


def with_scipy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    counts, _, _ = np.histogram2d(y, x, (EDGES, EDGES))
    return ndimage.gaussian_filter(counts, BANDWIDTH, mode="constant")


def grid_goal(x: np.ndarray, y: np.ndarray, repeats: int) -> list[Verdict]:
    def ours() -> np.ndarray:
        return blur(deposit(x, y, (SIDE, SIDE), sharing="nearest"), BANDWIDTH)

    np.testing.assert_allclose(ours(), with_scipy(x, y), rtol=1e-9, atol=1e-12)
    peer = "histogram2d + gaussian_filter"
    spent = median_milliseconds({"ours": ours, peer: lambda: with_scipy(x, y)}, repeats)
    return verdicts("5 density grid", NAME, spent, {peer: 6})


def exact_goals(x: np.ndarray, y: np.ndarray, repeats: int) -> list[Verdict]:
    """The peers' time on a few cells is scaled up to the grid: their work is the same for every cell."""
    random = np.random.default_rng(1)
    cells = random.integers(40, SIDE - 40, (SKLEARN_CELLS, 2))
    few = cells[:SCIPY_CELLS]
    density = kernel_density(x, y, (SIDE, SIDE), BANDWIDTH)
    reference = stats.gaussian_kde([x, y], bw_method=BANDWIDTH / x.std(ddof=1))
    np.testing.assert_allclose(reference([few[:, 1], few[:, 0]]) * POINTS, density[few[:, 0], few[:, 1]], rtol=1e-4)
    ours = median_milliseconds({"ours": lambda: kernel_density(x, y, (SIDE, SIDE), BANDWIDTH)}, repeats)
    theirs = median_milliseconds({"scipy": lambda: reference([few[:, 1], few[:, 0]])}, 3)
    spent = {**ours, f"gaussian_kde (from {SCIPY_CELLS} cells)": theirs["scipy"] * SIDE**2 / SCIPY_CELLS}
    required = {f"gaussian_kde (from {SCIPY_CELLS} cells)": 1000.0}
    if find_spec("sklearn") is not None:
        name = f"scikit-learn (from {SKLEARN_CELLS} cells)"
        spent[name] = with_scikit_learn(x, y, cells, density)
        required[name] = 40.0
    else:
        print("scikit-learn is not installed: its part of goal 5 is left out")
    return verdicts("5 exact kernel density", NAME, spent, required)


def with_scikit_learn(x: np.ndarray, y: np.ndarray, cells: np.ndarray, density: np.ndarray) -> float:
    """Milliseconds of building its tree once and evaluating all cells, to a relative tolerance of 1e-4."""
    from sklearn.neighbors import KernelDensity

    data, model = np.stack([y, x], axis=1), KernelDensity(bandwidth=BANDWIDTH, rtol=1e-4)
    model.fit(data)
    np.testing.assert_allclose(
        np.exp(model.score_samples(cells)) * POINTS, density[cells[:, 0], cells[:, 1]], rtol=1e-3
    )
    spent = median_milliseconds({"fit": lambda: model.fit(data), "score": lambda: model.score_samples(cells)}, 3)
    return spent["fit"] + spent["score"] * SIDE**2 / len(cells)


def run(repeats: int) -> list[Verdict]:
    x, y = points()
    return [*grid_goal(x, y, repeats), *exact_goals(x, y, max(3, repeats // 3))]
