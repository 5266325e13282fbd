// Very many small rings at once: each is copied pixel by pixel from a stamp, because a canvas draws 100,000 arcs in
// seconds and this in milliseconds. Lengths are pixels of the screen.

import { channelsOf, inkOn } from "./colours.js";

/** Rings up to this radius are drawn here, larger ones (of which few fit a screen) as arcs. */
export const LARGEST_STAMP_PX = 24;
const STAMP_REACH_PX = LARGEST_STAMP_PX + 8;
// A ring whose centre lies outside of the canvas may reach into it; the margin holds the rest of it.
const MARGIN_PX = 2 * STAMP_REACH_PX;
const STAMPS_KEPT = 6000;
const FINE_UP_TO_PX = 8;
const SMALLEST_RING_PX = 2.2;
const SMALLEST_DOT_PX = 1.2;
const CASING_SHARE = 0.5;
const THINNEST_SHARE = 0.6;
// Grey levels.
const DARK_CASING = 26;
const LIGHT_CASING = 255;

/** What a mark looks like besides its ring. */
export const PLAIN = 0;
export const CROSSED = 1;
export const DOTTED = 2;

/** A layer of rings of the size of a canvas. */
export class RingLayer {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
    this.stamps = new Map();
    this.shapes = new Map();
    this.image = null;
  }

  /**
   * Begin a picture of so many pixels.
   *
   * @param {number} line width of a ring's line, `rim` that of the casing around it.
   * @param {string[]} colours that rings may have, "#RRGGBB".
   */
  begin(width, height, line, rim, colours) {
    const across = width + 2 * MARGIN_PX;
    const down = height + 2 * MARGIN_PX;
    const style = [across, line, rim, ...colours].join();
    if (style !== this.style) this.forget();
    Object.assign(this, { style, line, rim, colours });
    if (this.image?.width === across && this.image.height === down) {
      this.pixels.fill(0);
      return;
    }
    Object.assign(this.canvas, { width: across, height: down });
    this.image = this.context.createImageData(across, down);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /**
   * Put a ring of at most LARGEST_STAMP_PX; what lies outside of the picture is left out.
   *
   * @param {number} colour index in the colours of `begin`.
   * @param {number} look PLAIN, CROSSED or DOTTED.
   */
  put(x, y, radius, colour, look) {
    const column = Math.floor(x);
    const row = Math.floor(y);
    const left = column + MARGIN_PX;
    const top = row + MARGIN_PX;
    if (left < STAMP_REACH_PX || left >= this.image.width - STAMP_REACH_PX) return;
    if (top < STAMP_REACH_PX || top >= this.image.height - STAMP_REACH_PX) return;
    const stamp = this.stampOf(x - column, y - row, radius, colour, look);
    const { pixels } = this;
    const { offsets, values } = stamp;
    const start = top * this.image.width + left;
    for (let at = 0; at < offsets.length; at += 1) {
      const place = start + offsets[at];
      const value = values[at];
      if (value >>> 24 >= pixels[place] >>> 24) pixels[place] = value;
    }
  }

  stampOf(x, y, radius, colour, look) {
    const parts = radius < FINE_UP_TO_PX ? 4 : 2;
    const across = Math.floor(x * parts);
    const down = Math.floor(y * parts);
    const size = Math.round(Math.max(radius, SMALLEST_DOT_PX) * parts) * (4 / parts);
    const shape = ((size * 4 + across) * 4 + down) * 3 + look;
    const key = shape * this.colours.length + colour;
    let stamp = this.stamps.get(key);
    if (!stamp) {
      if (this.stamps.size > STAMPS_KEPT) this.forget();
      const centre = { x: (across + 0.5) / parts, y: (down + 0.5) / parts };
      const cover = this.shapes.get(shape) ?? makeShape(centre, size / 4, this, look);
      this.shapes.set(shape, cover);
      stamp = { offsets: cover.offsets, values: coloured(cover, this.colours[colour]) };
      this.stamps.set(key, stamp);
    }
    return stamp;
  }

  forget() {
    this.stamps.clear();
    this.shapes.clear();
  }

  /** Draw the layer on a context whose unit is a pixel of the screen. */
  end(context) {
    this.context.putImageData(this.image, 0, 0);
    context.drawImage(this.canvas, -MARGIN_PX, -MARGIN_PX);
  }
}

/**
 * Return where, counted from its middle in a layer's picture, a ring has pixels, and how far its line (`core`) and its
 * casing (`shade`) cover each of them, 0 to 1.
 */
function makeShape(centre, radius, { line, rim, image }, look) {
  const distance = distanceTo(radius, look);
  // A wide line would fill a small ring.
  const half = Math.min(line, Math.max(THINNEST_SHARE * line, radius / 7)) / 2;
  const around = radius < SMALLEST_RING_PX ? 0 : Math.min(rim, radius / 9);
  const [offsets, core, shade] = [[], [], []];
  const reach = Math.min(Math.ceil(radius + half + around + badgeOf(radius) / 2 + 1), STAMP_REACH_PX);
  for (let down = -reach; down <= reach; down += 1) {
    for (let across = -reach; across <= reach; across += 1) {
      const off = distance(across + 0.5 - centre.x, down + 0.5 - centre.y) - half;
      if (off > around + 0.48) continue;
      offsets.push(down * image.width + across);
      core.push(coverOf(-off));
      shade.push(around ? coverOf(around - off) * CASING_SHARE * (1 - coverOf(-off)) : 0);
    }
  }
  return { offsets: Int32Array.from(offsets), core: Float64Array.from(core), shade: Float64Array.from(shade) };
}

function coverOf(inside) {
  return Math.min(1, Math.max(0, inside + 0.5));
}

/** Return the pixels of a shape in a colour, as a picture's bytes hold them. */
function coloured({ core, shade }, colour) {
  const [red, green, blue] = channelsOf(colour);
  const casing = inkOn(colour) === "#000000" ? DARK_CASING : LIGHT_CASING;
  const values = new Uint32Array(core.length);
  for (let at = 0; at < values.length; at += 1) {
    const alpha = core[at] + shade[at];
    const share = core[at] / alpha;
    const rest = casing * (1 - share) + 0.5;
    const pixel = ((alpha * 255 + 0.5) << 24) | ((blue * share + rest) << 16) | ((green * share + rest) << 8);
    values[at] = (pixel | (red * share + rest)) >>> 0;
  }
  return values;
}

/** Return the radius of the dot at the rim of a cell that was looked at. */
function badgeOf(radius) {
  return Math.min(Math.max(radius * 0.3, 1.5), 7);
}

/** Return the function that tells how far a point is from the nearest line of a mark. */
function distanceTo(radius, look) {
  // Math.hypot is many times slower.
  const apart = (x, y) => Math.sqrt(x * x + y * y);
  const ring = (x, y) => Math.abs(apart(x, y) - radius);
  if (radius < SMALLEST_RING_PX) return (x, y) => Math.max(0, apart(x, y) - radius + 0.5);
  const rim = radius * Math.SQRT1_2;
  const dot = badgeOf(radius);
  if (look === DOTTED) return (x, y) => Math.min(ring(x, y), Math.max(0, apart(x - rim, y - rim) - dot));
  if (look !== CROSSED) return ring;
  const cross = (x, y) => Math.min(Math.abs(x - y), Math.abs(x + y)) * Math.SQRT1_2;
  return (x, y) => (apart(x, y) < radius ? Math.min(ring(x, y), cross(x, y)) : ring(x, y));
}
