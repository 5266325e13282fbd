// The places that two readings list, and which of them are shown.

import { ACCEPTED, CellTable, OPEN } from "./cells.js";
import { numbersOf } from "./numbers.js";

/** What can be said of a place, in the order of Python's STATES. */
export const PLACE_STATES = ["matched", "reclassified", "first only", "second only"];
export const MATCHED = 0;
export const CALLED_DIFFERENTLY = 1;
export const SECOND_ONLY = 3;
// Paul Tol's "vibrant" scheme; what agrees is grey, so that the eye goes to what does not.
export const STATE_COLOURS = ["#BBBBBB", "#EE3377", "#EE7733", "#0077BB"];
const COLUMNS_OF_PLACES = 4;

/** Places of a comparison: `image`, `state` and, for each side, `rows` (-1 where it lists nothing). */
export class ComparedPlaces {
  constructor(model) {
    this.names = model.get("names");
    // States before names, so that a cell can have the colour of either.
    const labels = [...PLACE_STATES, ...this.names];
    this.colours = [...STATE_COLOURS, ...model.get("colours")];
    this.tables = ["first", "second"].map((side) => new CellTable(model.get(side), labels, this.colours));
    const numbers = numbersOf(model.get("places"), Int32Array);
    this.length = numbers.length / COLUMNS_OF_PLACES;
    const column = (at) => Int32Array.from({ length: this.length }, (_, row) => numbers[row * COLUMNS_OF_PLACES + at]);
    [this.image, this.state] = [column(0), column(1)];
    this.rows = [column(2), column(3)];
    this.placeOf = this.tables.map((table, side) => {
      const places = new Int32Array(table.length);
      this.rows[side].forEach((row, place) => {
        if (row >= 0) places[row] = place;
      });
      return places;
    });
  }

  /** Return which side lists a place, the first of both, and its row there. */
  anchor(place) {
    const side = this.rows[0][place] >= 0 ? 0 : 1;
    return { side, table: this.tables[side], row: this.rows[side][place] };
  }

  /** Return what the two sides call a place, "" where one lists nothing. */
  namesAt(place) {
    return this.rows.map((rows, side) => (rows[place] < 0 ? "" : this.names[this.tables[side].name[rows[place]]]));
  }

  /** Return the places of each state that are in an image, or in all of them for null. */
  countStates(image = null) {
    const counts = PLACE_STATES.map(() => 0);
    for (let place = 0; place < this.length; place += 1) {
      if (image === null || this.image[place] === image) counts[this.state[place]] += 1;
    }
    return counts;
  }

  /**
   * Tell what is shown now.
   *
   * @param {object} choice `hiddenStates`, `hidden` (names), `minimumScore`.
   * @returns {Uint8Array} 1 for each place that is shown.
   */
  shownPlaces({ hiddenStates, hidden, minimumScore }) {
    const isHidden = PLACE_STATES.map((state) => hiddenStates.includes(state));
    const least = Math.fround(minimumScore);
    return Uint8Array.from(this.state, (state, place) => {
      if (isHidden[state] || this.namesAt(place).some((name) => name && hidden.includes(name))) return 0;
      const scores = this.rows.map((rows, side) => (rows[place] < 0 ? -1 : this.tables[side].score[rows[place]]));
      // A side that states no score is not hidden by one.
      return scores.some((score) => Number.isNaN(score) || score >= least) ? 1 : 0;
    });
  }

  /**
   * Return what holds for each cell of a side, as `MarkPainter` wants it.
   *
   * @param {number} side 0 or 1.
   * @param {Uint8Array} shown of `shownPlaces`.
   * @param {object} choice `byName` (colour), `isTogether` (of places that both list the first side's cell is drawn).
   */
  standing(side, shown, { byName, isTogether }) {
    const table = this.tables[side];
    const name = new Int16Array(table.length);
    const [state, passing, drawn] = [0, 1, 2].map(() => new Uint8Array(table.length));
    for (let row = 0; row < table.length; row += 1) {
      const place = this.placeOf[side][row];
      const said = this.state[place];
      name[row] = byName ? PLACE_STATES.length + table.name[row] : said;
      state[row] = said === CALLED_DIFFERENTLY ? ACCEPTED : OPEN;
      passing[row] = shown[place];
      drawn[row] = shown[place] && !(isTogether && side === 1 && said !== SECOND_ONLY) ? 1 : 0;
    }
    return { name, state, passing, shown: drawn };
  }
}
