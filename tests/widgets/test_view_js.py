"""view.js, world.js, rings.js: the camera, where fields lie, and rings copied from stamps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.widgets.javascript import run_javascript

CAMERA = """const camera = new Camera(); camera.resize(800, 500);
camera.bound({ x: 0, y: 0, width: 4000, height: 3000 }); camera.fit();
const at = (x, y) => [camera.toPlaneX(x), camera.toPlaneY(y)];"""


def test_zooming_keeps_the_point_under_the_pointer():
    before, after, back = run_javascript(
        "Camera from view",
        CAMERA
        + """camera.zoomAt(400, 250, 8); const before = at(123, 321); camera.zoomAt(123, 321, 1.7);
        return [before, at(123, 321), [camera.toScreenX(before[0]), camera.toScreenY(before[1])]];""",
    )
    np.testing.assert_allclose(after, before, rtol=1e-12)
    np.testing.assert_allclose(back, [123, 321], rtol=1e-12)


def test_the_camera_stays_over_the_picture_and_within_useful_zooms():
    fitted, closest, farthest, place = run_javascript(
        "Camera from view",
        CAMERA
        + """const fitted = { ...camera }; camera.zoomAt(0, 0, 1e6); const closest = camera.zoom;
        camera.zoomAt(0, 0, 1e-9); const farthest = camera.zoom; camera.panBy(1e7, -1e7);
        return [fitted, closest, farthest, [camera.x, camera.y]];""",
    )
    assert (fitted["x"], fitted["y"]) == (2000, 1500)
    assert fitted["zoom"] == pytest.approx(min(800 / 4000, 500 / 3000))
    assert closest == 32
    assert farthest == pytest.approx(fitted["zoom"] / 2)
    assert place == [4000, 0]


SIZES = [{"width": 640, "height": 480}, {"width": 640, "height": 300}, {"width": 500, "height": 480}] * 3


@pytest.mark.parametrize("layout", ["pages", "strip"])
def test_every_field_has_a_place_of_its_own_and_its_pixels_are_found_again(layout: str):
    answer = run_javascript(
        "World from world",
        """const world = new World(given.sizes, given.layout); world.turnTo(4);
        const places = world.shown().map((index) => ({ index, ...world.places[index] }));
        return { places, bounds: world.bounds(), back: places.map(({ index }) => {
          const { x, y } = world.toPlane(index, 30, 40);
          return [world.fieldAt(x, y) === index, world.toField(index, x, y)]; }) };""",
        sizes=SIZES,
        layout=layout,
    )
    places = answer["places"]
    assert [one["index"] for one in places] == ([4] if layout == "pages" else list(range(9)))
    assert all(is_found and at == {"x": 30, "y": 40} for is_found, at in answer["back"])
    for at, one in enumerate(places):
        for other in places[:at]:
            apart_x = one["x"] >= other["x"] + other["width"] or other["x"] >= one["x"] + one["width"]
            apart_y = one["y"] >= other["y"] + other["height"] or other["y"] >= one["y"] + one["height"]
            assert apart_x or apart_y
    assert answer["bounds"]["width"] >= max(one["x"] + one["width"] for one in places)


def test_a_camera_sees_only_fields_in_its_view():
    seen = run_javascript(
        "World from world, Camera from view",
        """const world = new World(given.sizes, "strip"); const camera = new Camera();
        camera.resize(100, 100); camera.bound(world.bounds()); camera.go(320, 240, 1);
        const one = world.seenBy(camera); camera.fit();
        return [one, world.seenBy(camera).length, world.places[1].x];""",
        sizes=SIZES,
    )
    assert seen[:2] == [[0], 9]
    assert seen[2] > 640


CANVAS = """globalThis.document = { createElement: () => ({ getContext: () => ({
  createImageData: (width, height) => ({ width, height, data: new Uint8ClampedArray(width * height * 4) }),
  putImageData() {} }) }) };
