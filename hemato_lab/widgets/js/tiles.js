// Tiles of the deep zoom: what is wanted is asked for in few messages, what is no longer wanted is not asked for.

import { ask } from "./transport.js";
import { bytesOf, clamp } from "./numbers.js";

/** Side of a tile in pixels of its level. */
export const TILE_PX = 256;
const TILES_A_MESSAGE = 12;
const TILES_IN_FLIGHT = 24;
const TILES_KEPT = 512;
const MORE_THAN_SEEN = 1.5;
/** Of one frame: finer ones than the screen can show would only push each other out. */
const MOST_TILES_SEEN = 640;
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
    this.wanted = new Map();
    this.ended = false;
    this.received = 0;
  }

  /** Say what is wanted now, the most urgent first; what was wanted before and is not asked for yet is dropped. */
  want(tiles) {
    this.wanted = new Map(tiles.map((tile) => [tile.join("/"), tile]));
    this.send();
  }

  /** Why tiles that are wanted now are not there, "" where none has failed. */
  get problem() {
    for (const key of this.wanted.keys()) {
      const why = this.kept.get(key)?.why;
      if (why) return why;
    }
    return "";
  }

  /** How many tiles are kept: all that are wanted, and some more, so that the way back is short. */
  get room() {
    return Math.max(TILES_KEPT, Math.ceil(MORE_THAN_SEEN * this.wanted.size));
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
      const next = this.nextOnes(Math.min(TILES_A_MESSAGE, TILES_IN_FLIGHT - this.flying.size));
      if (!next.length) return;
      this.fetch(next);
    }
  }

  nextOnes(most) {
    const found = [];
    for (const [key, tile] of this.wanted) {
      if (found.length === most) break;
      if (this.isOpen(key)) found.push(tile);
    }
    return found;
  }

  async fetch(tiles) {
    const keys = tiles.map((tile) => tile.join("/"));
    for (const key of keys) this.flying.add(key);
    try {
      await this.take(await ask(this.model, "tiles", { wanted: tiles }));
    } catch (error) {
      this.fail(keys, error.message);
      this.again ??= setTimeout(() => this.sendAgain(), RETRY_AFTER_MS + 1);
    }
    for (const key of keys) this.flying.delete(key);
    if (this.ended) return;
    this.onChange();
    this.send();
  }

  sendAgain() {
    this.again = null;
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
    for (const key of keys) this.keep(key, { picture: null, why: String(why), at: performance.now() });
  }

  keep(key, tile) {
    if (this.ended) {
      tile.picture?.close();
      return;
    }
    this.kept.get(key)?.picture?.close();
    this.kept.set(key, tile);
    const { room } = this;
    for (const [oldest, { picture }] of this.kept) {
      if (this.kept.size <= room) break;
      if (this.wanted.has(oldest)) continue;
      picture?.close();
      this.kept.delete(oldest);
    }
  }

  /** Give everything back. */
  end() {
    this.ended = true;
    clearTimeout(this.again);
    for (const { picture } of this.kept.values()) picture?.close();
    this.kept.clear();
  }
}

/** Return the tiles of a level that a camera sees of a field at a place, those in the middle first. */
export function tilesSeen(camera, index, field, place, level) {
  const side = TILE_PX * 2 ** level;
  const { columns, rows } = spanSeen(camera, field, place, level);
  const found = [];
  for (let row = rows[0]; row < rows[1]; row += 1) {
    for (let column = columns[0]; column < columns[1]; column += 1) found.push([index, level, column, row]);
  }
  const off = ([, , column, row]) =>
    Math.hypot((column + 0.5) * side + place.x - camera.x, (row + 0.5) * side + place.y - camera.y);
  return found.sort((one, other) => off(one) - off(other));
}

/** Return the first column and row of a level's tiles that a camera sees of a field, and those after the last. */
function spanSeen(camera, field, place, level) {
  const side = TILE_PX * 2 ** level;
  const seen = camera.seen();
  const first = (from, origin) => Math.max(0, Math.floor((from - origin) / side));
  const end = (to, origin, length) => Math.min(Math.ceil(length / side), Math.ceil((to - origin) / side));
  return {
    columns: [first(seen.x0, place.x), end(seen.x1, place.x, field.width)],
    rows: [first(seen.y0, place.y), end(seen.y1, place.y, field.height)],
  };
}

/** Return how many levels coarser than the screen's those must be of which a frame has no more tiles than are kept. */
function levelsCoarser(camera, world, seen, sharp) {
  for (let coarser = 0; ; coarser += 1) {
    let [count, canBeCoarser] = [0, false];
    for (const index of seen) {
      const field = world.fields[index];
      const level = coarserLevel(field, sharp, coarser);
      const { columns, rows } = spanSeen(camera, field, world.places[index], level);
      count += Math.max(0, columns[1] - columns[0]) * Math.max(0, rows[1] - rows[0]);
      canBeCoarser ||= level < levelsOf(field) - 1;
    }
    if (count <= MOST_TILES_SEEN || !canBeCoarser) return coarser;
  }
}

function coarserLevel(field, sharp, coarser) {
  return Math.min(levelFor(field, sharp) + coarser, levelsOf(field) - 1);
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
  const seen = world.seenBy(camera);
  const coarser = levelsCoarser(camera, world, seen, sharp);
  for (const index of seen) {
    const frame = { context, ratio, camera, field: world.fields[index], place: world.places[index], store };
    const coarsest = levelsOf(frame.field) - 1;
    const tiles = tilesSeen(camera, index, frame.field, frame.place, coarserLevel(frame.field, sharp, coarser));
    for (const tile of tiles) drawBest(frame, tile);
    // A tile that is wanted twice is asked for once.
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
