// The legend of the heat map.

import { heatGradient } from "./colours.js";
import { make } from "./controls.js";
import { shortText, significantText } from "./numbers.js";

/** Colours with their densities in cells per mm2. */
export class HeatLegend {
  constructor() {
    this.title = make("div", { kind: "legend-title" });
    this.bar = make("div", { kind: "legend-bar", role: "img" });
    this.bar.style.backgroundImage = heatGradient();
    this.ticks = [0, 1, 2].map(() => make("span", {}));
    this.how = make("span", {});
    this.here = make("span", {});
    const foot = make("div", { kind: "legend-foot" }, this.how, this.here);
    const ticks = make("div", { kind: "legend-ticks" }, ...this.ticks);
    this.element = make("div", { kind: "legend", hidden: true }, this.title, this.bar, ticks, foot);
  }

  /** Show the legend of a heat layer; `what` names the cells that it counts. */
  show(what, { isDrawn, choice, top, widthUm, isCoarser }) {
    this.element.hidden = !isDrawn;
    if (!isDrawn) return;
    this.title.textContent = `${what} per mm²`;
    const width = `${shortText(widthUm)} µm${isCoarser ? ", the finest that is drawn here" : ""}`;
    this.how.textContent = choice.method === "grid" ? `in squares of ${width}, without slivers at the edge` : `smoothed over ${width}`;
    const texts = [0, top / 2, top].map((value) => significantText(value, 2));
    this.ticks.forEach((tick, at) => (tick.textContent = texts[at]));
    this.bar.setAttribute("aria-label", `dark blue 0, grey ${texts[1]}, yellow ${texts[2]} ${what} per mm²`);
  }

  /** Show the density at the centre of the view; null clears it. */
  showHere(perMm2) {
    this.here.textContent = perMm2 === null ? "" : `at the centre of the view ${significantText(perMm2, 2)}\u00a0/mm²`;
  }
}
