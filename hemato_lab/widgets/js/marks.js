// Circles and outlines of cells on a canvas.

import { inkOn } from "./colours.js";
import { ACCEPTED, OPEN, RECLASSIFIED, REJECTED } from "./cells.js";
import { CROSSED, DOTTED, LARGEST_STAMP_PX, PLAIN, RingLayer } from "./rings.js";

const LINE_PX = 1.8;
const MOST_OUTLINES = 1500;
const RIM_PX = 0.9;
const BADGE_PX = 7;
const LOOKS = { [OPEN]: PLAIN, [ACCEPTED]: DOTTED, [REJECTED]: CROSSED, [RECLASSIFIED]: DOTTED };

/** Draws the marks of one canvas; keeps the rings as long as neither camera nor cells change. */
export class MarkPainter {
  constructor() {
    this.rings = new RingLayer();
    this.drawn = "";
    this.large = [];
  }

  /**
   * Draw the shown cells of the fields that a camera sees.
   *
   * @param {object} pane has `context` (CSS pixels), `ratio`, `camera` and `world`.
   * @param {CellTable} table of the cells.
   * @param {object} standing of `standingOf`.
   * @param {object} look `marks` ("circle", "outline", "none"), `colours` by name index, `version`: a text that changes
   *   whenever table, standing or colours do.
   */
  draw(pane, table, standing, look) {
    if (look.marks === "none") return;
    const { context, ratio, camera } = pane;
    const key = [camera.x, camera.y, camera.zoom, camera.width, camera.height, ratio, look.marks, look.version].join();
    if (key !== this.drawn) this.fill(pane, table, standing, look);
    this.drawn = key;
    context.save();
    context.scale(1 / ratio, 1 / ratio);
    this.rings.end(context);
    context.restore();
    for (const [name, rows] of this.large.entries()) {
      if (rows?.length) drawLarge(pane, table, standing, look, look.colours[name], rows);
    }
  }

  fill(pane, table, standing, look) {
    const { camera, ratio } = pane;
    const [width, height] = [Math.ceil(camera.width * ratio), Math.ceil(camera.height * ratio)];
    this.rings.begin(width, height, LINE_PX * ratio, RIM_PX * ratio, look.colours);
    const seen = rowsSeen(pane, table, standing);
    const count = seen.reduce((sum, rows) => sum + rows.length, 0);
    // Ellipses are drawn one by one; so many that they are small on the screen would look like circles anyway.
    const asRings = look.marks !== "outline" || count > MOST_OUTLINES;
    const limit = asRings ? LARGEST_STAMP_PX / (camera.zoom * ratio) : 0;
    // Rare names lie on common ones.
    const order = [...seen.keys()].sort((one, other) => seen[other].length - seen[one].length);
    this.large = [];
    for (const name of order) {
      putRings(this.rings, pane, table, standing, seen[name], limit);
      this.large[name] = seen[name].filter((row) => table.radius[row] > limit);
    }
  }
}

/** Put the rings of rows whose radius is at most `limit`. */
function putRings(rings, { camera, ratio, world }, table, standing, rows, limit) {
  const sharp = camera.zoom * ratio;
  const left = camera.toScreenX(0.5) * ratio;
  const top = camera.toScreenY(0.5) * ratio;
  const { x, y, radius, field } = table;
  const { name, state } = standing;
  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at];
    if (radius[row] > limit) continue;
    const place = world.places[field[row]];
    const across = left + (x[row] + place.x) * sharp;
    const down = top + (y[row] + place.y) * sharp;
    rings.put(across, down, radius[row] * sharp, name[row], LOOKS[state[row]] ?? PLAIN);
  }
}

/** Return, by name, the rows of the shown cells that a camera sees. */
function rowsSeen({ camera, world }, table, standing) {
  const buffers = bufferOfRows(table, standing);
  const counts = new Int32Array(table.names.length);
  const seen = camera.seen();
  const margin = table.places.largestRadius + 4 / camera.zoom;
  for (const field of world.seenBy(camera)) {
    const place = world.places[field];
    const box = {
      x0: seen.x0 - place.x - margin,
      y0: seen.y0 - place.y - margin,
      x1: seen.x1 - place.x + margin,
      y1: seen.y1 - place.y + margin,
    };
    table.visit(field, box, (row) => {
      if (!standing.shown[row]) return;
      const name = standing.name[row];
      buffers[name][counts[name]] = row;
      counts[name] += 1;
    });
  }
  return buffers.map((rows, name) => rows.subarray(0, counts[name]));
}

