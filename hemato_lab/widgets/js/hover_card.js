// The card beside a cell that says what is known of it.

import { ACCEPTED, RECLASSIFIED, REJECTED } from "./cells.js";
import { make, makeSwatch } from "./controls.js";
import { shareText } from "./numbers.js";
import { ask } from "./transport.js";

const DELAY_MS = 220;
const CARDS_KEPT = 400;
const APART_PX = 14;
const SAID_ABOVE = ["candidate", "score"];
const DECISIONS = { [ACCEPTED]: "accepted", [REJECTED]: "rejected", [RECLASSIFIED]: "reclassified" };

/** A card over a canvas; it asks Python once for each cell. */
export class HoverCard {
  constructor(model) {
    this.model = model;
    this.kept = new Map();
    this.row = -1;
    this.element = make("div", { kind: "card", hidden: true, role: "tooltip" });
  }

  /** Forget what was asked: the cells changed. */
  forget() {
    this.kept.clear();
    this.hide();
  }

  hide() {
    clearTimeout(this.waiting);
    this.row = -1;
    this.element.hidden = true;
  }

  /**
   * Show the card of a cell a moment later.
   *
   * @param {object} cell `row`, `name`, `detected` (name before decisions), `colour`, `score`, `state`.
   * @param {function(): {x: number, y: number, radius: number}} where the cell is on the canvas.
   * @param {{width: number, height: number}} canvas size.
   */
  show(cell, where, canvas) {
    if (cell.row === this.row) return;
    this.hide();
    this.row = cell.row;
    this.waiting = setTimeout(async () => {
      this.fill(cell, this.kept.get(cell.row) ?? []);
      this.place(where(), canvas);
      const lines = await this.linesOf(cell.row);
      if (this.row !== cell.row) return;
      this.fill(cell, lines);
      this.place(where(), canvas);
    }, DELAY_MS);
  }

  async linesOf(row) {
    const known = this.kept.get(row);
    if (known) return known;
    try {
      const { content } = await ask(this.model, "card", { row });
      const lines = content.lines.filter(([label]) => !SAID_ABOVE.includes(label));
      this.kept.set(row, lines);
      if (this.kept.size > CARDS_KEPT) this.kept.delete(this.kept.keys().next().value);
      return lines;
    } catch (error) {
      return [["details", error.message]];
    }
  }

  fill(cell, lines) {
    const head = make("div", { kind: "card-name" }, makeSwatch(cell.colour), make("span", { text: cell.name }));
    const list = make("dl", {});
    const add = (label, text) => list.append(make("dt", { text: label }), make("dd", { text }));
    if (Number.isFinite(cell.score)) add("score", shareText(cell.score));
    if (DECISIONS[cell.state]) add("review", DECISIONS[cell.state]);
    if (cell.detected !== cell.name) add("found as", cell.detected);
    for (const [label, text] of lines) add(label, text);
    this.element.replaceChildren(head, list);
    this.element.hidden = false;
  }

  place({ x, y, radius }, { width, height }) {
    const { offsetWidth: wide, offsetHeight: high } = this.element;
    const apart = Math.min(radius, 80) + APART_PX;
    const right = x + apart + wide <= width - 4;
    const left = right ? x + apart : Math.max(4, x - apart - wide);
    const top = Math.min(Math.max(4, y - high / 2), Math.max(4, height - high - 4));
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
