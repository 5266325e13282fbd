// What stands around the pictures of a comparison: choices, the list of what differs, the tables.

import { make, makeButton, makeChoice, makeSelect, makeSlider, makeSwatch } from "./controls.js";
import { MATCHED, PLACE_STATES, STATE_COLOURS } from "./compared_cells.js";
import { countText, wholeText } from "./numbers.js";

const MOST_DIFFERENCES_LISTED = 300;
const EVERY_NAME = "";

/** Return what the four states are called, with the labels of the sides. */
export function stateTexts([first, second]) {
  return ["in both", "called differently", `only in ${first}`, `only in ${second}`];
}

/** A switch for each state with its colour and count; `onToggle(state)`. */
export class StateSwitches {
  constructor(onToggle) {
    this.buttons = PLACE_STATES.map((state, at) => {
      const name = make("span", { kind: "name" });
      const count = make("span", { kind: "count" });
      const button = makeButton("", "", () => onToggle(state), { pressed: true, kind: "state-switch" });
      button.removeAttribute("title");
      button.append(makeSwatch(STATE_COLOURS[at]), name, count);
      return { button, name, count };
    });
    this.element = make(
      "div",
      { kind: "state-switches", role: "group", "aria-label": "What is shown" },
      ...this.buttons.map(({ button }) => button),
    );
  }

  set(texts, counts, hidden) {
    this.buttons.forEach(({ button, name, count }, at) => {
      const isShown = !hidden.includes(PLACE_STATES[at]);
      name.textContent = texts[at];
      count.textContent = wholeText(counts[at]);
      button.setAttribute("aria-pressed", String(isShown));
      button.setAttribute("aria-label", `${texts[at]}: ${countText(counts[at], "place")}`);
    });
  }
}

/** The row of buttons and choices above the pictures; `on` holds what they do. */
export class ComparisonToolbar {
  constructor(fields, on) {
    this.arrangement = makeChoice(
      "Arrangement",
      [["side by side", "side by side"], ["together", "together"]],
      on.arrange,
    );
    this.colouring = makeChoice("Colours", [["agreement", "by agreement"], ["name", "by name"]], on.colour);
    this.image = makeSelect("Image", (value) => on.turnTo(Number(value)));
    this.name = makeSelect("Name that is shown", (value) => on.showName(value));
    this.score = makeSlider({ label: "least score", hint: "of being a cell at all", low: 0, high: 1, step: 0.01 }, on.threshold);
    this.fields = fields;
    this.element = make(
      "div",
      { kind: "comparison-bar", role: "group", "aria-label": "Comparison" },
      fields > 1 ? make("label", { kind: "picked" }, make("span", { text: "image" }), this.image.element) : null,
      this.arrangement.element,
      this.colouring.element,
      make("label", { kind: "picked" }, make("span", { text: "name" }), this.name.element),
      this.score.element,
      make(
        "div",
        { kind: "buttons" },
        makeButton("−", "Zoom out (-)", on.zoomOut),
        makeButton("+", "Zoom in (+)", on.zoomIn),
        makeButton("fit", "Show the whole image (0)", on.fit),
        makeButton("?", "Keys", on.help),
      ),
    );
  }

  set({ arrangement, colouredBy, imageNames, image, names, name, minimumScore }) {
    this.arrangement.set(arrangement);
    this.colouring.set(colouredBy);
    this.image.set(imageNames.map((text, at) => [String(at), text]), String(image));
    this.name.set([[EVERY_NAME, "every name"], ...names.map((one) => [one, one])], name);
    this.score.set(minimumScore);
  }
}

/** The places that differ, one button each, with two to step through them. */
export class DifferenceList {
  constructor(on) {
    this.on = on;
    this.head = make("div", { kind: "list-head", "aria-live": "polite" });
    this.list = make("ol", { kind: "differences", "aria-label": "Places that differ" });
    this.more = make("p", { kind: "note" });
    this.buttons = new Map();
    this.element = make(
      "section",
      { kind: "difference-list" },
      make(
        "div",
        { kind: "buttons" },
        makeButton("◀", "Previous place that differs (p)", on.previous),
        makeButton("▶", "Next place that differs (n)", on.next),
        this.head,
      ),
      this.list,
      this.more,
    );
  }

