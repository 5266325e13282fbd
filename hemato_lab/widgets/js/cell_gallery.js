// The gallery: every cell as a picture, to be accepted, rejected or renamed.

import { make, makeButton, makeLiveLine, makeNotice } from "./controls.js";
import { KEYS_OF_GALLERY, makeDecisionBar, makeFilesBar, makeListingBar, makeNamesBar, makeProgress } from "./gallery_bars.js";
import { CloseUp } from "./gallery_closeup.js";
import { CropLoader } from "./gallery_crops.js";
import { GalleryGrid, STATE_WORDS } from "./gallery_grid.js";
import { arrangeCells } from "./gallery_order.js";
import { GalleryPicking } from "./gallery_picking.js";
import { GalleryState } from "./gallery_state.js";
import { KeyList } from "./key_list.js";
import { shownName } from "./names.js";
import { bytesOf, countText } from "./numbers.js";
import { WAITING_FOR_PYTHON, ask, askHello, endAsking } from "./transport.js";

const LISTING_TRAITS = ["cells", "confidence", "disagreement", "order", "reverse", "grouped", "only", "open_only", "blind"];
const DECISION_TRAITS = ["decided", "decided_names", "progress", "names", "colours"];
const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"];
const STEPS = { n: 1, p: -1 };

class Gallery {
  constructor(model, el) {
    this.model = model;
    this.canDecide = false;
    this.state = new GalleryState(model);
    this.picking = new GalleryPicking();
    this.crops = new CropLoader(model, () => this.grid.drawSoon());
    this.grid = new GalleryGrid(this.state, this.crops, {
      onPoint: (index, event) => this.point(index, event),
      onHeading: (rows) => this.move(() => this.picking.pick(rows)),
      onView: (rows) => this.crops.want(rows, this.grid.side * (globalThis.devicePixelRatio || 1)),
    });
    this.closeUp = new CloseUp(model);
    this.build(el);
    this.listen();
    this.relist();
    this.adopt(model.get("selected"));
    if (!model.get("selected").length) this.picking.goTo(0);
    this.showPlace();
    this.greet();
  }

  build(el) {
    this.title = make("h2", { kind: "title" });
    this.progress = makeProgress();
    this.listing = makeListingBar({
      change: (traits) => this.changeListing(traits),
      onSide: (side) => this.grid.resize(side),
      onCollect: () => this.move(() => (this.picking.isCollecting ? this.picking.clear() : this.picking.pick(this.picking.picked))),
    });
    this.namesBar = makeNamesBar((name) => this.toggleName(name));
    this.decisions = makeDecisionBar(
      (action, name) => this.decide(action, name),
      (way) => this.go(way),
    );
    this.files = makeFilesBar((format) => this.save(format));
    this.files.element.hidden = this.decisions.element.hidden = true;
    this.keyList = new KeyList(() => this.grid.element.focus({ preventScroll: true }), KEYS_OF_GALLERY);
    this.live = makeLiveLine("status gallery-said");
    this.notice = makeNotice();
    const help = makeButton("?", "keys (key ?)", () => this.keyList.toggle());
    this.listing.element.append(help);
    const body = make("div", { kind: "gallery-body" }, this.grid.element, this.closeUp.element);
    this.root = make(
      "section",
      { kind: "hemato-lab gallery", "aria-label": "gallery of cells", "data-lm-suppress-shortcuts": "true" },
      make("header", { kind: "gallery-head" }, this.title, this.progress.element),
      this.listing.element,
      make("div", { kind: "gallery-keys" }, this.keyList.element),
      this.namesBar.element,
      this.decisions.element,
      body,
      make("footer", { kind: "gallery-foot" }, this.live.element, this.files.element, this.notice),
    );
    this.root.addEventListener("keydown", (event) => this.press(event));
    el.append(this.root);
  }

  listen() {
    this.listeners = [
      ...LISTING_TRAITS.map((name) => [`change:${name}`, () => this.relistSoon()]),
      ...DECISION_TRAITS.map((name) => [`change:${name}`, () => this.showDecisionsSoon()]),
      ["change:choices", () => this.fillChoices()],
      ["change:selected", () => this.adopt(this.model.get("selected"))],
    ];
    for (const [event, heard] of this.listeners) this.model.on(event, heard);
  }

