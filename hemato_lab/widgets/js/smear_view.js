// A view of a smear: joins the traits of its model with the picture and the controls.

import { CellTable, REJECTED } from "./cells.js";
import { make, makeLiveLine, makeNotice } from "./controls.js";
import { countedCells } from "./heat_counting.js";
import { HeatLegend } from "./heat_legend.js";
import { HoverCard } from "./hover_card.js";
import { KeyList } from "./key_list.js";
import { onScreen } from "./marks.js";
import { SidePanel } from "./side_panel.js";
import { SmearCanvas } from "./smear_canvas.js";
import { askHello, endAsking } from "./transport.js";
import { followKeys } from "./view.js";
import { ViewerActions } from "./viewer_actions.js";
import { ViewerBar } from "./viewer_bar.js";
import { ViewerWords } from "./viewer_words.js";

const NARROW_PX = 680;
const SAVE_AFTER_MS = 250;
const SLOW_MAP_MS = 30;
const CELL_TRAITS = ["cells", "names", "colours", "lineages", "classes"];
const LOOK_TRAITS = ["hidden", "minimum_score", "marks", "decided", "decided_names"];
const HEAT_TRAITS = ["density", "density_of", "bandwidth_um"];
const FIELD_TRAITS = ["fields", "arrangement", "um_per_px"];

/** One view of a viewer's model in an element. */
export class SmearView {
  constructor(model, el) {
    this.model = model;
    this.hello = { title: "", field_names: [] };
    this.version = 0;
    this.ownViewport = null;
    this.ownSelection = null;
    this.actions = new ViewerActions(this);
    this.words = new ViewerWords(this);
    this.makeParts();
    el.append(this.assemble());
    this.stops = [followKeys(this.root, this.actions.keys()), this.listen(), this.watchWidth()];
    this.setFields();
    this.setCells();
    this.setViewport();
    this.greet();
  }

  makeParts() {
    const { actions } = this;
    this.picture = new SmearCanvas(this.model, {
      tap: (row, event) => this.tap(row, event),
      box: (rows) => this.select([...new Set([...this.model.get("selected"), ...rows])]),
      hover: (row) => (row >= 0 ? this.showCard(row) : this.card.hide()),
      moved: () => this.moved(),
      drawn: () => this.words.update(),
      measured: () => this.words.tell(),
    });
    this.card = new HoverCard(this.model);
    this.legend = new HeatLegend();
    this.keyList = new KeyList(() => this.picture.canvas.focus());
    this.panel = new SidePanel({ set: (name, value) => this.set({ [name]: value }) });
    this.status = makeLiveLine();
    this.notice = makeNotice();
    this.bar = new ViewerBar({
      turn: (step) => actions.turn(step),
      field: (index) => actions.turnTo(index),
      arrange: (value) => this.set({ arrangement: value }),
      zoom: (factor) => actions.zoom(factor),
      fit: () => actions.fit(),
      natural: () => actions.natural(),
      measure: () => actions.turnMeasuring(!this.picture.ruler.isOn),
      findings: () => actions.turnFindings(!actions.isPanelOpen),
      large: () => actions.fillScreen(),
      keys: () => this.keyList.toggle(),
    });
  }

  assemble() {
    const stage = this.picture.element;
    stage.append(this.card.element, this.legend.element, this.keyList.element);
    this.remarks = make("ul", { kind: "remarks", hidden: true });
    const body = make("div", { kind: "viewer-body" }, stage, this.panel.element);
    const foot = make("div", { kind: "viewer-foot" }, this.status.element, this.notice);
    // JupyterLab leaves the keys of such an element alone.
    const options = { "data-lm-suppress-shortcuts": "true", "aria-label": "Viewer of a smear" };
    const kind = "hemato-lab smear-viewer";
    this.root = make("section", { kind, ...options }, this.bar.element, this.remarks, body, foot);
    return this.root;
  }

  /** Set traits and tell everybody. */
  set(values) {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
  }

  listen() {
    const groups = [
      [CELL_TRAITS, () => this.setCells()],
      [LOOK_TRAITS, () => this.setLook()],
      [HEAT_TRAITS, () => this.setHeat()],
      [FIELD_TRAITS, () => this.rearrange()],
      [["selected"], () => this.setSelected()],
      [["viewport"], () => this.setViewport()],
    ];
    const bound = groups.flatMap(([names, act]) => names.map((name) => [`change:${name}`, act]));
    for (const [event, act] of bound) this.model.on(event, act);
    return () => bound.forEach(([event, act]) => this.model.off(event, act));
  }

  watchWidth() {
    let isNarrow = null;
    const observer = new ResizeObserver(([{ contentRect }]) => {
      const narrow = contentRect.width < NARROW_PX;
      if (narrow === isNarrow || contentRect.width === 0) return;
      isNarrow = narrow;
      this.root.classList.toggle("narrow", narrow);
      this.actions.turnFindings(!narrow);
    });
    observer.observe(this.root);
    return () => observer.disconnect();
  }

