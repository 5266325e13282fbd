// The table of cells as it comes from Python, where its cells are, and which of them are shown.

import { numbersOf } from "./numbers.js";

const COLUMNS_OF_CELLS = ["x", "y", "radius", "score", "field", "name", "major", "minor", "angle"];
const CELLS_A_BUCKET = 4;
const LEAST_REACH_PX = 7;

/** What a reader said of a cell, as the trait `decided` codes it. */
export const OPEN = 0;
export const ACCEPTED = 1;
export const REJECTED = 2;
export const RECLASSIFIED = 3;

/**
 * Columns of cells with an index of their places.
 *
 * Attributes: `length`; `x`, `y`, `radius`, `major`, `minor` in pixels of the field, `score`, `field`, `name` (index in
 * `names`), `angle` in radians, each a Float32Array; NaN where not measured.
 */
export class CellTable {
  /**
   * @param {DataView|ArrayBuffer|Uint8Array} bytes little-endian float32, nine a row.
   * @param {string[]} names that occur.
   * @param {string[]} colours "#RRGGBB" of each.
   */
  constructor(bytes, names, colours) {
    const numbers = numbersOf(bytes, Float32Array);
    const width = COLUMNS_OF_CELLS.length;
    this.length = Math.floor(numbers.length / width);
    this.names = names;
    this.colours = colours;
    COLUMNS_OF_CELLS.forEach((column, at) => {
      const values = new Float32Array(this.length);
      for (let row = 0; row < this.length; row += 1) values[row] = numbers[row * width + at];
      this[column] = values;
    });
    this.places = new PlaceIndex(this);
  }

  /** Call `visit(row)` for the cells of a field whose centre may lie in a rectangle; more may be visited. */
  visit(field, box, visit) {
    this.places.visit(field, box, visit);
  }

  /**
   * Return the row of the cell under a point of a field, -1 for none: of several, the one whose rim is nearest.
   *
   * @param {number} reach how far outside of its circle a cell is still meant, in pixels of the field.
   * @param {function(number): boolean} isShown tells whether a row counts.
   */
  hit(field, x, y, reach, isShown) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    const far = this.places.largestRadius + reach;
    this.visit(field, { x0: x - far, y0: y - far, x1: x + far, y1: y + far }, (row) => {
      if (!isShown(row)) return;
      const apart = Math.hypot(this.x[row] - x, this.y[row] - y);
      const size = Math.max(this.radius[row], LEAST_REACH_PX * Math.min(1, reach));
      if (apart > size + reach) return;
      // Small cells lie on large ones: by share of the radius the smaller one wins in its middle.
      const off = apart / size + size * 1e-4;
      if (off < least) [best, least] = [row, off];
    });
    return best;
  }

  /** Return the rows of a field whose centres lie in a rectangle, in the table's order. */
  rowsIn(field, { x0, y0, x1, y1 }, isShown) {
    const rows = [];
    this.visit(field, { x0, y0, x1, y1 }, (row) => {
      const inside = this.x[row] >= x0 && this.x[row] <= x1 && this.y[row] >= y0 && this.y[row] <= y1;
      if (inside && isShown(row)) rows.push(row);
    });
    return rows.sort((one, other) => one - other);
  }

  /** Return all rows in the order in which one reads a film: field by field, in bands of cells, there and back. */
  readingOrder() {
    const band = 4 * this.places.typicalRadius || 1;
    const bands = Int32Array.from(this.y, (y) => Math.floor(y / band));
    const rows = Int32Array.from({ length: this.length }, (_, row) => row);
    return rows.sort((one, other) => {
      const apart = this.field[one] - this.field[other] || bands[one] - bands[other];
      if (apart) return apart;
      const across = this.x[one] - this.x[other] || one - other;
      return bands[one] % 2 ? -across : across;
    });
  }
}

