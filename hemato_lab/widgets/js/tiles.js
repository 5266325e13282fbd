// Tiles of the deep zoom: what is wanted is asked for in few messages, what is no longer wanted is not asked for.

import { ask } from "./transport.js";
import { bytesOf, clamp } from "./numbers.js";

/** Side of a tile in pixels of its level. */
export const TILE_PX = 256;
const TILES_A_MESSAGE = 12;
const TILES_IN_FLIGHT = 24;
const TILES_KEPT = 512;
const RETRY_AFTER_MS = 15000;

/** Return how many levels a field has: each half of the one before, until one tile holds it. */
export function levelsOf({ width, height }) {
  let levels = 1;
  while (Math.max(width, height) > TILE_PX * 2 ** (levels - 1)) levels += 1;
  return levels;
}

/** Return the level whose pixels are nearest to those of the screen. */
export function levelFor(field, pixelsOfScreen) {
  return clamp(Math.round(-Math.log2(pixelsOfScreen)), 0, levelsOf(field) - 1);
}

/** The tiles of one model: asked for, kept, drawn. */
export class TileStore {
  /**
   * @param {object} model of anywidget, which answers `tiles`.
   * @param {function()} onChange called when tiles came.
   */
  constructor(model, onChange) {
    this.model = model;
    this.onChange = onChange;
    this.kept = new Map();
    this.flying = new Set();
    this.wanted = [];
    this.problem = "";
    this.ended = false;
    this.received = 0;
  }

  /** Say what is wanted now, the most urgent first; what was wanted before and is not asked for yet is dropped. */
  want(tiles) {
    this.wanted = tiles;
    this.send();
  }

  /** Return a tile's picture, null while it is not there. */
  picture(field, level, column, row) {
    const key = `${field}/${level}/${column}/${row}`;
    const found = this.kept.get(key);
    if (!found?.picture) return null;
    this.kept.delete(key);
    this.kept.set(key, found);
    return found.picture;
  }

  /** Tell whether a tile was asked for not long ago and could not be had. */
  hasFailed(key) {
    const found = this.kept.get(key);
    return Boolean(found && !found.picture && performance.now() - found.at < RETRY_AFTER_MS);
  }

  isOpen(key) {
    return !this.flying.has(key) && !this.kept.get(key)?.picture && !this.hasFailed(key);
  }

  send() {
    while (!this.ended && this.flying.size < TILES_IN_FLIGHT) {
      const next = this.wanted.filter((tile) => this.isOpen(tile.join("/"))).slice(0, TILES_A_MESSAGE);
      const room = Math.min(next.length, TILES_IN_FLIGHT - this.flying.size);
      if (room <= 0) return;
      this.fetch(next.slice(0, room));
    }
  }

  async fetch(tiles) {
    const keys = tiles.map((tile) => tile.join("/"));
    for (const key of keys) this.flying.add(key);
    try {
      await this.take(await ask(this.model, "tiles", { wanted: tiles }));
    } catch (error) {
      this.fail(keys, error.message);
    }
    for (const key of keys) this.flying.delete(key);
    if (this.ended) return;
    this.onChange();
    this.send();
  }

  async take({ content, buffers }) {
    for (const [field, level, column, row, why] of content.failed ?? []) {
      this.fail([`${field}/${level}/${column}/${row}`], why);
    }
    await Promise.all(content.tiles.map((tile, at) => this.decode(tile.join("/"), bytesOf(buffers[at]))));
  }

  async decode(key, bytes) {
    this.received += bytes.byteLength;
    try {
      const picture = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
      this.keep(key, { picture });
    } catch {
      this.fail([key], "a part of the picture came damaged");
    }
  }

  fail(keys, why) {
    if (this.ended) return;
    this.problem = String(why);
    for (const key of keys) this.keep(key, { picture: null, at: performance.now() });
  }

  keep(key, tile) {
    if (this.ended) {
      tile.picture?.close();
      return;
    }
    this.kept.set(key, tile);
    for (const [oldest, { picture }] of this.kept) {
      if (this.kept.size <= TILES_KEPT) break;
      picture?.close();
      this.kept.delete(oldest);
    }
  }

  /** Give everything back. */
  end() {
    this.ended = true;
    for (const { picture } of this.kept.values()) picture?.close();
    this.kept.clear();
  }
}

