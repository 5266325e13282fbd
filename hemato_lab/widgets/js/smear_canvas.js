// The canvas on which a smear is seen: what is drawn in which order, and what pointers do to it.

import { standingOf } from "./cells.js";
import { make } from "./controls.js";
import { HeatLayer } from "./heat_layer.js";
import { MarkPainter, drawChosen, drawHovered, onScreen } from "./marks.js";
import { Ruler } from "./measuring.js";
import { followPointers } from "./pointing.js";
import { ScaleBar } from "./scale_bar.js";
import { TileStore, drawTiles } from "./tiles.js";
import { Camera, glide } from "./view.js";
import { World } from "./world.js";

const CELL_REACH_PX = 5;
const CLOSE_UP_PX = 26;
const TOO_SMALL_PX = 14;
const CALM_SHARE = 0.86;
const FRAMES_KEPT = 2000;
const FRAME = "hemato-lab frame";

/**
 * A smear on a canvas. `on` holds functions: `tap(row, event)` (-1 for no cell), `box(rows, event)`, `hover(row)`,
 * `moved()` (the reader moved the camera), `drawn()` (a frame was drawn), `measured()`.
 */
export class SmearCanvas {
  constructor(model, on) {
    this.on = on;
    this.camera = new Camera();
    this.world = new World([], "pages");
    this.tiles = new TileStore(model, () => this.redraw());
    this.painter = new MarkPainter();
    this.heat = new HeatLayer();
    this.ruler = new Ruler();
    this.scaleBar = new ScaleBar();
    Object.assign(this, { table: null, standing: null, look: null, chosen: [], hovered: -1, umPerPx: null });
    Object.assign(this, { ratio: 1, frame: 0, frames: 0, selecting: null, problems: [], isFitted: true, stopGlide: () => {} });
    this.canvas = make("canvas", { tabindex: "0", role: "application", "aria-roledescription": "smear" });
    this.context = this.canvas.getContext("2d");
    this.element = make("div", { kind: "stage" }, this.canvas, this.scaleBar.element);
    this.observer = new ResizeObserver(() => this.fitCanvas());
    this.observer.observe(this.element);
    this.stopPointers = followPointers(this.canvas, this.pointing());
  }

  /** Show these fields; the camera goes to all of them. */
  setFields(fields, arrangement, umPerPx) {
    this.umPerPx = umPerPx;
    const { page } = this.world;
    this.world = new World(fields, arrangement);
    this.world.turnTo(page);
    this.camera.bound(this.world.bounds());
    this.fit();
  }

  /** Show these cells; `choice` is that of `standingOf`, `look` that of `MarkPainter.draw`. */
  setCells(table, choice, look) {
    this.table = table;
    this.standing = standingOf(table, choice);
    this.look = look;
    if (this.hovered >= table.length) this.hovered = -1;
    this.redraw();
  }

  isShown(row) {
    return this.standing.shown[row] === 1;
  }

