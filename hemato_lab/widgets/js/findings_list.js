// The names of cells with their counts, to show and hide, grouped by cell line.

import { make, makeButton, makeSwatch } from "./controls.js";
import { wholeText } from "./numbers.js";

const GROUPS = [
  ["red cell", "Red cells"],
  ["parasite", "Parasites"],
  ["white cell", "White cells"],
  ["platelet", "Platelets"],
  ["artefact", "Artefacts"],
  ["other", "Other names"],
];

/** Tick boxes of names; `onHide(names)` is told which are hidden. */
export class FindingsList {
  constructor(onHide) {
    this.onHide = onHide;
    this.hidden = [];
    this.names = [];
    this.rows = new Map();
    this.groups = [];
    this.element = make("div", { kind: "findings", role: "group", "aria-label": "Findings shown" });
  }

  /** List names; lineages may be empty, then they make one group. */
  list(names, colours, lineages) {
    this.names = names;
    this.rows.clear();
    const groupOf = (at) => (GROUPS.some(([key]) => key === lineages[at]) ? lineages[at] : "other");
    this.groups = GROUPS.map(([key, title]) => {
      const members = names.map((_, at) => at).filter((at) => groupOf(at) === key);
      return { title: lineages.length ? title : "Cells", members };
    }).filter(({ members }) => members.length);
    this.element.replaceChildren(this.head(), ...this.groups.map((group) => this.group(group, colours)));
    if (!names.length) this.element.append(make("p", { kind: "quiet", text: "No cells are listed." }));
    this.setHidden(this.hidden);
  }

  head() {
    const all = makeButton("all", "Show all findings", () => this.onHide([]), { kind: "small" });
    const none = makeButton("none", "Hide all findings", () => this.onHide([...this.names]), { kind: "small" });
    this.columns = make("span", { kind: "columns", text: "" });
    return make("div", { kind: "findings-head" }, make("h3", { text: "Findings" }), all, none, this.columns);
  }

  group(group, colours) {
    group.box = make("input", { type: "checkbox" });
    group.box.addEventListener("change", () => this.toggle(group.members, group.box.checked));
    group.count = make("span", { kind: "count" });
    const title = make("label", { kind: "group-title" }, group.box, make("span", { text: group.title }));
    const lines = group.members.map((at) => this.line(at, colours[at]));
    group.element = make("div", { kind: "group" }, make("div", { kind: "finding" }, title, group.count), ...lines);
    return group.element;
  }

  line(at, colour) {
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => this.toggle([at], box.checked));
    const count = make("span", { kind: "count" });
    const label = make("label", {}, box, makeSwatch(colour), make("span", { text: this.names[at] }));
    const name = this.names[at];
    const only = makeButton("only", `Show only ${name}`, () => this.showOnly(name), { kind: "only" });
    const element = make("div", { kind: "finding member" }, label, only, count);
    this.rows.set(at, { box, count, element });
    return element;
  }

  toggle(members, isShown) {
    const named = members.map((at) => this.names[at]);
    const others = this.hidden.filter((name) => !named.includes(name));
    this.onHide(isShown ? others : [...others, ...named]);
  }

  showOnly(name) {
    this.onHide(this.names.filter((other) => other !== name));
  }

  /** Show which names are hidden. */
  setHidden(hidden) {
    this.hidden = hidden;
    for (const [at, { box }] of this.rows) box.checked = !hidden.includes(this.names[at]);
    for (const { box, members } of this.groups) {
      const shown = members.filter((at) => !hidden.includes(this.names[at])).length;
      box.checked = shown > 0;
      box.indeterminate = shown > 0 && shown < members.length;
    }
  }

  /**
   * Show counts by name.
   *
   * @param {Int32Array} here of the field in view.
   * @param {Int32Array|null} all of all fields; null where there is one field.
   * @param {Uint8Array} there 1 for each name that a cell has; the others are not listed.
   */
  setCounts(here, all, there) {
    this.columns.textContent = all ? "field / all" : "";
    const text = (members) => {
      const sum = (counts) => wholeText(members.reduce((total, at) => total + counts[at], 0));
      return all ? `${sum(here)} / ${sum(all)}` : sum(here);
    };
    for (const [at, { count, element }] of this.rows) {
      count.textContent = text([at]);
      element.hidden = !there[at];
    }
    for (const { count, members, element } of this.groups) {
      const listed = members.filter((at) => there[at]);
      count.textContent = text(members);
      element.hidden = !listed.length;
    }
  }
}