  /** Show places; `describe(place)` returns their names and image, `chosen` is the place in view or -1. */
  fill(listed, describe, chosen) {
    this.listed = listed;
    this.buttons.clear();
    this.list.replaceChildren(...listed.slice(0, MOST_DIFFERENCES_LISTED).map((place) => this.entry(place, describe(place))));
    const beyond = listed.length - MOST_DIFFERENCES_LISTED;
    this.more.textContent = beyond > 0 ? `and ${wholeText(beyond)} more: step on with n and p` : "";
    this.more.hidden = beyond <= 0;
    this.choose(chosen);
  }

  entry(place, { colour, text, image }) {
    const button = make("button", { type: "button", kind: "difference" }, makeSwatch(colour), make("span", { text }));
    if (image) button.append(make("span", { kind: "image", text: image }));
    button.addEventListener("click", () => this.on.choose(place));
    this.buttons.set(place, button);
    return make("li", {}, button);
  }

  choose(place) {
    for (const [one, button] of this.buttons) {
      if (one === place) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    scrollListTo(this.list, this.buttons.get(place));
    const at = this.listed.indexOf(place);
    const total = countText(this.listed.length, "place");
    const many = this.listed.length === 1 ? "differs" : "differ";
    this.head.textContent = at < 0 ? `${total} ${many}` : `${wholeText(at + 1)} of ${wholeText(this.listed.length)}`;
  }
}

// Scrolls the list alone: `scrollIntoView` would move the notebook too.
function scrollListTo(list, button) {
  if (!button) return;
  const [outer, inner] = [list.getBoundingClientRect(), button.getBoundingClientRect()];
  if (inner.top < outer.top) list.scrollTop += inner.top - outer.top;
  else if (inner.bottom > outer.bottom) list.scrollTop += inner.bottom - outer.bottom;
}

/** The colours of the names, where rings have them. */
export class NameLegend {
  constructor() {
    this.element = make("ul", { kind: "name-legend", "aria-label": "Colours of the names", hidden: true });
  }

  set(names, colours, isShown) {
    this.element.hidden = !isShown;
    const entries = names.map((name, at) => make("li", {}, makeSwatch(colours[at]), make("span", { text: name })));
    this.element.replaceChildren(...entries);
  }
}

/** Say in words what differs at a place. */
export function differenceText(state, [first, second], texts) {
  if (state === MATCHED) return `${first}, in both`;
  return first && second ? `${first} → ${second}` : `${first || second}, ${texts[state]}`;
}

/** Make the tables of figures; cells go in as text. */
export function makeFigureTables(tables) {
  return tables.map(({ caption, head, rows, note }) => {
    const line = (tag, cells) => make("tr", {}, ...cells.map((text) => make(tag, { text })));
    const table = make(
      "table",
      {},
      make("caption", { text: caption }),
      make("thead", {}, line("th", head)),
      make("tbody", {}, ...rows.map((row) => line("td", row))),
    );
    return make("div", { kind: "figures" }, table, note ? make("p", { kind: "note", text: note }) : null);
  });
}

/** The list of keys that "?" opens. */
export function makeComparisonKeys() {
  const keys = [
    ["arrows", "move"],
    ["+ and -", "zoom"],
    ["0", "whole image"],
    ["n and p", "next and previous place that differs"],
    ["[ and ]", "previous and next image"],
    ["t", "side by side or together"],
    ["c", "colours by agreement or by name"],
    ["Esc", "choose nothing"],
  ];
  const entries = keys.flatMap(([key, text]) => [make("dt", { text: key }), make("dd", { text })]);
  return make("dl", { kind: "comparison-keys", hidden: true }, ...entries);
}