const layer = new RingLayer();"""


def ring_pixels(x: float, y: float, radius: float, look: int = 0, ratio: float = 1) -> np.ndarray:
    """The picture of one ring, shape (100, 100, 4), red, green, blue, alpha."""
    width, data = run_javascript(
        "RingLayer from rings",
        CANVAS
        + """layer.begin(100, 100, 1.8 * given.ratio, 0.9 * given.ratio, ["#CC3311", "#000000"]);
        layer.put(given.x, given.y, given.radius, 0, given.look); return [layer.image.width, [...layer.image.data]];""",
        x=x,
        y=y,
        radius=radius,
        look=look,
        ratio=ratio,
    )
    picture = np.reshape(data, (-1, width, 4))
    margin = (width - 100) // 2
    return picture[margin:-margin, margin:-margin]


@pytest.mark.parametrize(("x", "y", "radius"), [(50.2, 49.6, 20.0), (48.9, 50.1, 11.3), (50.0, 50.0, 5.0)])
def test_a_ring_lies_where_the_cell_is_and_is_as_wide_as_its_line(x: float, y: float, radius: float):
    picture = ring_pixels(x, y, radius)
    rows, columns = np.mgrid[:100, :100] + 0.5
    apart = np.hypot(columns - x, rows - y)
    weight = picture[..., 3] / 255
    assert np.average(columns, weights=weight) == pytest.approx(x, abs=0.3)
    assert np.average(rows, weights=weight) == pytest.approx(y, abs=0.3)
    assert np.average(apart, weights=weight) == pytest.approx(radius, abs=0.35)
    half = min(1.8, max(0.6 * 1.8, radius / 7)) / 2
    rim = min(0.9, radius / 9)
    area = 2 * math.pi * radius * 2 * (half + 0.5 * rim)
    assert weight.sum() == pytest.approx(area, rel=0.08)
    loud = picture[(np.abs(apart - radius) < 0.3) & (weight > 0.9)]
    assert np.all(np.abs(loud[:, :3] - [0xCC, 0x33, 0x11]) <= 40)
    assert not weight[apart < radius - 3].any()


def test_decisions_change_the_mark_but_leave_the_inside_of_a_cell_that_stays_free():
    rows, columns = np.mgrid[:100, :100] + 0.5
    inside = np.hypot(columns - 50, rows - 50) < 9
    plain, crossed, dotted = (ring_pixels(50, 50, 15, look)[..., 3] for look in (0, 1, 2))
    assert not plain[inside].any()
    assert not dotted[inside].any()
    assert crossed[50, 50] > 200
    assert dotted.sum() > plain.sum()
    assert dotted[60, 60] > plain[55, 55]


def test_rings_at_the_edge_are_cut_and_far_ones_left_out():
    assert ring_pixels(-5, 50, 12)[..., 3].any()
    assert not ring_pixels(-5, 50, 12)[:, 20:, 3].any()
    for far in ((-200, 50), (50, 400), (1e6, -1e6)):
        assert not ring_pixels(*far, 12).any()


def test_cells_too_small_for_a_ring_are_dots_that_can_be_seen():
    picture = ring_pixels(50.4, 50.6, 0.3)
    assert picture[50, 50, 3] > 128
    assert 2 < (picture[..., 3] / 255).sum() < 9


def test_what_cannot_be_drawn_is_said_and_the_rest_is_drawn():
    problems = run_javascript(
        "SmearCanvas from smear_canvas",
        """const canvas = Object.create(SmearCanvas.prototype); const drawn = [];
        Object.assign(canvas, { camera: { zoom: 1 }, context: {}, ratio: 1,
          world: { seenBy() { throw new Error("no memory"); } },
          heat: { draw: () => drawn.push("heat"), problem: "no heat map: too large" },
          drawCells: () => drawn.push("cells"), ruler: { draw: () => drawn.push("ruler") } });
        canvas.drawLayers(); const first = canvas.problems; canvas.world.seenBy = () => [];
        canvas.tiles = { want() {} }; canvas.heat.problem = ""; canvas.drawLayers();
        return { first, then: canvas.problems, drawn };""",
    )
    assert problems["first"] == ["picture not drawn: no memory", "no heat map: too large"]
    assert problems["then"] == []
    assert problems["drawn"] == ["heat", "cells", "ruler"] * 2
