// The pictures of a comparison: one camera, one or two canvases, one image at a time.

import { ComparisonPane } from "./comparison_pane.js";
import { make } from "./controls.js";
import { TileStore } from "./tiles.js";
import { Camera, glide } from "./view.js";
import { World } from "./world.js";

const PLACE_CLOSE_UP_PX = 24;
const FRAMES_MEASURED = 2000;
const COMPARISON_FRAME = "hemato-lab frame";

/** `on` holds functions: `moved()`, `choose(place, isMore)`, `hover(place)`. */
export class ComparisonStage {
  constructor(model, on) {
    this.on = on;
    this.camera = new Camera();
    this.tiles = new TileStore(model, () => this.redraw());
    this.element = make("div", { kind: "comparison-panes" });
    Object.assign(this, { panes: [], chosen: [], hovered: -1, pointer: null, frame: 0, frames: 0, isFitted: true });
    this.stopGlide = () => {};
    const sizes = new ResizeObserver(() => this.resize());
    sizes.observe(this.element);
    this.stopSizes = () => sizes.disconnect();
  }

  /** Show these images and places; the camera goes to the whole image. */
  setData(places, fields, umPerPx) {
    const page = this.world?.page ?? 0;
    Object.assign(this, { places, umPerPx, world: new World(fields, "pages"), arrangement: null });
    this.world.turnTo(page);
    this.camera.bound(this.world.bounds());
    this.fit();
  }

  /** Show what holds for the cells of each side, in the colours of `look`. */
  setLook(standings, look) {
    Object.assign(this, { standings, look });
    this.redraw();
  }

  /** Lay the canvases out; `labels` are what the sides are called, `imageName` what is in view. */
  arrange(arrangement, labels, imageName) {
    if (this.arrangement !== arrangement) this.makePanes(arrangement === "together");
    this.arrangement = arrangement;
    const texts = arrangement === "together" ? [labels.join(" and ")] : labels;
    this.panes.forEach((pane, at) => {
      pane.caption.textContent = texts[at];
      pane.canvas.setAttribute("aria-label", `${texts[at]}: ${imageName}. Arrow keys move, plus and minus zoom.`);
    });
  }

  makePanes(isTogether) {
    for (const pane of this.panes) pane.end();
    this.pointer = null;
    const { camera, world, tiles, places } = this;
    const shared = { camera, world, tiles, places };
    this.panes = (isTogether ? [[0, 1]] : [[0], [1]]).map((sides) => new ComparisonPane(shared, sides, this.pointing()));
    this.element.replaceChildren(...this.panes.map((pane) => pane.element));
    this.element.classList.toggle("is-together", isTogether);
    this.resize();
  }

  pointing() {
    return {
      zoom: (_, x, y, factor) => this.moveBy(() => this.camera.zoomAt(x, y, factor)),
      pan: (_, across, down) => this.moveBy(() => this.camera.panBy(across, down)),
      tap: (pane, x, y, event) => this.on.choose(pane.hit(x, y, this.standings), event.shiftKey),
      hover: (pane, x, y) => this.hover(pane, x, y),
      leave: () => this.hover(null),
    };
  }

  hover(pane, x, y) {
    this.pointer = pane && { pane, x: this.camera.toPlaneX(x), y: this.camera.toPlaneY(y) };
    const place = pane ? pane.hit(x, y, this.standings) : -1;
    if (pane) pane.canvas.classList.toggle("over-cell", place >= 0);
    const isOther = place !== this.hovered;
    this.hovered = place;
    if (isOther) this.on.hover(place);
    if (isOther || this.panes.length > 1) this.redraw();
  }

  moveBy(move) {
    this.stopGlide();
    this.isFitted = false;
    move();
    this.on.moved();
    this.redraw();
  }

  zoom(factor) {
    this.moveBy(() => this.camera.zoomAt(this.camera.width / 2, this.camera.height / 2, factor));
  }

  fit() {
    this.stopGlide();
    this.isFitted = true;
    this.camera.fit();
    this.on.moved();
    this.redraw();
  }

  turnTo(image) {
    this.world.turnTo(image);
    this.camera.bound(this.world.bounds());
    this.hovered = -1;
    this.fit();
  }

  goToPlace(place) {
    const { table, row } = this.places.anchor(place);
    const image = this.places.image[place];
    if (image !== this.world.page) this.turnTo(image);
    const zoom = Math.max(this.camera.zoom, PLACE_CLOSE_UP_PX / Math.max(table.radius[row], 1));
    const target = { ...this.world.toPlane(image, table.x[row], table.y[row]), zoom: this.camera.allowed(zoom) };
    this.stopGlide();
    this.isFitted = false;
    this.stopGlide = glide(this.camera, target, () => this.redraw(), () => this.on.moved());
  }

  /** Return what is seen as the trait `viewport` has it. */
  viewport() {
    const { x, y } = this.world.toField(this.world.page, this.camera.x, this.camera.y);
    return [this.world.page, x, y, this.camera.zoom];
  }

  /** Go where the trait `viewport` says: an image alone means all of it. */
  show([image = 0, x, y, zoom]) {
    this.stopGlide();
    this.world.turnTo(image);
    this.camera.bound(this.world.bounds());
    this.isFitted = !(zoom > 0);
    if (this.isFitted) this.camera.fit();
    else {
      const middle = this.world.toPlane(this.world.page, x, y);
      this.camera.go(middle.x, middle.y, zoom);
    }
    this.redraw();
  }

  resize() {
    for (const pane of this.panes) pane.fitCanvas();
    if (this.isFitted) this.camera.fit();
    this.redraw();
  }

  redraw() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.camera.width > 1 && this.standings) this.draw();
    });
  }

  draw() {
    const start = performance.now();
    const { chosen, hovered, umPerPx } = this;
    for (const pane of this.panes) {
      const pointer = this.pointer && this.pointer.pane !== pane ? this.pointer : null;
      pane.draw(this.standings, this.look, { chosen, hovered, pointer, umPerPx });
    }
    performance.measure(COMPARISON_FRAME, { start, end: performance.now() });
    this.frames += 1;
    if (this.frames % FRAMES_MEASURED === 0) performance.clearMeasures(COMPARISON_FRAME);
  }

  end() {
    this.stopGlide();
    this.stopSizes();
    cancelAnimationFrame(this.frame);
    for (const pane of this.panes) pane.end();
    this.tiles.end();
  }
}
