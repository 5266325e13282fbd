// Measuring a length between two points of a field.

import { significantText } from "./numbers.js";

const TICK_PX = 7;
const FONT = "600 13px system-ui, sans-serif";

/** Return a length in words: "7.42 µm (81 px)", or pixels alone where no scale is known. */
export function lengthText(lengthPx, umPerPx) {
  const pixels = `${significantText(lengthPx, lengthPx < 10 ? 2 : 3)} px`;
  return umPerPx ? `${significantText(lengthPx * umPerPx)} µm (${pixels})` : pixels;
}

/** A line between two points of the plane; the second follows the pointer until it is set. */
export class Ruler {
  constructor() {
    this.isOn = false;
    this.clear();
  }

  clear() {
    this.start = null;
    this.end = null;
    this.isSet = false;
  }

  turn(isOn) {
    this.isOn = isOn;
    this.clear();
  }

  /** Set the first point, then the second; a third begins anew. Returns whether a length is complete now. */
  put(point) {
    if (!this.start || this.isSet) {
      this.start = point;
      this.end = point;
      this.isSet = false;
      return false;
    }
    this.end = point;
    this.isSet = true;
    return true;
  }

  /** Let the second point follow. */
  follow(point) {
    if (this.start && !this.isSet) this.end = point;
  }

  get length() {
    return this.start ? Math.hypot(this.end.x - this.start.x, this.end.y - this.start.y) : 0;
  }

  draw({ context, camera }, umPerPx) {
    if (!this.isOn || !this.start) return;
    const [x0, y0] = [camera.toScreenX(this.start.x), camera.toScreenY(this.start.y)];
    const [x1, y1] = [camera.toScreenX(this.end.x), camera.toScreenY(this.end.y)];
    const length = Math.hypot(x1 - x0, y1 - y0) || 1;
    const [across, down] = [(-(y1 - y0) / length) * TICK_PX, ((x1 - x0) / length) * TICK_PX];
    const path = new Path2D();
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
    for (const [x, y] of [[x0, y0], [x1, y1]]) {
      path.moveTo(x - across, y - down);
      path.lineTo(x + across, y + down);
    }
    context.save();
    for (const [colour, width] of [["#000000", 4.5], ["#ffffff", 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: width });
      context.stroke(path);
    }
    context.restore();
    if (this.length > 0) drawLabel(context, lengthText(this.length, umPerPx), (x0 + x1) / 2, (y0 + y1) / 2, camera);
  }
}

/** Write a text on a dark ground, wholly within the canvas. */
function drawLabel(context, text, x, y, { width, height }) {
  context.save();
  context.font = FONT;
  const wide = context.measureText(text).width + 16;
  const left = Math.min(Math.max(x - wide / 2, 4), width - wide - 4);
  const top = Math.min(Math.max(y + 12, 4), height - 28);
  context.fillStyle = "rgb(0 0 0 / 0.78)";
  context.beginPath();
  context.roundRect(left, top, wide, 24, 5);
  context.fill();
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.fillText(text, left + 8, top + 12.5);
  context.restore();
}
