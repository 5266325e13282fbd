// One of the pictures of a comparison: tiles, rings, what is chosen, and where the pointer is on the other picture.

import { make } from "./controls.js";
import { MarkPainter, drawChosen, drawHovered } from "./marks.js";
import { followPointers } from "./pointing.js";
import { ScaleBar } from "./scale_bar.js";
import { drawTiles } from "./tiles.js";

const PLACE_REACH_PX = 6;
const OTHER_POINTER_PX = 9;
const PLAIN_GROUND = "#e9e7ea";

/** A canvas with a caption; `sides` are those whose cells it draws (0, 1 or both). */
export class ComparisonPane {
  /**
   * @param {object} shared `camera`, `world`, `tiles`, `places` of the view.
   * @param {number[]} sides drawn here.
   * @param {object} on of `followPointers`, given this pane before the rest.
   */
  constructor(shared, sides, on) {
    this.shared = shared;
    this.sides = sides;
    this.painters = sides.map(() => new MarkPainter());
    this.caption = make("div", { kind: "pane-caption" });
    this.canvas = make("canvas", { tabindex: "0", role: "application" });
    this.scaleBar = new ScaleBar();
    const stage = make("div", { kind: "stage" }, this.canvas, this.scaleBar.element);
    this.element = make("div", { kind: "comparison-pane" }, this.caption, stage);
    const bound = Object.entries(on).map(([name, act]) => [name, (...details) => act(this, ...details)]);
    this.stop = followPointers(this.canvas, Object.fromEntries(bound));
  }

  get camera() {
    return this.shared.camera;
  }

  get world() {
    return this.shared.world;
  }

  /** Fit the canvas to its place; returns whether it changed. */
  fitCanvas() {
    const box = this.canvas.getBoundingClientRect();
    this.ratio = globalThis.devicePixelRatio || 1;
    const [width, height] = [Math.round(box.width * this.ratio), Math.round(box.height * this.ratio)];
    if (this.canvas.width === width && this.canvas.height === height) return false;
    Object.assign(this.canvas, { width: Math.max(1, width), height: Math.max(1, height) });
    this.camera.resize(box.width, box.height);
    return true;
  }

  /** Draw everything; `standings` by side, `chosen` and `hovered` places, `pointer` on the plane or null. */
  draw(standings, look, { chosen, hovered, pointer, umPerPx }) {
    this.context = this.canvas.getContext("2d");
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.context.clearRect(0, 0, this.camera.width, this.camera.height);
    this.drawGround();
    this.sides.forEach((side, at) => {
      const marks = { marks: "circle", colours: look.colours, version: `${look.version}/${side}` };
      this.painters[at].draw(this, this.shared.places.tables[side], standings[side], marks);
    });
    this.drawPlaces(chosen, (table, rows) => drawChosen(this, table, rows));
    if (hovered >= 0) this.drawPlaces([hovered], (table, [row]) => drawHovered(this, table, row));
    this.scaleBar.show(this.camera, umPerPx);
    if (pointer) this.drawPointer(pointer);
  }

  drawGround() {
    const { context, camera, world } = this;
    context.fillStyle = PLAIN_GROUND;
    for (const index of world.seenBy(camera)) {
      const { x, y, width, height } = world.places[index];
      const [left, top] = [camera.toScreenX(x), camera.toScreenY(y)];
      context.fillRect(left, top, width * camera.zoom, height * camera.zoom);
    }
    if (world.fields[world.page]?.has_pixels) drawTiles(context, this.ratio, camera, world, this.shared.tiles);
  }

  /** Mark places on either picture: where only the other side lists one too. */
  drawPlaces(marked, drawRows) {
    const { places } = this.shared;
    const rows = [[], []];
    for (const place of marked) {
      const own = this.sides.find((side) => places.rows[side][place] >= 0);
      const side = own ?? places.anchor(place).side;
      rows[side].push(places.rows[side][place]);
    }
    rows.forEach((some, side) => {
      const here = some.filter((row) => places.tables[side].field[row] === this.world.page);
      if (here.length) drawRows(places.tables[side], here);
    });
  }

  drawPointer({ x, y }) {
    const { context } = this;
    const [left, top] = [this.camera.toScreenX(x), this.camera.toScreenY(y)];
    const path = new Path2D();
    for (const [across, down] of [[1, 0], [0, 1]]) {
      path.moveTo(left - across * OTHER_POINTER_PX, top - down * OTHER_POINTER_PX);
      path.lineTo(left + across * OTHER_POINTER_PX, top + down * OTHER_POINTER_PX);
    }
    for (const [colour, width] of [["#ffffff", 3.5], ["#000000", 1.5]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: width });
      context.stroke(path);
    }
  }

  /** Return the place under a point of the canvas, -1 for none. */
  hit(screenX, screenY, standings) {
    const { camera, world } = this;
    const at = world.toField(world.page, camera.toPlaneX(screenX), camera.toPlaneY(screenY));
    for (const side of this.sides) {
      const isShown = (row) => standings[side].shown[row] === 1;
      const row = this.shared.places.tables[side].hit(world.page, at.x, at.y, PLACE_REACH_PX / camera.zoom, isShown);
      if (row >= 0) return this.shared.places.placeOf[side][row];
    }
    return -1;
  }

  end() {
    this.stop();
  }
}
