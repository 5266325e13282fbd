// The bars of a gallery: what is listed and how, the reader's actions, progress, files, keys.

import { make, makeButton, makeSelect, makeSwatch, makeTick, setPressed } from "./controls.js";
import { countText, wholeText } from "./numbers.js";

const ORDER_WORDS = [
  ["confidence", "least sure first"],
  ["disagreement", "most disputed first"],
  ["size", "largest first"],
];
const REVERSED_WORDS = [
  ["confidence", "surest first"],
  ["disagreement", "least disputed first"],
  ["size", "smallest first"],
];
const SIDE_OPTIONS = [
  ["64", "small pictures"],
  ["96", "medium pictures"],
  ["144", "large pictures"],
];
/** What every key of a gallery does, for people. */
export const KEYS_OF_GALLERY = [
  ["n p", "next, previous cell"],
  ["arrows, Page Up/Down, Home, End", "go from cell to cell"],
  ["Shift + arrows, N, P", "select all on the way"],
  ["Space or x", "add the cell to the selection, or take it out"],
  ["Shift + Space or X", "select all under the same heading"],
  ["Ctrl + A", "select all that are listed"],
  ["Esc", "select only the cell where you are"],
  ["a", "accept: it is what it is called"],
  ["r", "not a cell: left out of the corrected report"],
  ["the key on a name", "rename"],
  ["u or Ctrl + Z", "undo"],
  ["U (Shift + u)", "redo"],
  ["?", "show or hide this list"],
];

/** The bar that says what is listed; `change(trait, value)` sets a trait, `onSide(px)` the size of pictures. */
export function makeListingBar({ change, onSide, onCollect }) {
  const order = makeSelect("order", (value) => change({ order: value.split(" ")[0], reverse: value.endsWith(" reverse") }));
  const grouped = makeTick("by name, rarest first", true, (on) => change({ grouped: on }));
  const open = makeTick("only undecided", false, (on) => change({ open_only: on }));
  const side = makeSelect("size of the pictures", (value) => onSide(Number(value)));
  side.set(SIDE_OPTIONS, "96");
  const collect = makeButton("select several", "select several cells by clicking or tapping them", onCollect, { pressed: false });
  const element = make("div", { kind: "bar gallery-listing" }, order.element, grouped, open, side.element, collect);
  const show = (model, isCollecting) => {
    const options = model.get("disagreement")?.byteLength ? [0, 1, 2] : [0, 2];
    order.set(
      options.flatMap((at) => [ORDER_WORDS[at], [`${REVERSED_WORDS[at][0]} reverse`, REVERSED_WORDS[at][1]]]),
      `${model.get("order")}${model.get("reverse") ? " reverse" : ""}`,
    );
    grouped.firstChild.checked = model.get("grouped");
    open.firstChild.checked = model.get("open_only");
    for (const part of [order.element, grouped]) part.hidden = model.get("blind");
    setPressed(collect, isCollecting);
  };
  return { element, show };
}

/** Switches of names, with counts; none pressed lists all. */
export function makeNamesBar(onChange) {
  const element = make("div", { kind: "bar gallery-names", role: "group", "aria-label": "names that are listed" });
  let buttons = [];
  const fill = (counts, colours) => {
    const isSame = counts.length === buttons.length && counts.every(({ name }, at) => name === buttons[at][0]);
    if (!isSame) {
      buttons = counts.map(({ name }) => [name, makeNameButton(name, colours(name), () => onChange(name))]);
      element.replaceChildren(...buttons.map(([, button]) => button));
    }
    counts.forEach((one, at) => sayCounts(buttons[at][1], one));
  };
  const show = (only) => buttons.forEach(([name, button]) => setPressed(button, only.includes(name)));
  return { element, fill, show };
}

function makeNameButton(name, colour, onPress) {
  const button = makeButton("", "", onPress, { pressed: false });
  button.append(makeSwatch(colour), make("span", {}));
  return button;
}

function sayCounts(button, { name, count, before }) {
  const first = count === before ? "" : `, ${wholeText(before)} before the decisions; lists both`;
  const said = `list only ${name}, ${countText(count, "cell")}${first}`;
  button.lastChild.textContent = `${name} ${wholeText(count)}`;
  button.title = said;
  button.setAttribute("aria-label", said);
}

/** Buttons of all decisions; `onDecide(action, name)`, `onGo("undo" | "redo")`. */
export function makeDecisionBar(onDecide, onGo) {
  const accept = keyButton("a", "accept", "accept the selected cells: they are what they are called", () => onDecide("accept"));
  const reject = keyButton("r", "not a cell", "reject the selected cells: they are no cells and are not counted", () =>
    onDecide("reject"),
  );
  const undo = keyButton("u", "undo", "take back the last decision", () => onGo("undo"));
  const redo = keyButton("U", "redo", "decide again what was taken back", () => onGo("redo"));
  const names = make("div", { kind: "gallery-choices", role: "group", "aria-label": "rename the selected cells" });
  const others = makeSelect("another name", (name) => {
    if (name) onDecide("reclassify", name);
    others.element.value = "";
  });
  const actions = make("div", { kind: "bar gallery-actions" }, accept, reject, undo, redo, others.element);
  const element = make("div", { kind: "gallery-decisions" }, actions, names);
  const fill = (choices, otherNames, colours) => {
    names.replaceChildren(
      ...choices.map(([key, name]) => {
        const button = keyButton(key, name, `rename to ${name}`, () => onDecide("reclassify", name));
        const colour = colours(name);
        if (colour) button.prepend(makeSwatch(colour));
        return button;
      }),
    );
    others.set([["", "another name …"], ...otherNames.map((name) => [name, name])], "");
  };
  const allow = (canDecide, isBlind) => {
    element.hidden = !canDecide;
    accept.hidden = isBlind;
  };
  return { element, fill, allow };
}

function keyButton(key, text, title, onPress) {
  const button = makeButton("", `${title} (key ${key})`, onPress, { kind: "gallery-choice" });
  button.append(make("kbd", { text: key, "aria-hidden": "true" }), make("span", { text }));
  return button;
}

/** How far the review is, as a bar and in words. */
export function makeProgress() {
  const bar = make("progress", { "aria-label": "cells decided on", max: 1, value: 0 });
  const words = make("span", { kind: "gallery-progress-words" });
  const element = make("div", { kind: "gallery-progress" }, bar, words);
  const show = (counts, isBlind) => {
    const cells = counts.cells ?? 0;
    const decided = counts.decided ?? 0;
    bar.max = Math.max(1, cells);
    bar.value = decided;
    const parts = isBlind ? [["renamed", "named"]] : [["accepted"], ["renamed"]];
    const said = [...parts, ["rejected", "not a cell"]]
      .filter(([key]) => counts[key])
      .map(([key, word = key]) => `${wholeText(counts[key])} ${word}`);
    const lost = counts.unattached
      ? `; ${countText(counts.unattached, "decision")} about cells that are not listed here, kept in the log`
      : "";
    const detail = said.length ? ` (${said.join(", ")})` : "";
    words.textContent = `${wholeText(decided)} of ${countText(cells, "cell")} decided${detail}${lost}`;
  };
  return { element, show };
}

/** The list of files that can be saved. */
export function makeFilesBar(onSave) {
  const select = makeSelect("file to save", () => {});
  const save = makeButton("save", "save the chosen file", () => onSave(select.element.value));
  const element = make("div", { kind: "bar gallery-files" }, select.element, save);
  return { element, fill: (formats) => select.set(formats, formats[0]?.[0] ?? "") };
}
