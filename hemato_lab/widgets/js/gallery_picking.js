// What is selected in a gallery, and where the reader is.

/** Rows that are selected and the place of the reader; places are indices in the list of rows shown. */
export class GalleryPicking {
  constructor() {
    this.rows = [];
    this.places = new Map();
    this.at = 0;
    this.anchor = 0;
    this.picked = new Set();
    this.isCollecting = false;
  }

  /** Take over another list of rows and stay at the same cell where it is still listed. */
  relist(rows) {
    const here = this.rows[this.at];
    this.rows = rows;
    this.places = new Map(rows.map((row, index) => [row, index]));
    this.at = this.placeOf(here) ?? Math.max(0, Math.min(this.at, rows.length - 1));
    this.anchor = this.at;
  }

  /** The row where the reader is, undefined in an empty list. */
  get row() {
    return this.rows[this.at];
  }

  /** The place of a row in the list, undefined where it is not listed. */
  placeOf(row) {
    return this.places.get(row);
  }

  /** Rows that a decision is about: the selected ones that are listed, else the one where the reader is. */
  get subject() {
    if (this.picked.size) return [...this.picked].filter((row) => this.places.has(row));
    return this.row === undefined ? [] : [this.row];
  }

  /** Go to a place; the cell there is selected alone, or with all from the anchor, or not at all while collecting. */
  goTo(index, { extend = false } = {}) {
    if (!this.rows.length) return;
    this.at = Math.max(0, Math.min(index, this.rows.length - 1));
    if (extend) {
      this.pickRange();
      return;
    }
    this.anchor = this.at;
    if (!this.isCollecting) this.picked = new Set([this.row]);
  }

  pickRange() {
    const [low, high] = [Math.min(this.anchor, this.at), Math.max(this.anchor, this.at)];
    const range = this.rows.slice(low, high + 1);
    this.picked = this.isCollecting ? new Set([...this.picked, ...range]) : new Set(range);
  }

  /** Add the cell at a place to the selection or take it out; from then on moving selects nothing. */
  toggle(index) {
    if (!this.rows.length) return;
    const wasCollecting = this.isCollecting;
    this.at = Math.max(0, Math.min(index, this.rows.length - 1));
    this.anchor = this.at;
    this.isCollecting = true;
    // The first cell that is added by key is selected already, as the place of the reader is.
    if (!this.picked.has(this.row)) this.picked.add(this.row);
    else if (wasCollecting || this.picked.size > 1) this.picked.delete(this.row);
  }

  /** Select rows together, as a heading's or the whole list. */
  pick(rows) {
    this.picked = new Set(rows);
    this.isCollecting = true;
  }

  /** Select nothing but the cell where the reader is. */
  clear() {
    this.isCollecting = false;
    this.picked = this.row === undefined ? new Set() : new Set([this.row]);
    this.anchor = this.at;
  }

  /** Take over what was selected elsewhere; go to the first of it that is listed. */
  adopt(rows) {
    this.picked = new Set(rows);
    this.isCollecting = rows.length > 1;
    const index = rows.length ? this.placeOf(rows[0]) : undefined;
    if (index !== undefined) this.at = this.anchor = index;
  }

  /** After a decision: go on to the next cell that `isOpen` says is open, else to the next one. */
  goOn(isOpen) {
    if (!this.rows.length) return;
    let last = this.at;
    if (this.picked.size > 1) for (const row of this.picked) last = Math.max(last, this.placeOf(row) ?? last);
    this.isCollecting = false;
    let next = last + 1;
    while (next < this.rows.length && !isOpen(this.rows[next])) next += 1;
    this.goTo(next < this.rows.length ? next : Math.min(last + 1, this.rows.length - 1));
  }
}