  async greet() {
    const content = await askHello(this.model, (text) => this.sayWaiting(text), () => this.isClosed);
    if (!content) return;
    this.isGreeted = true;
    this.canDecide = content.can_decide === true;
    this.otherNames = content.other_names ?? [];
    const reader = content.reader ? `, reader ${shownName(content.reader)}` : "";
    const kind = this.state.isBlind ? "blind second reading" : "cells";
    this.title.textContent = `${shownName(content.title)}: ${kind}${reader}`;
    this.files.fill(content.formats ?? []);
    this.files.element.hidden = !content.formats?.length;
    this.fillChoices();
    if (content.damaged_lines) {
      this.live.say(`${countText(content.damaged_lines, "line")} of the log of decisions cannot be read; all others hold`, 0);
    } else if (this.isWaiting) this.live.say(this.placeInWords(), 0);
  }

  sayWaiting(text) {
    this.isWaiting = true;
    this.live.say(text, 0);
  }

  fillChoices() {
    this.decisions.fill(this.model.get("choices"), this.otherNames ?? [], (name) => this.colourOfName(name));
    this.decisions.allow(this.canDecide, this.state.isBlind);
  }

  colourOfName(name) {
    return this.state.isBlind ? "" : (this.model.get("colours")[this.model.get("names").indexOf(name)] ?? "#777777");
  }

  set(traits) {
    for (const [name, value] of Object.entries(traits)) this.model.set(name, value);
    this.model.save_changes();
  }

  // After a click the keys are about cells again; who ticks a box by key stays there.
  changeListing(traits) {
    this.set(traits);
    if (this.root.querySelector("input:focus:not(:focus-visible)")) this.grid.element.focus({ preventScroll: true });
  }

  toggleName(name) {
    const only = this.model.get("only");
    this.set({ only: only.includes(name) ? only.filter((one) => one !== name) : [...only, name] });
  }

  // Several traits change at once; they are taken over together.
  relistSoon() {
    if (this.relisting) return;
    this.relisting = true;
    queueMicrotask(() => {
      this.relisting = false;
      this.relist();
    });
  }

  relist() {
    this.state.readCells();
    this.state.readDecisions();
    const how = { nameTexts: this.model.get("names"), openOnly: this.model.get("open_only"), blind: this.state.isBlind };
    for (const name of ["order", "reverse", "grouped", "only"]) how[name] = this.model.get(name);
    this.grid.list(arrangeCells(this.state, how));
    this.picking.relist(this.grid.layout.rows);
    this.namesBar.element.hidden = this.state.isBlind;
    this.showPlace();
    this.showDecisions();
  }

  showDecisionsSoon() {
    if (this.redrawing) return;
    this.redrawing = true;
    queueMicrotask(() => {
      this.redrawing = false;
      if (this.model.get("open_only")) this.relist();
      else this.showDecisions();
    });
  }

  showDecisions() {
    this.state.readDecisions();
    this.namesBar.fill(this.state.countsByName(), (name) => this.colourOfName(name));
    this.namesBar.show(this.model.get("only"));
    this.progress.show(this.model.get("progress"), this.state.isBlind);
    this.showCloseUp();
    this.grid.drawSoon();
  }

  adopt(rows) {
    if (sameRows(rows, [...this.picking.picked])) return;
    this.picking.adopt(rows);
    this.grid.reveal(this.picking.at);
    this.showPlace();
  }

  /** Do something to the selection and tell the model. */
  move(change) {
    change();
    this.grid.reveal(this.picking.at);
    this.showPlace();
    const rows = [...this.picking.picked];
    if (!sameRows(rows, this.model.get("selected"))) this.set({ selected: rows });
    this.live.say(this.placeInWords());
  }

  showPlace() {
    this.grid.mark(this.picking.at, this.picking.picked);
    this.showCloseUp();
    this.listing.show(this.model, this.picking.isCollecting);
  }

  showCloseUp() {
    const { row } = this.picking;
    this.closeUp.show(row, this.state.radius[row], `${this.state.stateOf(row)} ${this.state.newNameOf(row)}`);
  }

  placeInWords() {
    const row = this.picking.row;
    if (row === undefined) return "no cell is listed";
    const name = this.state.newNameOf(row) || this.state.nameOf(row) || "cell";
    const several = this.picking.picked.size > 1 ? `; ${this.picking.picked.size} selected` : "";
    return `${name}, ${STATE_WORDS[this.state.stateOf(row)]}, ${this.picking.at + 1} of ${this.picking.rows.length}${several}`;
  }

  point(index, event) {
    this.grid.element.focus({ preventScroll: true });
    const toggles = event.ctrlKey || event.metaKey || (this.picking.isCollecting && !event.shiftKey);
    this.move(() => (toggles ? this.picking.toggle(index) : this.picking.goTo(index, { extend: event.shiftKey })));
  }