/** Return the tiles of a level that a camera sees of a field at a place, those in the middle first. */
export function tilesSeen(camera, index, field, place, level) {
  const side = TILE_PX * 2 ** level;
  const seen = camera.seen();
  const first = (from, origin) => Math.max(0, Math.floor((from - origin) / side));
  const last = (to, origin, length) => Math.min(Math.ceil(length / side), Math.ceil((to - origin) / side));
  const found = [];
  for (let row = first(seen.y0, place.y); row < last(seen.y1, place.y, field.height); row += 1) {
    for (let column = first(seen.x0, place.x); column < last(seen.x1, place.x, field.width); column += 1) {
      found.push([index, level, column, row]);
    }
  }
  const off = ([, , column, row]) =>
    Math.hypot((column + 0.5) * side + place.x - camera.x, (row + 0.5) * side + place.y - camera.y);
  return found.sort((one, other) => off(one) - off(other));
}

/**
 * Draw what is there of the fields that a camera sees, coarser or finer tiles where the right ones are not there yet,
 * and ask for what is missing.
 *
 * @param {CanvasRenderingContext2D} context in CSS pixels.
 * @param {number} ratio screen's pixels in one CSS pixel.
 */
export function drawTiles(context, ratio, camera, world, store) {
  const wanted = [];
  const sharp = camera.zoom * ratio;
  context.imageSmoothingEnabled = sharp < 6;
  context.imageSmoothingQuality = "medium";
  for (const index of world.seenBy(camera)) {
    const frame = { context, ratio, camera, field: world.fields[index], place: world.places[index], store };
    const coarsest = levelsOf(frame.field) - 1;
    const tiles = tilesSeen(camera, index, frame.field, frame.place, levelFor(frame.field, sharp));
    for (const tile of tiles) drawBest(frame, tile);
    wanted.push([index, coarsest, 0, 0], ...tiles, ...insteadOf(tiles, coarsest, store));
  }
  store.want(wanted);
}

/** Return the nearest coarser tiles that may be had where finer ones could not. */
function insteadOf(tiles, coarsest, store) {
  const found = new Map();
  for (const tile of tiles) {
    let [index, level, column, row] = tile;
    while (level < coarsest && store.hasFailed([index, level, column, row].join("/"))) {
      [level, column, row] = [level + 1, column >> 1, row >> 1];
    }
    if (level > tile[1]) found.set([index, level, column, row].join("/"), [index, level, column, row]);
  }
  return found.values();
}

function drawBest(frame, [index, level, column, row]) {
  const part = partOf(frame.field, level, column, row);
  const picture = frame.store.picture(index, level, column, row);
  if (picture) {
    drawPart(frame, picture, level, column, row, part);
    return;
  }
  for (let up = 1; level + up < levelsOf(frame.field); up += 1) {
    const [across, down] = [column >> up, row >> up];
    const coarser = frame.store.picture(index, level + up, across, down);
    if (!coarser) continue;
    drawPart(frame, coarser, level + up, across, down, part);
    break;
  }
  if (level > 0) drawFiner(frame, [index, level, column, row]);
}

function drawFiner(frame, [index, level, column, row]) {
  for (const [right, below] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
    const [across, down] = [2 * column + right, 2 * row + below];
    const finer = frame.store.picture(index, level - 1, across, down);
    if (finer) drawPart(frame, finer, level - 1, across, down, partOf(frame.field, level - 1, across, down));
  }
}

/** Return the rectangle of a field that a tile holds, in pixels from the field's corner. */
function partOf(field, level, column, row) {
  const side = TILE_PX * 2 ** level;
  const [x0, y0] = [column * side, row * side];
  return { x0, y0, x1: Math.min(field.width, x0 + side), y1: Math.min(field.height, y0 + side) };
}

/** Draw the part of a field that lies in a tile's picture. */
function drawPart({ context, ratio, camera, place }, picture, level, column, row, part) {
  const pixel = 2 ** level;
  const left = part.x0 / pixel - column * TILE_PX;
  const top = part.y0 / pixel - row * TILE_PX;
  // Edges on whole pixels of the screen leave no seams between neighbours.
  const snapX = (x) => Math.round(camera.toScreenX(place.x + x) * ratio) / ratio;
  const snapY = (y) => Math.round(camera.toScreenY(place.y + y) * ratio) / ratio;
  const [x0, y0, x1, y1] = [snapX(part.x0), snapY(part.y0), snapX(part.x1), snapY(part.y1)];
  const [width, height] = [(part.x1 - part.x0) / pixel, (part.y1 - part.y0) / pixel];
  if (x1 > x0 && y1 > y0) context.drawImage(picture, left, top, width, height, x0, y0, x1 - x0, y1 - y0);
}
