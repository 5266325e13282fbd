// How densely cells lie where, as hemato_lab/statistics/heatmap.py computes it, and its picture.

import { HEAT_COLOURS } from "./colours.js";

/** Raster cells in one standard deviation of the Gaussian, as in Python. */
export const CELLS_PER_BANDWIDTH = 4;
/** Side of the squares in which cells are counted, in standard deviations of the smooth map's Gaussian. */
export const SQUARE_PER_BANDWIDTH = 2;
/** Of the map of one field. */
export const MOST_RASTER_CELLS = 3e6;
const MOST_LINES = 8192;
const CLOUD_VARIANCE = 1 / 6;
const TRUNCATE = 5;
// A single cell in less than this share of a square would be the densest place of the field.
const LEAST_OF_SQUARE = 0.5;

/**
 * Compute the density of cells of one field by sharing them out on a raster and blurring it with a Gaussian; each
 * value is divided by the share of its Gaussian that lies within the field (Diggle, Applied Statistics 1985;34:138).
 *
 * @param {ArrayLike<number>} x of the cells in pixels of the field, `y` likewise.
 * @param {{width: number, height: number}} field size in pixels.
 * @param {number} umPerPx pixel size.
 * @param {number} bandwidthUm standard deviation.
 * @param {number} most raster cells of the map.
 * @returns {{perMm2: Float64Array, columns: number, rows: number, stepPx: number, widthUm: number}} row after row;
 *   `widthUm` is the standard deviation used, larger than the one asked for where the map would have too many cells.
 */
export function smoothDensity(x, y, field, umPerPx, bandwidthUm, most = MOST_RASTER_CELLS) {
  const leastPx = leastStepPx(field, most);
  let cells = CELLS_PER_BANDWIDTH;
  // Whole slides would take seconds; a coarser raster differs by a few per cent of the peak.
  while (cells > 1 && bandwidthUm / cells / umPerPx < leastPx) cells /= 2;
  const stepPx = Math.max(bandwidthUm / cells / umPerPx, leastPx);
  const widthUm = stepPx * cells * umPerPx;
  const [columns, rows] = [field.width, field.height].map((side) => Math.max(1, Math.ceil(side / stepPx)));
  const shared = shareOut(x, y, stepPx, columns + 2, rows + 2);
  const blurred = blurRaster(shared, columns + 2, rows + 2, Math.sqrt(cells ** 2 - CLOUD_VARIANCE));
  const across = shareWithin(columns, field.width / stepPx, cells);
  const down = shareWithin(rows, field.height / stepPx, cells);
  const cellMm2 = (stepPx * umPerPx) ** 2 * 1e-6;
  const perMm2 = new Float64Array(columns * rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const found = blurred[(row + 1) * (columns + 2) + column + 1];
      perMm2[row * columns + column] = found / (down[row] * across[column]) / cellMm2;
    }
  }
  return { perMm2, columns, rows, stepPx, widthUm };
}

/** Return the least side of raster cells, in pixels, with which a field has at most so many of them. */
function leastStepPx({ width, height }, most) {
  return Math.max(Math.sqrt((width * height) / most), Math.max(width, height) / Math.min(most, MOST_LINES));
}

/**
 * Count cells in squares, per area of the square that lies within the field; same result as `smoothDensity`, but that
 * `widthUm` is the side of the squares, and `last` the shares of the last column and row that lie within the field.
 */
export function squareDensity(x, y, field, umPerPx, bandwidthUm, most = MOST_RASTER_CELLS) {
  const stepPx = Math.max((SQUARE_PER_BANDWIDTH * bandwidthUm) / umPerPx, leastStepPx(field, most));
  const [columns, rows] = [field.width, field.height].map((side) => Math.max(1, Math.ceil(side / stepPx)));
  const perMm2 = new Float64Array(columns * rows);
  const line = (place, lines) => Math.min(Math.max(Math.floor((place + 0.5) / stepPx), 0), lines - 1);
  for (let at = 0; at < x.length; at += 1) perMm2[line(y[at], rows) * columns + line(x[at], columns)] += 1;
  const length = (index, side) => Math.min((index + 1) * stepPx, side) - index * stepPx;
  for (let at = 0; at < perMm2.length; at += 1) {
    const [column, row] = [at % columns, Math.floor(at / columns)];
    perMm2[at] /= length(column, field.width) * length(row, field.height) * umPerPx ** 2 * 1e-6;
  }
  const last = { across: length(columns - 1, field.width) / stepPx, down: length(rows - 1, field.height) / stepPx };
  return { perMm2, columns, rows, stepPx, widthUm: stepPx * umPerPx, last };
}

