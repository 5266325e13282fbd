// The bar above the picture: which field, how it is shown, zoom and tools.

import { make, makeButton, makeChoice, makeSelect, setPressed } from "./controls.js";
import { endOfName, shownName } from "./names.js";

const LONGEST_NAME = 48;

/** Buttons above a picture; `on` holds what they do, by the names used below. */
export class ViewerBar {
  constructor(on) {
    this.title = make("strong", { kind: "title" });
    this.previous = makeButton("‹", "Previous field (PageUp)", () => on.turn(-1));
    this.next = makeButton("›", "Next field (PageDown)", () => on.turn(1));
    this.select = makeSelect("Field", (value) => on.field(Number(value)));
    this.fields = make("div", { kind: "bar-group" }, this.previous, this.select.element, this.next);
    const layouts = [["pages", "one field"], ["strip", "all fields"]];
    this.arrangement = makeChoice("Fields shown", layouts, on.arrange);
    const zoom = make(
      "div",
      { kind: "bar-group", role: "group", "aria-label": "Zoom" },
      makeButton("−", "Zoom out (-)", () => on.zoom(1 / 1.5)),
      makeButton("+", "Zoom in (+)", () => on.zoom(1.5)),
      makeButton("fit", "Show all of it (0)", on.fit),
      makeButton("1:1", "One picture pixel on one screen pixel (1)", on.natural),
    );
    this.measure = makeButton("measure", "Measure a length (m)", on.measure, { pressed: false });
    this.findings = makeButton("findings", "Show or hide the list of findings (f)", on.findings, { pressed: true });
    const keys = makeButton("?", "What the keys do (?)", on.keys);
    // Frames that a notebook or a mail shows may not allow it.
    const large = document.fullscreenEnabled ? makeButton("full screen", "Fill the screen, or leave it (Esc)", on.large) : null;
    const tools = make("div", { kind: "bar-group tools" }, this.measure, this.findings, large, keys);
    const bar = { kind: "viewer-bar", role: "toolbar", "aria-label": "Picture" };
    this.element = make("div", bar, this.title, this.fields, this.arrangement.element, zoom, tools);
  }

  /** Say what is shown: title, names of the fields (numbers while they are not known). */
  setFields(title, names) {
    this.title.textContent = shownName(title);
    this.title.title = shownName(title);
    this.title.hidden = !title;
    this.names = names;
    const isMany = names.length > 1;
    this.fields.hidden = !isMany;
    this.arrangement.element.hidden = !isMany;
    this.select.set(
      names.map((name, at) => [String(at), fieldText(name, at, names.length)]),
      this.select.element.value || "0",
    );
  }

  setField(index) {
    this.select.element.value = String(index);
    this.previous.disabled = index <= 0;
    this.next.disabled = index >= this.names.length - 1;
  }

  setMeasuring(isOn) {
    setPressed(this.measure, isOn);
  }

  setFindings(isOpen) {
    setPressed(this.findings, isOpen);
  }
}

function fieldText(name, at, count) {
  const place = `${at + 1} of ${count}`;
  return name ? `${place}: ${shownName(endOfName(name, LONGEST_NAME))}` : place;
}
