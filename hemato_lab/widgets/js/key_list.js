// What every key does, for people.

import { make, makeButton } from "./controls.js";

const KEYS_OF_VIEWER = [
  ["← ↑ → ↓", "move the picture (with Shift by a screen)"],
  ["+ −", "zoom in, zoom out"],
  ["0", "show the whole field"],
  ["1", "one picture pixel on one screen pixel"],
  ["[ ] or PageUp PageDown", "previous, next field"],
  ["n p", "next, previous cell of those shown"],
  ["h", "heat map: smooth, in squares, off"],
  ["o", "marks: circles, outlines, none"],
  ["m", "measure a length; Enter sets a point in the middle"],
  ["f", "the list of findings, open or closed"],
  ["Esc", "end measuring, drop the selection"],
  ["click", "select a cell; with Shift one more"],
  ["Shift and drag", "select all cells in a box"],
  ["wheel or two fingers", "zoom"],
];

/** A panel with all keys and what they do, closed at first; `onClose` is called when it closes. */
export class KeyList {
  constructor(onClose, meanings = KEYS_OF_VIEWER) {
    this.onClose = onClose;
    const rows = meanings.map(([keys, meaning]) =>
      make("tr", {}, make("th", { scope: "row", text: keys }), make("td", { text: meaning })),
    );
    this.button = makeButton("close", "Close the list of keys", () => this.close());
    const head = make("div", { kind: "key-head" }, make("h3", { text: "Keys" }), this.button);
    const table = make("table", { "aria-label": "Keys" }, make("tbody", {}, ...rows));
    this.element = make("div", { kind: "key-list", hidden: true, role: "dialog", "aria-label": "Keys" }, head, table);
  }

  get isOpen() {
    return !this.element.hidden;
  }

  toggle() {
    if (this.isOpen) {
      this.close();
      return;
    }
    this.element.hidden = false;
    this.button.focus();
  }

  close() {
    this.element.hidden = true;
    this.onClose();
  }
}
