// Two readings of one smear on pictures that move together: joins the traits of the model with pictures and controls.

import { ComparedPlaces, MATCHED, STATE_COLOURS } from "./compared_cells.js";
import { ComparisonToolbar, DifferenceList, NameLegend, StateSwitches, differenceText, makeComparisonKeys, makeFigureTables, stateTexts } from "./comparison_controls.js";
import { ComparisonStage } from "./comparison_stage.js";
import { make, makeLiveLine, makeNotice } from "./controls.js";
import { shownName } from "./names.js";
import { percentText } from "./numbers.js";
import { ask, askHello, endAsking } from "./transport.js";
import { followKeys } from "./view.js";

const COMPARISON_STEP_PX = 80;
const COMPARISON_ZOOM_STEP = 1.4;
const SAVE_VIEWPORT_AFTER_MS = 250;
const NOTHING_SAID = { labels: ["first", "second"], field_names: [], remarks: [], title: "" };
const COMPARISON_DATA = ["first", "second", "places", "names", "colours", "fields"];
const COMPARISON_CHOICES = ["arrangement", "coloured_by", "hidden_states", "hidden", "minimum_score"];

class ComparisonView {
  constructor(model, el) {
    this.model = model;
    this.hello = NOTHING_SAID;
    this.version = 0;
    this.stops = [];
    this.stage = new ComparisonStage(model, {
      moved: () => this.moved(),
      choose: (place, isMore) => this.choose(place, isMore),
      hover: (place) => this.showCard(place < 0 ? this.lastChosen() : place),
    });
    this.makeElements(el);
    this.setData();
    this.followViewport();
    this.listen();
    this.greet();
  }

  makeElements(el) {
    this.title = make("h2", { kind: "title" });
    this.remarks = make("ul", { kind: "remarks", hidden: true });
    this.switches = new StateSwitches((state) => this.toggleState(state));
    this.keys = makeComparisonKeys();
    this.legend = new NameLegend();
    this.toolbar = new ComparisonToolbar(this.model.get("fields").length, this.toolbarActions());
    this.list = new DifferenceList({
      previous: () => this.step(-1),
      next: () => this.step(1),
      choose: (place) => this.goTo(place),
    });
    this.card = make("p", { kind: "place-card" });
    this.status = makeLiveLine();
    this.figures = make("details", { kind: "figures-box" }, make("summary", { text: "Tables of agreement" }));
    this.notice = makeNotice();
    const body = make("div", { kind: "comparison-body" }, this.stage.element, this.list.element);
    const label = { "aria-label": "Comparison of two readings of a smear" };
    const options = { kind: "hemato-lab comparison", ...label, "data-lm-suppress-shortcuts": "true" };
    this.root = make("section", options, this.title, this.remarks, this.switches.element, this.toolbar.element);
    this.root.append(this.keys, this.legend.element, body, this.card, this.status.element, this.figures, this.notice);
    el.append(this.root);
  }

  toolbarActions() {
    const set = (name) => (value) => this.set({ [name]: value });
    return {
      arrange: set("arrangement"),
      colour: set("coloured_by"),
      threshold: set("minimum_score"),
      turnTo: (image) => this.turnTo(image),
      showName: (name) => this.set({ hidden: name ? this.places.names.filter((one) => one !== name) : [] }),
      zoomIn: () => this.stage.zoom(COMPARISON_ZOOM_STEP),
      zoomOut: () => this.stage.zoom(1 / COMPARISON_ZOOM_STEP),
      fit: () => this.stage.fit(),
      help: () => this.toggleKeys(),
    };
  }

  listen() {
    const on = (names, act) => {
      for (const name of names) this.model.on(`change:${name}`, act);
      this.stops.push(() => names.forEach((name) => this.model.off(`change:${name}`, act)));
    };
    on(COMPARISON_DATA, () => this.setData());
    on(COMPARISON_CHOICES, () => this.arrange());
    on(["selected"], () => this.showChosen());
    on(["viewport"], () => this.followViewport());
    this.stops.push(followKeys(this.root, this.keyActions()));
    this.figures.addEventListener("toggle", () => this.fetchTables());
  }

