// The panel beside the picture: findings, score, marks and heat map.

import { make, makeChoice, makeSelect, makeSlider } from "./controls.js";
import { FindingsList } from "./findings_list.js";

const MARK_CHOICES = [["circle", "circles"], ["outline", "outlines"], ["none", "none"]];
const DENSITIES = [["none", "off"], ["kernel", "smooth"], ["grid", "squares"]];
const WIDTHS_UM = { low: 5, high: 60 };
const ALL_OF_THEM = "";
const NO_SCALE = "the scale of the picture is not known";
const SEVERAL = "\n";

/** Controls of a viewer; `on` holds `set(trait, value)`. */
export class SidePanel {
  constructor(on) {
    this.findings = new FindingsList((names) => on.set("hidden", names));
    const score = { label: "Least score", hint: "of being a cell at all", low: 0, high: 1, step: 0.01 };
    this.score = makeSlider(score, (value) => on.set("minimum_score", value));
    this.marks = makeChoice("Marks", MARK_CHOICES, (value) => on.set("marks", value));
    this.density = makeChoice("Heat map", DENSITIES, (value) => on.set("density", value));
    this.densityOf = makeSelect("Cells that the heat map counts", (value) => {
      if (value !== SEVERAL) on.set("density_of", value === ALL_OF_THEM ? [] : [value]);
    });
    const width = { label: "Width", step: 1, digits: 0, unit: "µm", ...WIDTHS_UM };
    this.bandwidth = makeSlider(width, (value) => on.set("bandwidth_um", value));
    this.heatDetails = make("div", { kind: "details" }, this.densityOf.element, this.bandwidth.element);
    this.noHeat = make("p", { kind: "quiet" });
    this.counted = make("p", { kind: "quiet counted" });
    this.element = make(
      "div",
      { kind: "side-panel" },
      make("div", { kind: "listed" }, this.findings.element, this.counted),
      make(
        "div",
        { kind: "settings" },
        this.score.element,
        labelled("Marks", this.marks.element),
        labelled("Heat map", this.density.element),
        this.heatDetails,
        this.noHeat,
      ),
    );
  }

  /** Show the traits of a model that the controls stand for, and what its heat map counts (see `countedCells`). */
  show(model, counted) {
    this.findings.setHidden(model.get("hidden"));
    this.score.set(model.get("minimum_score"));
    this.marks.set(model.get("marks"));
    this.density.set(model.get("density"));
    this.bandwidth.set(model.get("bandwidth_um"));
    const hasScale = Boolean(model.get("um_per_px"));
    this.density.enable(hasScale);
    const isOn = model.get("density") !== "none";
    const why = hasScale ? isOn && counted.why : NO_SCALE;
    this.noHeat.hidden = !why;
    this.noHeat.textContent = `No heat map: ${why}.`;
    this.heatDetails.hidden = !hasScale || !isOn;
    this.showDensityOf(model.get("names"), model.get("density_of"), `all ${counted.usual}`);
  }

  showDensityOf(names, chosen, usual) {
    const options = [[ALL_OF_THEM, usual], ...names.map((name) => [name, name])];
    const isListed = chosen.length === 0 || (chosen.length === 1 && names.includes(chosen[0]));
    if (!isListed) options.push([SEVERAL, chosen.join(", ")]);
    this.densityOf.set(options, isListed ? (chosen[0] ?? ALL_OF_THEM) : SEVERAL);
  }
}

function labelled(text, control) {
  return make("div", { kind: "labelled" }, make("span", { text, "aria-hidden": "true" }), control);
}