  press(event) {
    if (event.altKey || isTypedInto(event.target)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const done = event.ctrlKey || event.metaKey ? this.pressWithControl(key, event) : this.pressPlain(key, event);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  }

  pressWithControl(key, event) {
    if (key === "a") this.move(() => this.picking.pick(this.picking.rows));
    else if (key === "z") this.go(event.shiftKey ? "redo" : "undo");
    else return false;
    return true;
  }

  pressPlain(key, event) {
    const isButton = event.target.tagName === "BUTTON";
    if (MOVES.includes(key)) {
      const index = this.grid.layout.towards(this.picking.at, key, this.grid.linesInView);
      this.move(() => this.picking.goTo(index, { extend: event.shiftKey }));
    } else if (key in STEPS) this.move(() => this.picking.goTo(this.picking.at + STEPS[key], { extend: event.shiftKey }));
    else if ((key === " " && !isButton) || key === "x") this.pickHere(event.shiftKey);
    else if (key === "Escape" && this.keyList.isOpen) this.keyList.close();
    else if (key === "Escape") this.move(() => this.picking.clear());
    else if (key === "?") this.keyList.toggle();
    else return this.pressDecision(key, event);
    return true;
  }

  pickHere(isWholeSection) {
    const { at } = this.picking;
    this.move(() => (isWholeSection ? this.picking.pick(this.grid.layout.rowsBeside(at)) : this.picking.toggle(at)));
  }

  // A key that is held down decides once.
  pressDecision(key, event) {
    const choice = this.model.get("choices").find(([own]) => own === key);
    // Some keyboards need Shift for digits.
    const isShifted = event.shiftKey && !/[0-9]/.test(key);
    if (key !== "u" && (isShifted || !(choice || key === "a" || key === "r"))) return false;
    if (event.repeat) return true;
    if (key === "u") this.go(event.shiftKey ? "redo" : "undo");
    else if (key === "a") this.decide("accept");
    else if (key === "r") this.decide("reject");
    else this.decide("reclassify", choice[1]);
    return true;
  }

  /** Send a decision and go on at once, so that the next key is about the next cell. */
  async decide(action, name = "") {
    const rows = this.picking.subject;
    if (!this.canDecide || !rows.length) {
      this.live.say(this.canDecide ? "no cell that is listed here is selected" : this.whyNothingIsDecided(), 0);
      return;
    }
    if (action === "accept" && this.state.isBlind) {
      this.live.say("names are hidden: name the cell, or say that it is none", 0);
      return;
    }
    for (const row of rows) this.state.waiting.add(row);
    this.move(() => this.picking.goOn((row) => this.state.isOpen(row)));
    await this.request("decide", { action, rows, name }, () => rows.forEach((row) => this.state.waiting.delete(row)));
  }

  whyNothingIsDecided() {
    return this.isGreeted ? "nothing can be decided here" : WAITING_FOR_PYTHON;
  }

  async go(way) {
    if (!this.canDecide) return;
    const answer = await this.request(way, {});
    if (!answer?.rows?.length || this.picking.placeOf(answer.rows[0]) === undefined) return;
    this.move(() => this.picking.adopt(answer.rows));
    this.live.say(answer.said, 0);
  }

  async request(kind, fields, atEnd = () => {}) {
    try {
      const { content } = await ask(this.model, kind, fields, () => this.live.say(WAITING_FOR_PYTHON, 0));
      this.live.say(content.said, 0);
      return content;
    } catch (error) {
      this.root.classList.add("has-failed");
      this.live.say(`Not kept: ${error.message}`, 0);
      return null;
    } finally {
      atEnd();
      this.grid.drawSoon();
    }
  }

  async save(format) {
    try {
      this.live.say("making the file", 0);
      const { content, buffers } = await ask(this.model, "export", { format }, () => this.live.say(WAITING_FOR_PYTHON, 0));
      const address = URL.createObjectURL(new Blob([bytesOf(buffers[0])]));
      make("a", { href: address, download: content.name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
      this.live.say(content.said, 0);
    } catch (error) {
      this.live.say(error.message, 0);
    }
  }

  close() {
    this.isClosed = true;
    for (const [event, heard] of this.listeners) this.model.off(event, heard);
    for (const part of [this.grid, this.crops, this.closeUp]) part.close();
    this.live.stop();
    endAsking(this.model);
    this.root.remove();
  }
}

function sameRows(one, other) {
  return one.length === other.length && one.every((row, index) => row === other[index]);
}

function isTypedInto(element) {
  return element.tagName === "SELECT" || element.tagName === "INPUT";
}

function render({ model, el }) {
  const gallery = new Gallery(model, el);
  return () => gallery.close();
}

export default { render };