/** Rows by square of their field: those of one square lie next to each other in `rows`. */
class PlaceIndex {
  constructor(table) {
    this.grids = gridsOf(table);
    const squares = this.grids.reduce((sum, grid) => sum + grid.columns * grid.lines, 0);
    this.begins = new Int32Array(squares + 1);
    this.rows = new Int32Array(table.length);
    const squareOf = Int32Array.from(this.rows, (_, row) => this.square(table.field[row], table.x[row], table.y[row]));
    for (const square of squareOf) this.begins[square + 1] += 1;
    for (let square = 0; square < squares; square += 1) this.begins[square + 1] += this.begins[square];
    const next = this.begins.slice();
    squareOf.forEach((square, row) => {
      this.rows[next[square]] = row;
      next[square] += 1;
    });
    this.largestRadius = table.radius.reduce((most, radius) => Math.max(most, radius || 0), 0);
    this.typicalRadius = table.radius.slice().sort()[table.length >> 1] || 0;
  }

  square(field, x, y) {
    const grid = this.grids[field];
    return grid.first + lineOf(y, grid, grid.lines) * grid.columns + lineOf(x, grid, grid.columns);
  }

  visit(field, { x0, y0, x1, y1 }, visit) {
    const grid = this.grids[field];
    if (!grid) return;
    const [left, right] = [lineOf(x0, grid, grid.columns), lineOf(x1, grid, grid.columns)];
    for (let line = lineOf(y0, grid, grid.lines); line <= lineOf(y1, grid, grid.lines); line += 1) {
      const start = grid.first + line * grid.columns;
      const end = this.begins[start + right + 1];
      for (let at = this.begins[start + left]; at < end; at += 1) visit(this.rows[at]);
    }
  }
}

function lineOf(place, grid, lines) {
  return Math.min(Math.max(Math.floor(place / grid.side), 0), lines - 1) || 0;
}

function gridsOf(table) {
  const spans = [];
  for (let row = 0; row < table.length; row += 1) {
    const span = (spans[table.field[row]] ??= { width: 1, height: 1, cells: 0 });
    span.width = Math.max(span.width, table.x[row] + 1);
    span.height = Math.max(span.height, table.y[row] + 1);
    span.cells += 1;
  }
  let first = 0;
  return Array.from(spans, (span) => {
    if (!span) return null;
    const side = Math.max(1, Math.sqrt((span.width * span.height * CELLS_A_BUCKET) / span.cells));
    const grid = { side, columns: Math.ceil(span.width / side), lines: Math.ceil(span.height / side), first };
    first += grid.columns * grid.lines;
    return grid;
  }).map((grid) => grid ?? { side: 1, columns: 0, lines: 0, first: 0 });
}

/**
 * Return what holds for each cell now.
 *
 * @param {CellTable} table of the cells.
 * @param {object} choice `hidden` (names), `minimumScore`, `decided` and `decidedNames` (bytes, may be empty).
 * @returns {{name: Int16Array, state: Uint8Array, passing: Uint8Array, shown: Uint8Array}} a value a row: index of the
 *   name after decisions, the decision, whether the score is reached (or none is stated), whether it is to be drawn.
 */
export function standingOf(table, { hidden = [], minimumScore = 0, decided = null, decidedNames = null }) {
  const states = numbersOf(decided, Uint8Array);
  const renamed = numbersOf(decidedNames, Int16Array);
  const isHidden = table.names.map((name) => hidden.includes(name));
  const name = new Int16Array(table.length);
  const [state, passing, shown] = [0, 1, 2].map(() => new Uint8Array(table.length));
  // Python rounds the scores to float32 too: what is exactly at the threshold passes.
  const least = Math.fround(minimumScore);
  for (let row = 0; row < table.length; row += 1) {
    state[row] = states[row] ?? OPEN;
    const isRenamed = state[row] === RECLASSIFIED && (renamed[row] ?? -1) >= 0;
    name[row] = isRenamed ? renamed[row] : table.name[row];
    passing[row] = table.score[row] < least ? 0 : 1;
    shown[row] = passing[row] && !isHidden[name[row]] ? 1 : 0;
  }
  return { name, state, passing, shown };
}

/**
 * Count the cells that reach the score and are not rejected, by name.
 *
 * @param {CellTable} table of the cells.
 * @param {object} standing of `standingOf`.
 * @param {number|null} field whose cells are counted; null for all.
 * @returns {Int32Array} a count a name.
 */
export function countsOf(table, standing, field = null) {
  const counts = new Int32Array(table.names.length);
  for (let row = 0; row < table.length; row += 1) {
    if (field !== null && table.field[row] !== field) continue;
    if (standing.passing[row] && standing.state[row] !== REJECTED) counts[standing.name[row]] += 1;
  }
  return counts;
}