  async greet() {
    const hello = await askHello(this.model, (text) => this.status.say(text), () => this.isOver);
    if (!hello) return;
    this.hello = hello;
    const remarks = this.hello.remarks ?? [];
    this.remarks.hidden = !remarks.length;
    this.remarks.replaceChildren(...remarks.map((text) => make("li", { text })));
    this.bar.setFields(this.hello.title, this.hello.field_names);
    this.words.update();
  }

  setFields() {
    const fields = this.model.get("fields");
    this.picture.setFields(fields, this.model.get("arrangement"), this.model.get("um_per_px"));
    this.bar.setFields(this.hello.title, fields.map((_, at) => this.hello.field_names[at] ?? ""));
    this.bar.arrangement.set(this.model.get("arrangement"));
  }

  /** Lay the fields out anew; the one in view is the page then. */
  rearrange() {
    this.picture.world.turnTo(this.picture.currentField());
    this.setFields();
    this.setLook();
    this.moved();
  }

  setCells() {
    const names = this.model.get("names");
    this.table = new CellTable(this.model.get("cells"), names, this.model.get("colours"));
    this.actions.order = null;
    this.panel.findings.list(names, this.model.get("colours"), this.model.get("lineages") ?? []);
    this.card.forget();
    this.setLook();
    this.setSelected();
  }

  /** Apply what decides which cells are drawn and how. */
  setLook() {
    const { model } = this;
    this.version += 1;
    const choice = {
      hidden: model.get("hidden"),
      minimumScore: model.get("minimum_score"),
      decided: model.get("decided"),
      decidedNames: model.get("decided_names"),
    };
    const look = { marks: model.get("marks"), colours: model.get("colours"), version: String(this.version) };
    this.picture.setCells(this.table, choice, look);
    this.words.recount();
    this.setHeat();
  }

  setHeat() {
    this.counted = countedCells(this.table, this.model);
    this.panel.show(this.model, this.counted);
    const { heat } = this.picture;
    const apply = () => {
      heat.choose(this.heatChoice());
      this.picture.redraw();
    };
    // While the map of a large field follows a slider it may come a little late, but nothing waits for it.
    clearTimeout(this.heatWaiting);
    if (heat.spentMs > SLOW_MAP_MS) this.heatWaiting = setTimeout(apply, 2 * heat.spentMs);
    else apply();
  }

  heatChoice() {
    const [method, umPerPx] = [this.model.get("density"), this.model.get("um_per_px")];
    if (method === "none" || !umPerPx || this.counted.why) return null;
    const cellsOf = (field) => this.cellsCounted(field);
    return { method, umPerPx, bandwidthUm: this.model.get("bandwidth_um"), cellsOf };
  }

  /** Return the places of the cells of a field that the heat map counts: as counted in the list, shown or not. */
  cellsCounted(field) {
    const { table } = this;
    const { standing } = this.picture;
    const { wanted } = this.counted;
    const [x, y] = [[], []];
    for (let row = 0; row < table.length; row += 1) {
      if (table.field[row] !== field || !standing.passing[row] || standing.state[row] === REJECTED) continue;
      if (!wanted[standing.name[row]]) continue;
      x.push(table.x[row]);
      y.push(table.y[row]);
    }
    return { x, y };
  }

  setSelected() {
    const selected = this.model.get("selected").filter((row) => row < this.table.length);
    this.picture.chosen = selected;
    const isOwn = selected.join() === this.ownSelection;
    if (!isOwn && selected.length && !selected.some((row) => this.picture.sees(row))) {
      this.picture.goToCell(selected[0]);
      this.moved();
    }
    this.picture.redraw();
  }

  select(rows) {
    this.ownSelection = rows.join();
    this.set({ selected: rows });
  }

  setViewport() {
    const viewport = this.model.get("viewport");
    if (viewport.join() === this.ownViewport) return;
    this.ownViewport = viewport.join();
    if (viewport.length === 4) this.picture.goTo(...viewport);
    else this.picture.fit();
  }

  /** The reader moved the picture: other views of the model and Python learn of it a little later. */
  moved() {
    this.card.hide();
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      const viewport = this.picture.viewport();
      this.ownViewport = viewport.join();
      this.set({ viewport });
    }, SAVE_AFTER_MS);
  }

  tap(row, event) {
    const selected = this.model.get("selected");
    const adds = event.shiftKey || event.ctrlKey || event.metaKey;
    if (row < 0) {
      if (!adds && selected.length) this.select([]);
      this.card.hide();
      return;
    }
    if (adds) this.select(selected.includes(row) ? selected.filter((one) => one !== row) : [...selected, row]);
    else this.select([row]);
    this.showCard(row);
  }

  showCard(row) {
    const { table, picture } = this;
    const { name, state } = picture.standing;
    const cell = {
      row,
      name: table.names[name[row]],
      detected: table.names[table.name[row]],
      colour: table.colours[name[row]],
      score: table.score[row],
      state: state[row],
    };
    this.card.show(cell, () => onScreen(picture, table, row), picture.camera);
  }

  end() {
    this.isOver = true;
    clearTimeout(this.saving);
    clearTimeout(this.heatWaiting);
    this.card.hide();
    this.status.stop();
    for (const stop of this.stops) stop();
    this.picture.end();
    endAsking(this.model);
    this.root.remove();
  }
}
