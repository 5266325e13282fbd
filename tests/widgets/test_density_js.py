"""density.js against the heat maps of hemato_lab.statistics, and against numpy and scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from hemato_lab.smear import Scale
from hemato_lab.statistics.heatmap import heat_map
from tests.analysed import cells
from tests.widgets.javascript import run_javascript


def points(seed: int, count: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, width - 0.5, count), rng.uniform(-0.5, height - 0.5, count)


def computed(function: str, x: Any, y: Any, size: tuple[int, int], *, um_per_px: float, bandwidth: float) -> Any:
    return run_javascript(
        f"{function} from density",
        f"""const map = {function}(given.x, given.y, given.field, given.umPerPx, given.bandwidth);
        return {{ ...map, perMm2: [...map.perMm2] }};""",
        x=x.tolist(),
        y=y.tolist(),
        field={"width": size[0], "height": size[1]},
        umPerPx=um_per_px,
        bandwidth=bandwidth,
    )


@pytest.mark.parametrize(
    ("size", "count", "um_per_px", "bandwidth"),
    [
        ((1234, 777), 400, 0.0911, 15.0),
        ((300, 900), 30, 0.2, 5.0),
        ((50, 40), 3, 0.1, 40.0),
        ((2000, 10), 7, 0.1, 15.0),
    ],
)
def test_the_smooth_map_is_that_of_python(size: tuple[int, int], count: int, um_per_px: float, bandwidth: float):
    x, y = points(count, count, *size)
    found = computed("smoothDensity", x, y, size, um_per_px=um_per_px, bandwidth=bandwidth)
    rows = [(0, "RBC", one, other, 9.0) for one, other in zip(x, y, strict=True)]
    expected = heat_map(cells(rows), size, Scale.from_um_per_px(um_per_px), bandwidth_um=bandwidth)
    assert (found["rows"], found["columns"]) == expected.per_mm2.shape
    assert found["stepPx"] == pytest.approx(expected.step_px, rel=1e-14)
    np.testing.assert_allclose(
        np.reshape(found["perMm2"], expected.per_mm2.shape), expected.per_mm2, rtol=1e-10, atol=1e-9
    )


def test_a_whole_slide_gets_a_coarser_raster_with_nearly_the_same_densities():
    size = (40_000, 30_000)
    x, y = points(5, 4000, *size)
    answer = run_javascript(
        "smoothDensity from density",
        """const map = smoothDensity(given.x, given.y, { width: 40000, height: 30000 }, 0.25, 15);
        const part = [...map.perMm2.subarray(0, 40 * map.columns)];
        return { stepPx: map.stepPx, columns: map.columns, part };""",
        x=x.tolist(),
        y=y.tolist(),
    )
    assert answer["stepPx"] == 2 * 15 / 4 / 0.25
    rows = [(0, "RBC", one, other, 9.0) for one, other in zip(x, y, strict=True)]
    exact = heat_map(cells(rows), size, Scale.from_um_per_px(0.25)).per_mm2
    of_four = exact[:80, : exact.shape[1] // 2 * 2].reshape(40, 2, -1, 2).mean((1, 3))
    coarse = np.reshape(answer["part"], (40, answer["columns"]))[:, : of_four.shape[1]]
    np.testing.assert_allclose(coarse, of_four, atol=0.05 * exact.max())


def test_squares_hold_counts_over_the_area_that_lies_in_the_field():
    size, um_per_px, bandwidth = (700, 410), 0.12, 9.0
    x, y = points(3, 500, *size)
    found = computed("squareDensity", x, y, size, um_per_px=um_per_px, bandwidth=bandwidth)
    step = 2 * bandwidth / um_per_px
    edges = [np.minimum(np.arange(np.ceil(side / step) + 1) * step, side) for side in size]
    counts, *_ = np.histogram2d(y + 0.5, x + 0.5, bins=(edges[1], edges[0]))
    area_mm2 = np.outer(np.diff(edges[1]), np.diff(edges[0])) * um_per_px**2 * 1e-6
    np.testing.assert_allclose(np.reshape(found["perMm2"], counts.shape), counts / area_mm2, rtol=1e-12)
    assert counts.sum() == 500


@pytest.mark.parametrize("size", [(710, 480), (575, 660), (60, 60), (760, 20), (690, 240), (600, 450)])
def test_squares_of_which_little_lies_in_the_field_set_no_scale(size: tuple[int, int]):
    """Squares of 150 pixels: a lone cell in a strip of 20 would be the densest place."""
    x, y = [10.0, 12.0, size[0] - 1.0], [10.0, 12.0, size[1] - 1.0]
    found = run_javascript(
        "squareDensity from density, isSliver from density, highestDensity from density",
        """const map = squareDensity(given.x, given.y, given.field, 0.1, 7.5);
        return { slivers: [...map.perMm2].map((_, at) => Number(isSliver(map, at))), all: [...map.perMm2],
          highest: highestDensity(map), columns: map.columns, rows: map.rows };""",
        x=x,
        y=y,
        field={"width": size[0], "height": size[1]},
    )
    across, down = (np.diff([*range(0, side, 150), side]) for side in size)
    shares = np.outer(down, across).ravel()
    assert found["slivers"] == (shares < shares.max() / 2).astype(int).tolist()
    assert found["highest"] == np.array(found["all"])[np.array(found["slivers"]) == 0].max()


def test_a_field_without_cells_has_a_density_of_nothing():
    nothing = np.empty(0)
    for function in ("smoothDensity", "squareDensity"):
        assert not np.any(computed(function, nothing, nothing, (400, 300), um_per_px=0.1, bandwidth=15.0)["perMm2"])


def test_the_normal_distribution_is_that_of_scipy():
    z = np.concatenate([np.linspace(-9, 9, 400), [0.0, -40.0, 40.0]])
    found = run_javascript("normalBelow from density", "return given.z.map(normalBelow);", z=z.tolist())
    np.testing.assert_allclose(found, ndtr(z), atol=3e-15)


@pytest.mark.parametrize("function", ["smoothDensity", "squareDensity"])
@pytest.mark.parametrize("size", [(20_000, 15_000), (300_000, 20)])
def test_no_width_makes_a_map_that_a_browser_cannot_hold(function: str, size: tuple[int, int]):
    """With the least width that the trait allows: the map is coarser and says so, and loses no cell."""
    x, y = points(7, 50, *size)
    found = run_javascript(
        f"{function} from density",
        f"""const map = {function}(given.x, given.y, given.field, 0.1, 0.1, 200000);
        const {{ perMm2, ...rest }} = map;
        const usual = {function}([1], [1], {{ width: 300, height: 200 }}, 0.1, 15).widthUm;
        return {{ ...rest, usual, total: perMm2.reduce((sum, one) => sum + one, 0) }};""",
        x=x.tolist(),
        y=y.tolist(),
        field={"width": size[0], "height": size[1]},
    )
    assert found["columns"] * found["rows"] <= 210_000
    assert max(found["columns"], found["rows"]) <= 8192
    assert found["widthUm"] == pytest.approx(found["stepPx"] * 0.1)
    assert found["usual"] == pytest.approx(15 if function == "smoothDensity" else 30)
    # Cells at an edge weigh more, as part of their Gaussian lies beyond it.
    cell_mm2 = (found["stepPx"] * 0.1e-3) ** 2
    assert found["total"] * cell_mm2 >= 50 * (1 - 1e-6)


LAYER = """globalThis.document = { createElement: () => ({ getContext: () => given.isFull
    ? { createImageData() { throw new RangeError("Out of memory at ImageData creation"); } }
    : { putImageData() {}, createImageData: (width, height) => ({ data: new Uint8ClampedArray(width * height * 4) }) }
}) };
const field = { width: 400, height: 300 };
const world = { fields: [field], places: [{ x: 0, y: 0 }], shown: () => [0], seenBy: () => [0] };
const camera = { zoom: 1, toScreenX: (x) => x, toScreenY: (y) => y };
const drawn = []; const context = { save() {}, restore() {}, drawImage: (...given) => drawn.push(given) };
const layer = new HeatLayer();
const choose = (bandwidthUm) => layer.choose({ method: given.method, umPerPx: 0.1, bandwidthUm,
  cellsOf: () => ({ x: [10, 20], y: [10, 20] }) });
