// Pictures of cells, asked for by the dozen and kept for a while.

import { ask } from "./transport.js";
import { bytesOf } from "./numbers.js";

const CROPS_A_MESSAGE = 24;
const MESSAGES_UNDER_WAY = 2;
const MOST_CROPS_KEPT = 1200;
const WIDEST_CROP_PX = 512;
const NARROWEST_CROP_PX = 16;
const CROPS_AGAIN_MS = 5000;

/** Asks for the pictures of the rows in view; `onChange(row)` is called when one has come or failed. */
export class CropLoader {
  constructor(model, onChange) {
    this.model = model;
    this.onChange = onChange;
    this.side = 0;
    this.kept = new Map();
    this.failures = new Map();
    this.asked = new Map();
    this.wanted = [];
    this.unanswered = new Set();
    this.inView = new Set();
    this.underWay = 0;
    this.isClosed = false;
  }

  /** The address of a row's picture, undefined while there is none. */
  pictureOf(row) {
    const address = this.kept.get(row);
    if (address !== undefined) {
      this.kept.delete(row);
      this.kept.set(row, address);
    }
    return address;
  }

  /** Why a row has no picture, undefined where it may still come. */
  failureOf(row) {
    return this.failures.get(row);
  }

  /** Say which rows are in view, the most important first; what is no longer wanted is not asked for. */
  want(rows, sidePx) {
    const side = Math.max(NARROWEST_CROP_PX, Math.min(WIDEST_CROP_PX, Math.round(sidePx)));
    if (side !== this.side) this.forget();
    this.side = side;
    this.inView = new Set(rows);
    this.wanted = rows;
    this.askOn();
  }

  isMissing(row) {
    return !this.kept.has(row) && !this.failures.has(row) && !this.asked.has(row);
  }

  askOn() {
    while (!this.isClosed && this.underWay < MESSAGES_UNDER_WAY) {
      const rows = this.wanted.filter((row) => this.isMissing(row)).slice(0, CROPS_A_MESSAGE);
      if (!rows.length) return;
      this.load(rows, this.side);
    }
  }

  async load(rows, side) {
    this.underWay += 1;
    for (const row of rows) this.asked.set(row, side);
    try {
      const { content, buffers } = await ask(this.model, "crops", { wanted: rows, side_px: side });
      if (!this.isClosed && side === this.side) this.keep(rows, content, buffers);
    } catch (error) {
      if (!this.isClosed && side === this.side) this.failForNow(rows, error.message);
    } finally {
      this.underWay -= 1;
      for (const row of rows) if (this.asked.get(row) === side) this.asked.delete(row);
      this.askOn();
    }
  }

  keep(rows, content, buffers) {
    content.crops.forEach((row, index) => {
      this.drop(row);
      this.kept.set(row, URL.createObjectURL(new Blob([bytesOf(buffers[index])], { type: "image/jpeg" })));
      this.onChange(row);
    });
    for (const [row, reason] of content.failed) this.fail(row, reason);
    // An answer that leaves a row out would else be asked for without end.
    for (const row of rows) if (!this.kept.has(row) && !this.failures.has(row)) this.fail(row, "no picture came");
    for (const row of this.kept.keys()) {
      if (this.kept.size <= MOST_CROPS_KEPT) break;
      if (!this.inView.has(row)) this.drop(row);
    }
  }

  fail(row, reason) {
    this.failures.set(row, reason);
    this.onChange(row);
  }

  // What carries the question failed, not the picture: it is asked for again while it is in view.
  failForNow(rows, reason) {
    for (const row of rows) {
      this.unanswered.add(row);
      this.fail(row, reason);
    }
    this.again ??= setTimeout(() => this.askAgain(), CROPS_AGAIN_MS);
  }

  askAgain() {
    this.again = null;
    if (this.isClosed) return;
    for (const row of this.unanswered) this.failures.delete(row);
    this.unanswered.clear();
    this.askOn();
  }

  drop(row) {
    const address = this.kept.get(row);
    if (address === undefined) return;
    URL.revokeObjectURL(address);
    this.kept.delete(row);
  }

  forget() {
    for (const row of [...this.kept.keys()]) this.drop(row);
    this.failures.clear();
    this.unanswered.clear();
    this.asked.clear();
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.again);
    this.forget();
  }
}
