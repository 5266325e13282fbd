// The cell where the reader is, large, with what is known of it.

import { make } from "./controls.js";
import { bytesOf } from "./numbers.js";
import { ask } from "./transport.js";

const SIDE_PX = 240;
const AFTER_MS = 120;
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

  /** Show a row; `share` of the picture's width is the cell's diameter, 0 where it is not known. */
  show(row, share) {
    if (row === this.row) return;
    this.share = share;
    this.row = row;
    clearTimeout(this.waiting);
    this.element.hidden = row === undefined;
    if (row !== undefined) this.waiting = setTimeout(() => this.load(row), AFTER_MS);
  }

  async load(row) {
    const side = Math.round(Math.min(512, SIDE_PX * (globalThis.devicePixelRatio || 1)));
    try {
      const [crops, card] = await Promise.all([
        ask(this.model, "crops", { wanted: [row], side_px: side }),
        ask(this.model, "card", { row }),
      ]);
      if (row === this.row) this.fill(crops, card.content.lines);
    } catch (error) {
      if (row === this.row) this.fill({ content: { crops: [] } }, [["problem", error.message]]);
    }
  }

  fill({ content, buffers }, lines) {
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    if (content.crops.length) {
      this.address = URL.createObjectURL(new Blob([bytesOf(buffers[0])], { type: "image/jpeg" }));
      this.picture.setAttribute("src", this.address);
    } else this.picture.removeAttribute("src");
    this.ring.hidden = !this.share;
    this.ring.style.width = `${(this.share * RING * 100).toFixed(1)}%`;
    const shown = content.failed?.length ? [...lines, ["problem", content.failed[0][1]]] : lines;
    this.lines.replaceChildren(
      ...shown.flatMap(([label, text]) => [make("dt", { text: label }), make("dd", { text })]),
    );
  }

  close() {
    clearTimeout(this.waiting);
    if (this.address) URL.revokeObjectURL(this.address);
  }
}
