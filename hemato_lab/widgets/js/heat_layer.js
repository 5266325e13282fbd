// The density of cells over the fields that are shown.

import { MOST_RASTER_CELLS, SQUARE_PER_BANDWIDTH, densityPicture, highestDensity, isSliver, smoothDensity, squareDensity } from "./density.js";

const OPACITY = 0.62;
const MOST_OF_ALL_FIELDS = 4 * MOST_RASTER_CELLS;
const METHODS = { kernel: smoothDensity, grid: squareDensity };

/** Heat maps of fields, made when a field is first shown and kept until cells or settings change. */
export class HeatLayer {
  constructor() {
    this.choice = null;
    this.problem = "";
    this.maps = new Map();
    this.forget();
  }

  forget() {
    this.maps.clear();
    this.top = 0;
    this.spentMs = 0;
  }

  /**
   * Say what is to be shown; forgets the maps that were made.
   *
   * @param {object|null} choice `method` ("kernel", "grid"), `umPerPx`, `bandwidthUm`, `cellsOf(field)` that returns
   *   the columns {x, y} to count; null shows nothing.
   */
  choose(choice) {
    this.choice = choice;
    this.problem = "";
    this.forget();
  }

  /** Whether there are maps to see. */
  get isDrawn() {
    return this.choice !== null && this.maps.size > 0;
  }

  /** The width in µm with which the maps are made in fact: of the Gaussian, or of the squares. */
  get widthUm() {
    return Math.max(...[...this.maps.values()].map(({ density }) => density.widthUm));
  }

  /** Whether that is more than what was asked for. */
  get isCoarser() {
    if (!this.choice) return false;
    const { method, bandwidthUm } = this.choice;
    return this.widthUm > bandwidthUm * (method === "grid" ? SQUARE_PER_BANDWIDTH : 1) * (1 + 1e-9);
  }

  /** Make what is missing for the fields of a world that are shown; one scale holds for all of them. */
  prepare(world) {
    const shown = world.shown();
    const begin = performance.now();
    const most = Math.min(MOST_RASTER_CELLS, Math.ceil(MOST_OF_ALL_FIELDS / shown.length));
    for (const index of shown) {
      if (!this.maps.has(index)) this.maps.set(index, this.map(world.fields[index], index, most));
    }
    this.spentMs = Math.max(this.spentMs, performance.now() - begin);
    const top = shown.reduce((most, index) => Math.max(most, this.maps.get(index).highest), 0);
    if (top !== this.top) {
      this.top = top;
      for (const map of this.maps.values()) map.picture = null;
    }
    for (const index of shown) {
      const map = this.maps.get(index);
      map.picture ??= densityPicture(map.density, this.top);
    }
  }

  map(field, index, most) {
    const { method, umPerPx, bandwidthUm, cellsOf } = this.choice;
    const { x, y } = cellsOf(index);
    const density = METHODS[method](x, y, field, umPerPx, bandwidthUm, most);
    return { density, highest: highestDensity(density), picture: null };
  }

  /** Draw the maps of the fields that a camera sees. */
  draw(picture) {
    if (!this.choice) return;
    try {
      this.prepare(picture.world);
    } catch (error) {
      // Once is enough: the next frame would fail in the same way.
      this.choose(null);
      this.problem = `no heat map: ${error.message}`;
      return;
    }
    this.drawMaps(picture);
  }

  drawMaps({ context, camera, world }) {
    context.save();
    context.globalAlpha = OPACITY;
    context.imageSmoothingEnabled = this.choice.method === "kernel";
    context.imageSmoothingQuality = "high";
    for (const index of world.seenBy(camera)) {
      const [field, place, map] = [world.fields[index], world.places[index], this.maps.get(index)];
      const [left, top] = [camera.toScreenX(place.x), camera.toScreenY(place.y)];
      const { stepPx } = map.density;
      const [width, height] = [field.width * camera.zoom, field.height * camera.zoom];
      context.drawImage(map.picture, 0, 0, field.width / stepPx, field.height / stepPx, left, top, width, height);
    }
    context.restore();
  }

  /** Return the density under a point of a field in cells per mm2, null where there is no map or a sliver of a square. */
  at(field, x, y) {
    const density = this.choice && this.maps.get(field)?.density;
    if (!density) return null;
    const [column, row] = [Math.floor((x + 0.5) / density.stepPx), Math.floor((y + 0.5) / density.stepPx)];
    if (column < 0 || row < 0 || column >= density.columns || row >= density.rows) return null;
    const place = row * density.columns + column;
    return isSliver(density, place) ? null : density.perMm2[place];
  }
}