/** Return, by name, room for the rows of all its cells. */
function bufferOfRows(table, standing) {
  const counts = new Int32Array(table.names.length);
  for (let row = 0; row < table.length; row += 1) counts[standing.name[row]] += 1;
  return Array.from(counts, (count) => new Int32Array(count));
}

function drawLarge(pane, table, standing, look, colour, rows) {
  const { context } = pane;
  const shapes = new Path2D();
  for (const row of rows) {
    addShape(shapes, pane, table, row, look.marks === "outline");
    if (standing.state[row] === REJECTED) addCross(shapes, onScreen(pane, table, row));
  }
  context.save();
  context.lineCap = "round";
  context.strokeStyle = inkOn(colour) === "#000000" ? "rgb(26 26 26 / 0.5)" : "rgb(255 255 255 / 0.5)";
  context.lineWidth = LINE_PX + 2 * RIM_PX;
  context.stroke(shapes);
  context.strokeStyle = colour;
  context.lineWidth = LINE_PX;
  context.stroke(shapes);
  for (const row of rows) {
    const seen = standing.state[row] === ACCEPTED || standing.state[row] === RECLASSIFIED;
    if (seen) drawBadge(context, onScreen(pane, table, row), colour);
  }
  context.restore();
}

function addCross(path, { x, y, radius }) {
  const arm = radius * Math.SQRT1_2;
  path.moveTo(x - arm, y - arm);
  path.lineTo(x + arm, y + arm);
  path.moveTo(x + arm, y - arm);
  path.lineTo(x - arm, y + arm);
}

/** Draw a tick at the rim of a cell that was looked at. */
function drawBadge(context, { x, y, radius }, colour) {
  const [middle, low] = [x + radius * Math.SQRT1_2, y + radius * Math.SQRT1_2];
  context.beginPath();
  context.arc(middle, low, BADGE_PX, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = inkOn(colour);
  context.lineWidth = 1;
  context.stroke();
  context.beginPath();
  context.moveTo(middle - 3, low);
  context.lineTo(middle - 0.8, low + 2.6);
  context.lineTo(middle + 3.2, low - 2.8);
  context.lineWidth = 2;
  context.stroke();
}

/** Return where a cell is on the screen: middle and radius. */
export function onScreen({ camera, world }, table, row) {
  const place = world.toPlane(table.field[row], table.x[row], table.y[row]);
  return {
    x: camera.toScreenX(place.x),
    y: camera.toScreenY(place.y),
    radius: Math.max(table.radius[row] * camera.zoom, 1),
  };
}

function addShape(path, pane, table, row, asOutline) {
  const { x, y, radius } = onScreen(pane, table, row);
  const { zoom } = pane.camera;
  const [major, minor] = [(table.major[row] / 2) * zoom, (table.minor[row] / 2) * zoom];
  if (asOutline && major > 0 && minor > 0) {
    const angle = table.angle[row] || 0;
    path.moveTo(x + major * Math.cos(angle), y + major * Math.sin(angle));
    path.ellipse(x, y, major, minor, angle, 0, 2 * Math.PI);
    return;
  }
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, 2 * Math.PI);
}

/** Draw rings around chosen cells that stand out on any picture. */
export function drawChosen(pane, table, rows) {
  drawAround(pane, table, rows, 4, [["#000000", 5.4], ["#ffffff", 4], ["#0b5cad", 2]]);
}

/** Draw a ring around the cell under the pointer. */
export function drawHovered(pane, table, row) {
  drawAround(pane, table, [row], 3, [["rgb(0 0 0 / 0.6)", 4], ["#ffffff", 2]]);
}

function drawAround(pane, table, rows, apart, strokes) {
  const { context } = pane;
  const path = new Path2D();
  for (const row of rows) {
    const { x, y, radius } = onScreen(pane, table, row);
    path.moveTo(x + radius + apart, y);
    path.arc(x, y, radius + apart, 0, 2 * Math.PI);
  }
  context.save();
  for (const [colour, width] of strokes) {
    Object.assign(context, { strokeStyle: colour, lineWidth: width });
    context.stroke(path);
  }
  context.restore();
}
