// Pictures of single cells, cut out of the tiles that a page holds.

import { bytesOfBase64 } from "./page_model.js";
import { numbersOf } from "./numbers.js";
import { TILE_PX, levelsOf } from "./tiles.js";

const NUMBERS_A_CELL = 9;
const BEYOND_THE_FIELD = "#808080";
const CROP_QUALITY = 0.9;
const MOST_TILES_KEPT = 64;

/** Cuts squares around cells; `picture` is the stored pyramid, the cells are those of the widget's own model. */
export class CropCutter {
  constructor(picture, models, widget) {
    this.picture = picture;
    this.models = models;
    this.widget = widget;
    this.tiles = new Map();
  }

  async crops(rows, side) {
    const cells = numbersOf(this.models.get(this.widget).get("cells"), Float32Array);
    const crops = [];
    const failed = [];
    const buffers = [];
    for (const row of rows) {
      const [x, y, , , field] = cells.subarray(row * NUMBERS_A_CELL, row * NUMBERS_A_CELL + NUMBERS_A_CELL);
      const bytes = await this.cut(field, x, y, this.picture.crop_px, side);
      if (bytes) {
        crops.push(row);
        buffers.push(bytes);
      } else failed.push([row, "its picture was left out of the page to keep it small"]);
    }
    const um = this.models.get(this.widget).get("um_per_px");
    const width = this.picture.crop_px;
    return { fields: { crops, failed, um_per_px: um ? (um * width) / side : null, width_px: width }, buffers };
  }

  // The square of `width` picture pixels around (x, y), `side` pixels wide, as JPEG; null where no tile of it is here.
  async cut(field, x, y, width, side) {
    const canvas = document.createElement("canvas");
    canvas.width = side;
    canvas.height = side;
    const context = canvas.getContext("2d");
    context.fillStyle = BEYOND_THE_FIELD;
    context.fillRect(0, 0, side, side);
    context.imageSmoothingQuality = "high";
    const left = x + 0.5 - width / 2;
    const top = y + 0.5 - width / 2;
    let drawn = 0;
    for (const level of this.levelsFromCoarse(field, side / width)) {
      drawn += await this.drawLevel(context, field, level, { left, top, width, zoom: side / width });
    }
    if (!drawn) return null;
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", CROP_QUALITY));
    return new DataView(await blob.arrayBuffer());
  }

  // The coarsest level first, so that finer tiles, where they are here, come to lie above it.
  levelsFromCoarse(field, zoom) {
    const size = this.picture.fields[field];
    const count = size ? levelsOf(size) : 0;
    const finest = Math.max(0, Math.min(count - 1, Math.floor(Math.log2(1 / zoom))));
    return Array.from({ length: count - finest }, (_, at) => count - 1 - at);
  }

  async drawLevel(context, field, level, { left, top, width, zoom }) {
    const span = TILE_PX * 2 ** level;
    const size = this.picture.fields[field];
    let drawn = 0;
    const last = (start, end) => Math.floor((Math.min(start + width, end) - 1e-6) / span);
    for (let row = Math.max(0, Math.floor(top / span)); row <= last(top, size.height); row += 1) {
      for (let column = Math.max(0, Math.floor(left / span)); column <= last(left, size.width); column += 1) {
        const tile = await this.tile(`${field}/${level}/${column}/${row}`);
        if (!tile) continue;
        const scale = zoom * 2 ** level;
        const at = [(column * span - left) * zoom, (row * span - top) * zoom];
        context.drawImage(tile, at[0], at[1], tile.width * scale, tile.height * scale);
        drawn += 1;
      }
    }
    return drawn;
  }

  async tile(key) {
    const stored = this.picture.tiles[key];
    if (stored === undefined) return null;
    // The promise is kept, so that crops made at the same time decode a tile once.
    const bitmap = this.tiles.get(key) ?? createImageBitmap(new Blob([bytesOfBase64(stored)], { type: "image/jpeg" }));
    this.tiles.delete(key);
    this.tiles.set(key, bitmap);
    if (this.tiles.size > MOST_TILES_KEPT) this.tiles.delete(this.tiles.keys().next().value);
    return bitmap;
  }
}
