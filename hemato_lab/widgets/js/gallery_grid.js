// The grid of a gallery: only what is in view exists as elements.

import { freshId, make, makeButton } from "./controls.js";
import { GalleryLayout } from "./gallery_layout.js";
import { countText, shareText, wholeText } from "./numbers.js";

const LABEL_PX = 40;
const GAP_PX = 6;
const MORE_IN_VIEW_PX = 300;
const MARKS = ["", "✓", "✕", "→"];

/** What a state is called, by its number. */
export const STATE_WORDS = ["open", "accepted", "not a cell", "renamed"];

/**
 * Shows rows as boxes. `source` tells about a row: `nameOf`, `colourOf`, `confidenceOf`, `stateOf`, `newNameOf`,
 * `isWaiting`; `onPoint(index, event)` hears of clicks, `onHeading(rows)` of a heading's button, `onView(rows)` of what
 * is in view.
 */
export class GalleryGrid {
  constructor(source, crops, { onPoint, onHeading, onView }) {
    this.source = source;
    this.crops = crops;
    this.onHeading = onHeading;
    this.onView = onView;
    this.side = 96;
    this.at = 0;
    this.picked = new Set();
    this.groups = [];
    this.boxes = new Map();
    this.headings = new Map();
    this.id = freshId("gallery");
    this.space = make("div", { kind: "gallery-space", role: "presentation" });
    this.element = make(
      "div",
      { kind: "gallery-grid", role: "listbox", "aria-multiselectable": "true", "aria-label": "cells", tabindex: 0 },
      this.space,
    );
    this.layout = new GalleryLayout([], 1, this.box);
    this.element.addEventListener("scroll", () => this.drawSoon());
    this.space.addEventListener("click", (event) => this.point(event, onPoint));
    this.watcher = new ResizeObserver(() => this.place());
    this.watcher.observe(this.element);
  }

  get box() {
    return { width: this.side + GAP_PX, height: this.side + LABEL_PX + GAP_PX };
  }

  /** Show other groups of rows. */
  list(groups) {
    this.groups = groups;
    this.place();
  }

  resize(side) {
    this.side = side;
    this.place();
  }

  /** Lines of cells that fit into the view. */
  get linesInView() {
    return Math.max(1, Math.floor(this.element.clientHeight / this.box.height));
  }

  place() {
    this.layout = new GalleryLayout(this.groups, this.element.clientWidth - GAP_PX, this.box);
    this.space.style.height = `${this.layout.height}px`;
    for (const shown of [this.boxes, this.headings]) {
      for (const one of shown.values()) (one.element ?? one).remove();
      shown.clear();
    }
    this.drawSoon();
  }

  drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  /** Draw what is in view, with the selection and the place of the reader. */
  draw() {
    const top = this.element.scrollTop;
    const bottom = top + this.element.clientHeight;
    const { sections, first, end } = this.layout.between(top - MORE_IN_VIEW_PX, bottom + MORE_IN_VIEW_PX);
    this.drawHeadings(sections);
    for (const [index, one] of this.boxes) {
      if (index >= first && index < end) continue;
      one.element.remove();
      this.boxes.delete(index);
    }
    for (let index = first; index < end; index += 1) {
      if (!this.boxes.has(index)) this.boxes.set(index, this.makeBox(index));
      this.fill(index);
    }
    const near = this.layout.between(top, bottom);
    const rows = [...this.layout.rows.slice(near.first, near.end), ...this.layout.rows.slice(first, end)];
    this.onView([...new Set(rows)]);
    const here = this.boxes.get(this.at);
    if (here) this.element.setAttribute("aria-activedescendant", here.element.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  drawHeadings(sections) {
    const named = sections.filter((section) => section.name);
    const wanted = new Set(named.map((section) => section.first));
    for (const [first, element] of this.headings) {
      if (wanted.has(first)) continue;
      element.remove();
      this.headings.delete(first);
    }
    for (const section of named) {
      if (!this.headings.has(section.first)) this.headings.set(section.first, this.makeHeading(section));
      this.fillHeading(section);
    }
  }

  makeHeading(section) {
    const rows = this.layout.rows.slice(section.first, section.first + section.count);
    const text = make("span", { kind: "gallery-heading-text" });
    const all = makeButton("all", `select all ${section.name} (key Shift + X)`, () => this.onHeading(rows));
    all.tabIndex = -1;
    all.hidden = section.count === 1;
    const heading = make("div", { kind: "gallery-heading", role: "presentation" }, text, all);
    const { width } = this.box;
    heading.style.top = `${section.top}px`;
    heading.style.left = `${section.column * width}px`;
    heading.style.maxWidth = `${section.width * width - GAP_PX}px`;
    this.space.append(heading);
    return heading;
  }

  fillHeading(section) {
    let decided = 0;
    for (let index = section.first; index < section.first + section.count; index += 1) {
      decided += this.source.stateOf(this.layout.rows[index]) > 0;
    }
    const text = this.headings.get(section.first).querySelector(".gallery-heading-text");
    text.textContent = `${section.name} ${wholeText(decided)}/${wholeText(section.count)}`;
    text.title = `${section.name}: ${countText(section.count, "cell")}, ${wholeText(decided)} decided`;
  }

  makeBox(index) {
    const { left, top } = this.layout.placeOf(index);
    const picture = make("img", { alt: "", draggable: "false", width: this.side, height: this.side });
    const failure = make("span", { kind: "gallery-failure" });
    const mark = make("span", { kind: "gallery-mark", "aria-hidden": "true" });
    const name = make("span", { kind: "gallery-name" });
    const detail = make("span", { kind: "gallery-detail" });
    const frame = make("div", { kind: "gallery-picture" }, picture, failure, mark);
    const element = make("div", { kind: "gallery-cell", role: "option", id: `${this.id}-${index}` }, frame, name, detail);
    element.dataset.index = String(index);
    Object.assign(element.style, { left: `${left}px`, top: `${top}px`, width: `${this.side}px` });
    frame.style.height = `${this.side}px`;
    this.space.append(element);
    return { element, picture, failure, mark, name, detail };
  }

  fill(index) {
    const { element, picture, failure, mark, name, detail } = this.boxes.get(index);
    const row = this.layout.rows[index];
    const state = this.source.stateOf(row);
    const address = this.crops.pictureOf(row);
    if (address && picture.getAttribute("src") !== address) picture.setAttribute("src", address);
    if (!address) picture.removeAttribute("src");
    failure.textContent = this.crops.failureOf(row) ? "no picture" : "";
    failure.title = this.crops.failureOf(row) ?? "";
    mark.textContent = this.source.isWaiting(row) ? "…" : MARKS[state];
    const called = this.source.newNameOf(row) || this.source.nameOf(row);
    const sure = this.source.confidenceOf(row);
    name.textContent = called;
    name.title = called;
    detail.textContent = this.detailOf(row, state, sure);
    element.style.setProperty("--cell-colour", this.source.colourOf(row));
    element.dataset.state = STATE_WORDS[state].replaceAll(" ", "-");
    element.classList.toggle("is-here", index === this.at);
    element.setAttribute("aria-selected", String(this.picked.has(row)));
    element.setAttribute("aria-setsize", String(this.layout.count));
    element.setAttribute("aria-posinset", String(index + 1));
    const spoken = [called || "cell", Number.isFinite(sure) ? `confidence ${shareText(sure)}` : "", STATE_WORDS[state]];
    element.setAttribute("aria-label", spoken.filter(Boolean).join(", "));
  }

  detailOf(row, state, sure) {
    if (state === 3 && this.source.nameOf(row)) return `was ${this.source.nameOf(row)}`;
    if (state === 3) return "named";
    if (state > 0) return STATE_WORDS[state];
    return Number.isFinite(sure) ? shareText(sure) : "";
  }

  point(event, onPoint) {
    const box = event.target.closest(".gallery-cell");
    if (box) onPoint(Number(box.dataset.index), event);
  }

  /** Show where the reader is and what is selected. */
  mark(at, picked) {
    this.at = at;
    this.picked = picked;
    this.drawSoon();
  }

  /** Scroll so that a cell is in view. */
  reveal(index) {
    if (index >= this.layout.count || index < 0) return;
    const section = this.layout.sectionOf(index);
    const { top } = this.layout.placeOf(index);
    const from = index - section.first < this.layout.columns ? section.top : top;
    const { scrollTop, clientHeight } = this.element;
    if (from < scrollTop) this.element.scrollTop = from;
    else if (top + this.box.height > scrollTop + clientHeight) this.element.scrollTop = top + this.box.height - clientHeight;
  }

  close() {
    this.watcher.disconnect();
    if (this.frame) cancelAnimationFrame(this.frame);
  }
}
