// What a gallery knows of its cells: the model's columns, decoded, and decisions that are under way.

import { numbersOf } from "./numbers.js";

const COLUMNS = 9;
const RADIUS = 2;
const NAME = 5;
const REJECTED_STATE = 2;

/** The columns of a gallery's model. */
export class GalleryState {
  constructor(model) {
    this.model = model;
    this.waiting = new Set();
    this.readCells();
    this.readDecisions();
  }

  readCells() {
    const table = numbersOf(this.model.get("cells"), Float32Array);
    this.count = table.length / COLUMNS;
    this.names = new Int32Array(this.count);
    this.radius = new Float32Array(this.count);
    for (let row = 0; row < this.count; row += 1) {
      this.names[row] = table[row * COLUMNS + NAME];
      this.radius[row] = table[row * COLUMNS + RADIUS];
    }
    this.confidence = numbersOf(this.model.get("confidence"), Float32Array);
    this.disagreement = numbersOf(this.model.get("disagreement"), Float32Array);
  }

  readDecisions() {
    const states = numbersOf(this.model.get("decided"), Uint8Array);
    const given = numbersOf(this.model.get("decided_names"), Int16Array);
    this.states = states.length === this.count ? states : new Uint8Array(this.count);
    this.given = given.length === this.count ? given : new Int16Array(this.count).fill(-1);
  }

  get isBlind() {
    return this.model.get("blind");
  }

  nameOf(row) {
    return this.isBlind ? "" : (this.model.get("names")[this.names[row]] ?? "");
  }

  newNameOf(row) {
    return this.given[row] >= 0 ? (this.model.get("names")[this.given[row]] ?? "") : "";
  }

  colourOf(row) {
    if (this.isBlind) return "#777777";
    const name = this.given[row] >= 0 ? this.given[row] : this.names[row];
    return this.model.get("colours")[name] ?? "#777777";
  }

  confidenceOf(row) {
    return this.isBlind ? Number.NaN : this.confidence[row];
  }

  stateOf(row) {
    return this.states[row];
  }

  isWaiting(row) {
    return this.waiting.has(row);
  }

  /** Whether nothing was decided about a row, nor is about to be. */
  isOpen(row) {
    return this.states[row] === 0 && !this.waiting.has(row);
  }

  /**
   * How many cells of each name there are, in the order of the names: `count` as decided, without those that are no
   * cells, `before` as they were called first.
   */
  countsByName() {
    const counts = new Map();
    const countsOf = (name) => counts.get(name) ?? counts.set(name, { count: 0, before: 0 }).get(name);
    this.names.forEach((name, row) => {
      countsOf(name).before += 1;
      if (this.states[row] !== REJECTED_STATE) countsOf(this.given[row] >= 0 ? this.given[row] : name).count += 1;
    });
    const names = this.model.get("names");
    return [...counts].sort((one, other) => one[0] - other[0]).map(([at, both]) => ({ name: names[at], ...both }));
  }
}