  keyActions() {
    const pan = (across, down) => this.stage.moveBy(() => this.stage.camera.panBy(across, down));
    const other = (name, [one, two]) => this.set({ [name]: this.model.get(name) === one ? two : one });
    return {
      ArrowLeft: () => pan(-COMPARISON_STEP_PX, 0),
      ArrowRight: () => pan(COMPARISON_STEP_PX, 0),
      ArrowUp: () => pan(0, -COMPARISON_STEP_PX),
      ArrowDown: () => pan(0, COMPARISON_STEP_PX),
      "+": () => this.stage.zoom(COMPARISON_ZOOM_STEP),
      "=": () => this.stage.zoom(COMPARISON_ZOOM_STEP),
      "-": () => this.stage.zoom(1 / COMPARISON_ZOOM_STEP),
      0: () => this.stage.fit(),
      n: () => this.step(1),
      p: () => this.step(-1),
      "[": () => this.turnTo(this.stage.world.page - 1),
      "]": () => this.turnTo(this.stage.world.page + 1),
      t: () => other("arrangement", ["side by side", "together"]),
      c: () => other("coloured_by", ["agreement", "name"]),
      "?": () => this.toggleKeys(),
      Escape: () => this.escape(),
    };
  }

  async greet() {
    const hello = await askHello(this.model, (text) => this.status.say(text), () => this.isOver);
    if (!hello) return;
    this.hello = { ...NOTHING_SAID, ...hello };
    this.title.textContent = shownName(this.hello.title);
    this.remarks.replaceChildren(...this.hello.remarks.map((text) => make("li", { text })));
    this.remarks.hidden = !this.hello.remarks.length;
    this.arrange();
  }

  set(values) {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
  }

  setData() {
    this.places = new ComparedPlaces(this.model);
    this.stage.setData(this.places, this.model.get("fields"), this.model.get("um_per_px"));
    this.arrange();
    this.showChosen();
  }

  /** Bring pictures and controls in line with what is to be shown. */
  arrange() {
    const [arrangement, colouredBy] = [this.model.get("arrangement"), this.model.get("coloured_by")];
    const hiddenStates = this.model.get("hidden_states");
    this.stage.arrange(arrangement, this.hello.labels, this.imageName(this.stage.world.page));
    this.setLook(colouredBy === "name", arrangement === "together", hiddenStates);
    this.switches.set(stateTexts(this.hello.labels), this.places.countStates(), hiddenStates);
    this.setToolbar(arrangement, colouredBy);
    this.legend.set(this.places.names, this.model.get("colours"), colouredBy === "name");
    this.fillList();
  }

  setLook(byName, isTogether, hiddenStates) {
    const choice = { hiddenStates, hidden: this.model.get("hidden"), minimumScore: this.model.get("minimum_score") };
    this.shown = this.places.shownPlaces(choice);
    this.version += 1;
    const standings = [0, 1].map((side) => this.places.standing(side, this.shown, { byName, isTogether }));
    this.stage.setLook(standings, { colours: this.places.colours, version: this.version });
  }

  setToolbar(arrangement, colouredBy) {
    const { world } = this.stage;
    const hidden = this.model.get("hidden");
    const left = this.places.names.filter((name) => !hidden.includes(name));
    this.toolbar.set({
      arrangement,
      colouredBy,
      minimumScore: this.model.get("minimum_score"),
      image: world.page,
      imageNames: world.fields.map((_, at) => this.imageName(at)),
      names: this.places.names,
      name: hidden.length && left.length === 1 ? left[0] : "",
    });
  }

  toggleState(state) {
    const hidden = this.model.get("hidden_states");
    this.set({ hidden_states: hidden.includes(state) ? hidden.filter((one) => one !== state) : [...hidden, state] });
  }

  toggleKeys() {
    this.keys.hidden = !this.keys.hidden;
  }