/** Whether too little of a square lies within the field, beside the others, for its density to say anything. */
export function isSliver({ columns, rows, last }, at) {
  if (!last) return false;
  const column = at % columns === columns - 1 ? last.across : 1;
  const row = at >= columns * (rows - 1) ? last.down : 1;
  const wholest = (columns > 1 ? 1 : last.across) * (rows > 1 ? 1 : last.down);
  return column * row < LEAST_OF_SQUARE * wholest;
}

/** Return the highest density in cells per mm2, slivers at the edge left out. */
export function highestDensity(density) {
  return density.perMm2.reduce((most, value, at) => (value > most && !isSliver(density, at) ? value : most), 0);
}

/** Share points linearly between the four nearest raster cells; the raster has one more on every side. */
function shareOut(x, y, stepPx, columns, rows) {
  const raster = new Float64Array(columns * rows);
  for (let at = 0; at < x.length; at += 1) {
    const [across, down] = [(x[at] + 0.5) / stepPx + 0.5, (y[at] + 0.5) / stepPx + 0.5];
    if (!(across > -1 && across < columns && down > -1 && down < rows)) continue;
    const [column, row] = [Math.floor(across), Math.floor(down)];
    const [right, below] = [across - column, down - row];
    for (const [line, part] of [[row, 1 - below], [row + 1, below]]) {
      if (line < 0 || line >= rows) continue;
      if (column >= 0) raster[line * columns + column] += part * (1 - right);
      if (column + 1 < columns) raster[line * columns + column + 1] += part * right;
    }
  }
  return raster;
}

function gaussianTaps(sigma) {
  const reach = Math.floor(TRUNCATE * sigma + 0.5);
  const taps = Float64Array.from({ length: reach + 1 }, (_, at) => Math.exp(-0.5 * (at / sigma) ** 2));
  const sum = taps.reduce((total, tap) => total + 2 * tap, -taps[0]);
  return taps.map((tap) => tap / sum);
}

/** Blur with a Gaussian, down the columns and then along the rows; beyond the raster lies nothing. */
function blurRaster(raster, columns, rows, sigma) {
  const taps = gaussianTaps(sigma);
  const down = new Float64Array(raster.length);
  const addLine = (target, source, tap) => {
    for (let column = 0; column < columns; column += 1) down[target + column] += tap * raster[source + column];
  };
  for (let row = 0; row < rows; row += 1) {
    for (let other = Math.max(0, row - taps.length + 1); other < Math.min(rows, row + taps.length); other += 1) {
      addLine(row * columns, other * columns, taps[Math.abs(row - other)]);
    }
  }
  const blurred = new Float64Array(raster.length);
  const line = new Float64Array(columns + 2 * taps.length);
  for (let row = 0; row < rows; row += 1) {
    line.set(down.subarray(row * columns, (row + 1) * columns), taps.length);
    for (let column = 0; column < columns; column += 1) {
      const middle = column + taps.length;
      let sum = taps[0] * line[middle];
      for (let off = 1; off < taps.length; off += 1) sum += taps[off] * (line[middle - off] + line[middle + off]);
      blurred[row * columns + column] = sum;
    }
  }
  return blurred;
}

/** Return, for the centre of each raster cell along one axis, the share of its Gaussian within the field. */
function shareWithin(cells, length, bandwidth) {
  return Float64Array.from({ length: cells }, (_, at) => {
    const centre = at + 0.5;
    return normalBelow((length - centre) / bandwidth) - normalBelow(-centre / bandwidth);
  });
}

/** Return the standard normal distribution below z, to 1e-14: the series of Abramowitz & Stegun 26.2.11. */
export function normalBelow(z) {
  if (z < -8) return 0;
  if (z > 8) return 1;
  let [term, sum] = [z, z];
  for (let odd = 3; Math.abs(term) > 1e-17 * Math.abs(sum); odd += 2) {
    term *= (z * z) / odd;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI);
}

/** Return a canvas with a pixel a raster cell, coloured from 0 to `top` cells per mm2; slivers at the edge stay clear. */
export function densityPicture(density, top) {
  const { perMm2, columns, rows } = density;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  perMm2.forEach((value, at) => {
    const step = top > 0 ? Math.min(255, Math.round((value / top) * 255)) : 0;
    for (let channel = 0; channel < 3; channel += 1) image.data[4 * at + channel] = HEAT_COLOURS[3 * step + channel];
    image.data[4 * at + 3] = isSliver(density, at) ? 0 : 255;
  });
  context.putImageData(image, 0, 0);
  return canvas;
}
