// Small parts of pages. All text goes through textContent, all attributes through setAttribute.

import { numberFrom } from "./numbers.js";

const RESEARCH_USE_NOTICE = "For Research Use Only. Not for use in diagnostic procedures.";
let lastId = 0;

/** Return an id that no other element of the page has. */
export function freshId(stem) {
  lastId += 1;
  return `hemato-lab-${stem}-${lastId}`;
}

/**
 * Make an element.
 *
 * @param {string} tag name of it.
 * @param {object} options `kind` (classes), `text`, `title`, and any other name as an attribute; null leaves it out.
 * @param {...(Node|null)} children to append.
 */
export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === null || value === undefined) continue;
    if (name === "kind") element.className = value;
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Make a button; `pressed` (true, false) makes it a switch. */
export function makeButton(text, title, onPress, { pressed = null, kind = "" } = {}) {
  const button = make("button", {
    type: "button",
    kind: `button ${kind}`,
    text,
    title,
    "aria-label": title,
    "aria-pressed": pressed,
  });
  button.addEventListener("click", onPress);
  return button;
}

/** Show whether a switch is on. */
export function setPressed(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

/**
 * Make a choice of one of several, as a row of radio buttons.
 *
 * @param {string} label of the row.
 * @param {Array<[string, string]>} options value and text each.
 * @param {function(string)} onChoose called with the value.
 * @returns {{element: HTMLElement, set: function(string), enable: function(boolean)}}
 */
export function makeChoice(label, options, onChoose) {
  const name = freshId("choice");
  const radios = options.map(([value]) => make("input", { type: "radio", name, value }));
  const parts = radios.map((radio, at) => make("label", {}, radio, make("span", { text: options[at][1] })));
  const row = make("div", { kind: "segments", role: "radiogroup", "aria-label": label }, ...parts);
  row.addEventListener("change", (event) => onChoose(event.target.value));
  return {
    element: row,
    set: (value) => radios.forEach((radio) => (radio.checked = radio.value === value)),
    enable: (on) => radios.forEach((radio) => (radio.disabled = !on)),
  };
}

/** Make a tick box with its label; returns the label, the box is its first child. */
export function makeTick(text, checked, onChange) {
  const box = make("input", { type: "checkbox" });
  box.checked = checked;
  box.addEventListener("change", () => onChange(box.checked));
  return make("label", { kind: "tick" }, box, make("span", { text }));
}

/**
 * Make a slider with a field to type the number into ("0.5" or "0,5").
 *
 * @param {object} options `label`, `hint` (more about it), `low`, `high`, `step`, `digits`, `unit`.
 * @param {function(number)} onMove called with the value, many times while it is dragged.
 * @returns {{element: HTMLElement, set: function(number)}}
 */
export function makeSlider({ label, hint = "", low, high, step, digits = 2, unit = "" }, onMove) {
  const id = freshId("slider");
  const range = make("input", { type: "range", id, min: low, max: high, step });
  const typed = make("input", {
    type: "text",
    inputmode: "decimal",
    kind: "number",
    "aria-label": `${label}, typed`,
    size: 5,
  });
  const set = (value) => {
    range.value = String(value);
    typed.value = value.toFixed(digits);
    typed.removeAttribute("aria-invalid");
  };
  range.addEventListener("input", () => {
    typed.value = Number(range.value).toFixed(digits);
    onMove(Number(range.value));
  });
  typed.addEventListener("change", () => {
    const value = numberFrom(typed.value);
    if (!(value >= low && value <= high)) {
      typed.setAttribute("aria-invalid", "true");
      typed.title = `a number from ${low} to ${high}`;
      return;
    }
    set(value);
    onMove(value);
  });
  const tail = unit ? make("span", { kind: "unit", text: unit }) : null;
  if (hint) for (const part of [range, typed]) part.setAttribute("aria-description", hint);
  const element = make("div", { kind: "slider", title: hint || null }, make("label", { for: id, text: label }), range, typed, tail);
  return { element, set };
}

/** Make a list to pick from; `set(options, value)` fills it. */
export function makeSelect(label, onPick) {
  const select = make("select", { "aria-label": label });
  select.addEventListener("change", () => onPick(select.value));
  const set = (options, value) => {
    select.replaceChildren(...options.map(([key, text]) => make("option", { value: key, text })));
    select.value = value;
  };
  return { element: select, set };
}

/** Make a line that shows a text at once; screen readers speak it when things rest. */
export function makeLiveLine(kind = "status") {
  const seen = make("span", { "aria-hidden": "true" });
  const spoken = make("span", { kind: "for-screen-readers", role: "status", "aria-live": "polite" });
  let waiting = null;
  const say = (text, afterMs = 500) => {
    if (seen.textContent !== text) seen.textContent = text;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (spoken.textContent !== text) spoken.textContent = text;
    }, afterMs);
  };
  return { element: make("div", { kind }, seen, spoken), say, stop: () => clearTimeout(waiting) };
}

/** Make the line that says what this must not be used for; it is there before Python answers anything. */
export function makeNotice() {
  return make("p", { kind: "notice", text: RESEARCH_USE_NOTICE });
}

/** Make a small patch of one colour that stands for a name; it says nothing to screen readers. */
export function makeSwatch(colour) {
  const swatch = make("span", { kind: "swatch", "aria-hidden": "true" });
  swatch.style.setProperty("--swatch", colour);
  return swatch;
}
