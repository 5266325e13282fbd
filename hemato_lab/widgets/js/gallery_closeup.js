// The cell where the reader is, large, with what is known of it.

import { make } from "./controls.js";
import { bytesOf } from "./numbers.js";
import { ask } from "./transport.js";

const SIDE_PX = 240;
const AFTER_MS = 120;
const ASK_AGAIN_MS = 5000;
// Of the cell's diameter: the line must not lie on the membrane that is judged.
const RING = 1.2;

/** Shows one row at a time; what comes late about another is not shown. */
export class CloseUp {
  constructor(model) {
    this.model = model;
    this.row = undefined;
    this.picture = make("img", { alt: "", width: SIDE_PX, height: SIDE_PX });
    this.ring = make("span", { kind: "gallery-ring", "aria-hidden": "true" });
    this.lines = make("dl", { kind: "gallery-card" });
    const view = make("div", { kind: "gallery-view" }, this.picture, this.ring);
    this.element = make("aside", { kind: "gallery-closeup", "aria-label": "the cell where you are" }, view, this.lines);
  }

  /** Show a row: the radius of its cell in pixels of the field, and a text that changes with what is decided of it. */
  show(row, radius, decision) {
    if (row === this.row && decision === this.decision) return;
    this.row = row;
    this.radius = radius;
    this.decision = decision;
    this.element.hidden = row === undefined;
    this.loadIn(AFTER_MS);
  }

  loadIn(ms) {
    clearTimeout(this.waiting);
    if (this.row !== undefined) this.waiting = setTimeout(() => this.load(this.row, this.decision), ms);
  }

  async load(row, decision) {
    const isWanted = () => row === this.row && decision === this.decision && !this.isClosed;
    const side = Math.round(Math.min(512, SIDE_PX * (globalThis.devicePixelRatio || 1)));
    try {
      const [crops, card] = await Promise.all([
        ask(this.model, "crops", { wanted: [row], side_px: side }),
        ask(this.model, "card", { row }),
      ]);
      if (isWanted()) this.fill(crops, card.content.lines);
    } catch (error) {
      if (!isWanted()) return;
      this.fill({ content: { crops: [] } }, [["problem", error.message]]);
      this.loadIn(ASK_AGAIN_MS);
    }
  }

  fill({ content, buffers }, lines) {
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    if (content.crops.length) {
      this.address = URL.createObjectURL(new Blob([bytesOf(buffers[0])], { type: "image/jpeg" }));
      this.picture.setAttribute("src", this.address);
    } else this.picture.removeAttribute("src");
    const share = content.crops.length ? (2 * this.radius * RING) / content.width_px : 0;
    this.ring.hidden = !(share > 0);
    this.ring.style.width = `${(share * 100).toFixed(1)}%`;
    const shown = content.failed?.length ? [...lines, ["problem", content.failed[0][1]]] : lines;
    this.lines.replaceChildren(
      ...shown.flatMap(([label, text]) => [make("dt", { text: label }), make("dd", { text })]),
    );
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.waiting);
    if (this.address) URL.revokeObjectURL(this.address);
  }
}