  fitCanvas() {
    const box = this.element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) return;
    this.ratio = globalThis.devicePixelRatio || 1;
    this.canvas.width = Math.round(box.width * this.ratio);
    this.canvas.height = Math.round(box.height * this.ratio);
    this.camera.resize(box.width, box.height);
    if (this.isFitted) this.camera.fit();
    this.draw();
  }

  /** Draw soon; many calls make one frame. */
  redraw() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const { camera, context, ratio } = this;
    if (camera.width < 2) return;
    const start = performance.now();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, camera.width, camera.height);
    this.drawLayers();
    if (this.selecting) this.drawSelecting();
    this.scaleBar.show(camera, this.umPerPx);
    performance.measure(FRAME, { start, end: performance.now() });
    this.frames += 1;
    if (this.frames % FRAMES_KEPT === 0) performance.clearMeasures(FRAME);
    this.on.drawn();
  }

  // What cannot be drawn is said, and does not take the rest with it.
  drawLayers() {
    const layers = [
      ["picture", () => drawTiles(this.context, this.ratio, this.camera, this.world, this.tiles)],
      ["heat map", () => this.heat.draw(this)],
      ["cells", () => this.drawCells()],
      ["ruler", () => this.ruler.draw(this, this.umPerPx)],
    ];
    this.problems = [];
    for (const [name, draw] of layers) {
      try {
        draw();
      } catch (error) {
        this.problems.push(`${name} not drawn: ${error.message}`);
      }
    }
    if (this.heat.problem) this.problems.push(this.heat.problem);
  }

  drawCells() {
    if (!this.table?.length) return;
    this.painter.draw(this, this.table, this.standing, this.look);
    const there = this.world.shown();
    const isThere = (row) => there.length > 1 || this.table.field[row] === there[0];
    const chosen = this.chosen.filter((row) => row < this.table.length && isThere(row));
    if (chosen.length) drawChosen(this, this.table, chosen);
    if (this.hovered >= 0 && isThere(this.hovered)) drawHovered(this, this.table, this.hovered);
  }

  drawSelecting() {
    const { context, selecting } = this;
    const [x, y] = [Math.min(selecting.x0, selecting.x1), Math.min(selecting.y0, selecting.y1)];
    const [width, height] = [Math.abs(selecting.x1 - selecting.x0), Math.abs(selecting.y1 - selecting.y0)];
    context.fillStyle = "rgb(11 92 173 / 0.16)";
    context.fillRect(x, y, width, height);
    for (const [colour, line] of [["#ffffff", 3], ["#0b5cad", 1.5]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: line });
      context.strokeRect(x, y, width, height);
    }
  }

  pointing() {
    return {
      zoom: (x, y, factor) => this.moveBy((camera) => camera.zoomAt(x, y, factor)),
      pan: (across, down) => this.moveBy((camera) => camera.panBy(across, down)),
      tap: (x, y, event) => this.tap(x, y, event),
      hover: (x, y) => this.hover(x, y),
      leave: () => this.setHovered(-1),
      takes: (event) => this.ruler.isOn || event.shiftKey,
      drag: (x, y, startX, startY) => this.drag(x, y, startX, startY),
      drop: (x, y, startX, startY, event) => this.drop(x, y, startX, startY, event),
      rest: () => this.cancelSelecting(),
    };
  }

  moveBy(move) {
    this.stopGlide();
    move(this.camera);
    this.isFitted = false;
    this.on.moved();
    this.redraw();
  }

  planePoint(x, y) {
    return { x: this.camera.toPlaneX(x), y: this.camera.toPlaneY(y) };
  }

  /** Return the field under a point of the canvas and the place there. */
  fieldPoint(x, y) {
    const point = this.planePoint(x, y);
    const field = this.world.fieldAt(point.x, point.y);
    return { field, ...(this.world.fields.length ? this.world.toField(field, point.x, point.y) : point) };
  }

  hit(x, y, reachPx = CELL_REACH_PX) {
    if (!this.table?.length || this.look.marks === "none") return -1;
    const at = this.fieldPoint(x, y);
    return this.table.hit(at.field, at.x, at.y, reachPx / this.camera.zoom, (row) => this.isShown(row));
  }

  tap(x, y, event) {
    if (this.ruler.isOn) this.putRuler(this.planePoint(x, y));
    else this.on.tap(this.hit(x, y, event.pointerType === "touch" ? 3 * CELL_REACH_PX : CELL_REACH_PX), event);
  }

  putRuler(point) {
    this.ruler.put(point);
    this.on.measured();
    this.redraw();
  }

  hover(x, y) {
    if (this.ruler.isOn) {
      this.ruler.follow(this.planePoint(x, y));
      this.redraw();
      return;
    }
    this.setHovered(this.hit(x, y));
  }

  setHovered(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.canvas.classList.toggle("over-cell", row >= 0);
    this.on.hover(row);
    this.redraw();
  }

  drag(x, y, startX, startY) {
    if (this.ruler.isOn) {
      this.ruler.clear();
      this.ruler.put(this.planePoint(startX, startY));
      this.ruler.follow(this.planePoint(x, y));
    } else {
      this.selecting = { x0: startX, y0: startY, x1: x, y1: y };
    }
    this.redraw();
  }

  drop(x, y, startX, startY, event) {
    if (this.ruler.isOn) {
      this.putRuler(this.planePoint(x, y));
      return;
    }
    this.on.box(this.rowsInside({ x0: startX, y0: startY, x1: x, y1: y }), event);
  }

  cancelSelecting() {
    if (!this.selecting) return;
    this.selecting = null;
    this.redraw();
  }

  rowsInside(box) {
    const [one, other] = [this.planePoint(box.x0, box.y0), this.planePoint(box.x1, box.y1)];
    const rows = [];
    for (const field of this.world.seenBy(this.camera)) {
      const [from, to] = [this.world.toField(field, one.x, one.y), this.world.toField(field, other.x, other.y)];
      const corners = { x0: Math.min(from.x, to.x), y0: Math.min(from.y, to.y) };
      Object.assign(corners, { x1: Math.max(from.x, to.x), y1: Math.max(from.y, to.y) });
      rows.push(...(this.table?.rowsIn(field, corners, (row) => this.isShown(row)) ?? []));
    }
    return rows;
  }

  /** Show all that is on the plane. */
  fit() {
    this.stopGlide();
    this.isFitted = true;
    this.camera.fit();
    this.redraw();
  }

  /** Turn to a field: its page, or its place in the strip. */
  turnTo(field) {
    if (this.world.layout === "strip") {
      const place = this.world.places[field];
      const zoom = this.camera.fittingZoom(place);
      this.glideTo(place.x + place.width / 2, place.y + place.height / 2, zoom);
      return;
    }
    this.world.turnTo(field);
    this.camera.bound(this.world.bounds());
    this.setHovered(-1);
    this.ruler.clear();
    this.fit();
  }

  /** Return what is seen as the trait `viewport` has it. */
  viewport() {
    const field = this.currentField();
    const { x, y } = this.world.toField(field, this.camera.x, this.camera.y);
    return [field, round(x), round(y), round(this.camera.zoom)];
  }

  currentField() {
    return this.world.layout === "strip" ? this.world.fieldAt(this.camera.x, this.camera.y) : this.world.page;
  }

  /** Go to a point of a field, smoothly where the way is short. */
  goTo(field, x, y, zoom = this.camera.zoom) {
    if (!this.world.fields[field]) return;
    const turned = this.world.layout === "pages" && field !== this.world.page;
    if (turned) {
      this.world.turnTo(field);
      this.camera.bound(this.world.bounds());
    }
    const place = this.world.toPlane(field, x, y);
    this.isFitted = false;
    this.stopGlide();
    if (turned) {
      this.camera.go(place.x, place.y, zoom);
      this.redraw();
    } else {
      this.glideTo(place.x, place.y, zoom);
    }
  }

  glideTo(x, y, zoom) {
    this.stopGlide();
    this.isFitted = false;
    this.stopGlide = glide(this.camera, { x, y, zoom: this.camera.allowed(zoom) }, () => this.redraw());
  }

  /** Bring a cell into the middle, large enough to be looked at; a picture in which it is well seen stays. */
  goToCell(row) {
    const { table, camera } = this;
    const isSmall = table.radius[row] * camera.zoom < TOO_SMALL_PX;
    if (!isSmall && this.sees(row, CALM_SHARE)) return;
    const zoom = isSmall ? CLOSE_UP_PX / Math.max(table.radius[row], 1) : camera.zoom;
    this.goTo(table.field[row], table.x[row], table.y[row], zoom);
  }

  /** Tell whether the middle of a cell lies within the middle `share` of what is seen. */
  sees(row, share = 1) {
    if (this.world.layout === "pages" && this.table.field[row] !== this.world.page) return false;
    const { x, y } = onScreen(this, this.table, row);
    const { width, height } = this.camera;
    return Math.abs(x - width / 2) < (share * width) / 2 && Math.abs(y - height / 2) < (share * height) / 2;
  }

  end() {
    this.stopGlide();
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.stopPointers();
    this.tiles.end();
  }
}

function round(value) {
  return Math.round(value * 1e4) / 1e4;
}
