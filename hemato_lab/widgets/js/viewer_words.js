// What a viewer shows and says in words and numbers besides its picture.

import { REJECTED, countsOf } from "./cells.js";
import { lengthText } from "./measuring.js";
import { countText, percentText, shareText, wholeText } from "./numbers.js";

/** Keeps counts, legend, status line and labels of a view up to date. */
export class ViewerWords {
  constructor(view) {
    this.view = view;
    this.counted = null;
    this.shown = [];
  }

  /** Count again: cells or what is shown of them changed. */
  recount() {
    this.counted = null;
  }

  /** Follow the camera. */
  update() {
    const { picture, bar, table } = this.view;
    const field = picture.currentField();
    bar.setField(field);
    if (this.counted !== field && table) this.count(field);
    this.showLegend();
    this.tell();
  }

  showLegend() {
    const { picture, counted, legend } = this.view;
    const { camera, heat } = picture;
    legend.show(counted?.what, heat);
    const at = picture.fieldPoint(camera.width / 2, camera.height / 2);
    const { width, height } = picture.world.fields[at.field] ?? { width: 0, height: 0 };
    const isInside = at.x >= -0.5 && at.y >= -0.5 && at.x < width - 0.5 && at.y < height - 0.5;
    legend.showHere(heat.choice && isInside ? heat.at(at.field, at.x, at.y) : null);
  }

  count(field) {
    const { picture, model, panel, table } = this.view;
    const { standing } = picture;
    this.counted = field;
    const isMany = model.get("fields").length > 1;
    const all = countsOf(table, standing);
    const there = new Uint8Array(table.names.length);
    this.shown = model.get("fields").map(() => 0);
    let rejected = 0;
    for (let row = 0; row < table.length; row += 1) {
      there[standing.name[row]] = 1;
      if (standing.shown[row]) this.shown[table.field[row]] += 1;
      if (standing.state[row] === REJECTED) rejected += 1;
    }
    panel.findings.setCounts(isMany ? countsOf(table, standing, field) : all, isMany ? all : null, there);
    panel.counted.textContent = rejected ? `${countText(rejected, "rejected cell")} not counted` : "";
  }

  /** Say, for people who cannot see the picture too, what is in view. */
  tell() {
    const { picture, status } = this.view;
    const { length } = picture.world.fields;
    const seen = picture.world.seenBy(picture.camera);
    const parts = length > 1 ? [`field ${picture.currentField() + 1} of ${length}`] : [];
    if (seen.length > 1) parts[0] = `${seen.length} of ${length} fields in view`;
    const shown = seen.reduce((sum, field) => sum + (this.shown[field] ?? 0), 0);
    parts.push(`zoom ${percentText(picture.camera.zoom)}`, `${countText(shown, "cell")} shown`);
    const { chosen } = picture;
    if (chosen.length === 1) parts.push(`selected: ${this.nameOf(chosen[0])}`);
    if (chosen.length > 1) parts.push(`${wholeText(chosen.length)} selected`);
    if (picture.ruler.isOn) parts.push(this.measured());
    parts.push(...[picture.tiles.problem, ...picture.problems].filter(Boolean));
    status.say(parts.join(" · "));
    this.label();
  }

  label() {
    const { picture, table } = this.view;
    const { fields } = picture.world;
    const field = picture.currentField();
    const { width, height } = fields[field] ?? { width: 0, height: 0 };
    const size = `${wholeText(width)} by ${wholeText(height)} pixels`;
    const cells = `${countText(table?.length ?? 0, "cell")} in all`;
    const bar = `scale bar ${picture.scaleBar.said}`;
    const label = `Smear, field ${field + 1} of ${fields.length}, ${size}, ${cells}, ${bar}`;
    if (picture.canvas.getAttribute("aria-label") !== label) picture.canvas.setAttribute("aria-label", label);
  }

  measured() {
    const { ruler, umPerPx } = this.view.picture;
    if (!ruler.start) return "measuring: choose the first point";
    return ruler.isSet ? `length ${lengthText(ruler.length, umPerPx)}` : "measuring: choose the second point";
  }

  nameOf(row) {
    const { table, picture } = this.view;
    const score = Number.isFinite(table.score[row]) ? `, score ${shareText(table.score[row])}` : "";
    return `${table.names[picture.standing.name[row]]}${score}`;
  }
}
