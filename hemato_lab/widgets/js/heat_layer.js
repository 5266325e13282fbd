// The density of cells over the fields that are shown.

import { densityPicture, smoothDensity, squareDensity } from "./density.js";

const OPACITY = 0.62;
const METHODS = { kernel: smoothDensity, grid: squareDensity };

/** Heat maps of fields, made when a field is first shown and kept until cells or settings change. */
export class HeatLayer {
  constructor() {
    this.choice = null;
    this.maps = new Map();
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
    this.maps.clear();
    this.top = 0;
    this.spentMs = 0;
  }

  /** Make what is missing for the fields of a world that are shown; one scale holds for all of them. */
  prepare(world) {
    const shown = world.shown();
    const begin = performance.now();
    for (const index of shown) if (!this.maps.has(index)) this.maps.set(index, this.map(world.fields[index], index));
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

  map(field, index) {
    const { method, umPerPx, bandwidthUm, cellsOf } = this.choice;
    const { x, y } = cellsOf(index);
    const density = METHODS[method](x, y, field, umPerPx, bandwidthUm);
    return { density, highest: density.perMm2.reduce((most, value) => Math.max(most, value), 0), picture: null };
  }

  /** Draw the maps of the fields that a camera sees. */
  draw({ context, camera, world }) {
    if (!this.choice) return;
    this.prepare(world);
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

  /** Return the density under a point of a field in cells per mm2, null where there is no map. */
  at(field, x, y) {
    const density = this.choice && this.maps.get(field)?.density;
    if (!density) return null;
    const [column, row] = [Math.floor((x + 0.5) / density.stepPx), Math.floor((y + 0.5) / density.stepPx)];
    if (column < 0 || row < 0 || column >= density.columns || row >= density.rows) return null;
    return density.perMm2[row * density.columns + column];
  }
}
