// The bar that says how long things are.

import { make } from "./controls.js";
import { roundLength, significantText } from "./numbers.js";

const LONGEST_SHARE = 0.28;
const LONGEST_PX = 190;

/** A bar in a corner of a canvas, in micrometres or, where no scale is known, in pixels of the picture. */
export class ScaleBar {
  constructor() {
    this.bar = make("span", { kind: "bar" });
    this.text = make("span", {});
    this.element = make("div", { kind: "scale-bar", "aria-hidden": "true" }, this.bar, this.text);
    this.said = "";
  }

  /** Show it for a camera; `said` holds it in words. */
  show(camera, umPerPx) {
    const longest = Math.min(camera.width * LONGEST_SHARE, LONGEST_PX);
    const perScreenPx = (umPerPx || 1) / camera.zoom;
    const length = roundLength(longest * perScreenPx);
    this.said = umPerPx ? barText(length) : `${significantText(length)} px, scale unknown`;
    this.bar.style.width = `${(length / perScreenPx).toFixed(1)}px`;
    if (this.text.textContent !== this.said) this.text.textContent = this.said;
  }
}

function barText(um) {
  return um >= 1000 ? `${significantText(um / 1000, 1)} mm` : `${significantText(um, 1)} µm`;
}