"""


def test_a_map_that_cannot_be_made_is_said_once_and_a_new_choice_tries_again():
    answer = run_javascript(
        "HeatLayer from heat_layer",
        LAYER
        + """choose(5); layer.draw({ context, camera, world }); const said = layer.problem;
        layer.draw({ context, camera, world }); const again = layer.problem; const isDrawn = layer.isDrawn;
        given.isFull = false; choose(6); layer.draw({ context, camera, world });
        return { said, again, isDrawn, then: layer.problem, drawn: drawn.length };""",
        isFull=True,
        method="kernel",
    )
    told = "no heat map: Out of memory at ImageData creation"
    assert answer == {"said": told, "again": told, "isDrawn": False, "then": "", "drawn": 1}


@pytest.mark.parametrize(("method", "factor"), [("kernel", 1), ("grid", 2)])
def test_the_width_of_the_legend_is_the_one_used(method: str, factor: int):
    answer = run_javascript(
        "HeatLayer from heat_layer",
        LAYER
        + """choose(5); layer.draw({ context, camera, world }); const usual = [layer.widthUm, layer.isCoarser];
        Object.assign(field, { width: 20000, height: 15000 }); choose(0.1);
        layer.draw({ context, camera, world }); return { usual, large: [layer.widthUm, layer.isCoarser] };""",
        isFull=False,
        method=method,
    )
    assert answer["usual"] == [pytest.approx(5 * factor), False]
    assert answer["large"][0] == pytest.approx((20_000 * 15_000 / 3e6) ** 0.5 * 0.1)
    assert answer["large"][1]


@pytest.mark.parametrize(
    ("names", "classes", "chosen", "expected"),
    [
        (["normal RBC", "neutrophil"], ["RBC", "WBC"], [], ("red cells", "", [True, False])),
        (["normal RBC", "neutrophil"], ["RBC", "WBC"], ["neutrophil"], ("neutrophil", "", [False, True])),
        (["cell"], [""], [], ("cells", "", [True])),
        # Blind: a name that the reader gives is no name under which the machine found a cell.
        (["cell", "target cell"], ["", "RBC"], [], ("cells", "", [True, True])),
        (["normal RBC"], ["RBC"], ["a", "b"], ("", "no cell is called a or b", [False])),
        ([], [], [], ("cells", "no cells are listed", [])),
    ],
)
def test_red_cells_are_counted_where_there_are_red_cells(names, classes, chosen, expected):
    found = run_javascript(
        "countedCells from heat_counting",
        """const traits = { names: given.names, classes: given.classes, density_of: given.chosen };
        const name = Float32Array.from(given.found);
        return countedCells({ length: name.length, name }, { get: (trait) => traits[trait] });""",
        names=names,
        classes=classes,
        chosen=chosen,
        found=[0, 0] if "cell" in names else list(range(len(names))),
    )
    assert (found["what"], found["why"], found["wanted"]) == expected