  escape() {
    if (!this.keys.hidden) this.toggleKeys();
    else if (this.model.get("selected").length) this.set({ selected: [] });
    else return false;
    return true;
  }

  imageName(image) {
    const name = this.hello.field_names[image];
    return name === undefined ? `image ${image + 1}` : shownName(name);
  }

  lastChosen() {
    return this.model.get("selected").at(-1) ?? -1;
  }

  choose(place, isMore) {
    const chosen = this.model.get("selected");
    if (place < 0) this.set({ selected: isMore ? chosen : [] });
    else if (!isMore) this.set({ selected: [place] });
    else this.set({ selected: chosen.includes(place) ? chosen.filter((one) => one !== place) : [...chosen, place] });
  }

  async showCard(place) {
    this.cardOf = place;
    this.card.textContent = place < 0 ? "Point at a cell to read what either side says of it." : this.card.textContent;
    if (place < 0) return;
    try {
      const { content } = await ask(this.model, "card", { row: place });
      if (this.cardOf === place) this.card.textContent = content.lines.map((line) => line.join(": ")).join(" · ");
    } catch (error) {
      if (this.cardOf === place) this.card.textContent = error.message;
    }
  }

  /** List the places that differ and are shown, image by image. */
  fillList() {
    const texts = stateTexts(this.hello.labels);
    const manyImages = this.stage.world.fields.length > 1;
    this.differing = [];
    for (let place = 0; place < this.places.length; place += 1) {
      if (this.shown[place] && this.places.state[place] !== MATCHED) this.differing.push(place);
    }
    const describe = (place) => ({
      colour: STATE_COLOURS[this.places.state[place]],
      text: differenceText(this.places.state[place], this.places.namesAt(place), texts),
      image: manyImages ? this.imageName(this.places.image[place]) : "",
    });
    this.list.fill(this.differing, describe, this.lastChosen());
  }

  showChosen() {
    this.stage.chosen = this.model.get("selected").filter((place) => place < this.places.length);
    this.list.choose(this.lastChosen());
    this.showCard(this.lastChosen());
    this.stage.redraw();
  }

  step(by) {
    const count = this.differing.length;
    if (!count) return;
    const at = this.differing.indexOf(this.lastChosen());
    const start = by > 0 ? 0 : count - 1;
    this.goTo(this.differing[at < 0 ? start : (at + by + count) % count]);
  }

  goTo(place) {
    const before = this.stage.world.page;
    this.stage.goToPlace(place);
    this.set({ selected: [place] });
    if (this.stage.world.page !== before) this.arrange();
  }

  turnTo(image) {
    this.stage.turnTo(image);
    this.arrange();
  }

  /** The reader moved the pictures: other views of the model and Python learn of it a little later. */
  moved() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      const { world, camera } = this.stage;
      if (camera.width <= 1) return;
      this.viewport = this.stage.viewport();
      this.set({ viewport: this.viewport });
      const image = `image ${world.page + 1} of ${world.fields.length}, ${this.imageName(world.page)}`;
      this.status.say(`${image} · zoom ${percentText(camera.zoom)}`);
    }, SAVE_VIEWPORT_AFTER_MS);
  }

  followViewport() {
    const wanted = this.model.get("viewport");
    if (String(wanted) === String(this.viewport)) return;
    this.viewport = wanted;
    this.stage.show(wanted);
    this.arrange();
  }

  async fetchTables() {
    if (!this.figures.open || this.hasTables) return;
    this.hasTables = true;
    try {
      const { content } = await ask(this.model, "table");
      this.figures.append(...makeFigureTables(content.tables));
    } catch (error) {
      this.hasTables = false;
      this.figures.append(make("p", { kind: "note", text: error.message }));
    }
  }

  end() {
    this.isOver = true;
    clearTimeout(this.saving);
    for (const stop of this.stops) stop();
    this.stage.end();
    this.status.stop();
    endAsking(this.model);
    this.root.remove();
  }
}

function render({ model, el }) {
  const view = new ComparisonView(model, el);
  return () => view.end();
}

export default { render };
