// The camera over a plane, and the pointers and keys that move it. Screen lengths are CSS pixels.

import { clamp } from "./numbers.js";

const GLIDE_MS = 180;
const CLOSEST_ZOOM = 32;

/**
 * What part of a plane is seen: the point (x, y) in the middle of a canvas of width x height, `zoom` screen pixels
 * for one unit of the plane.
 */
export class Camera {
  constructor() {
    Object.assign(this, { x: 0, y: 0, zoom: 1, width: 1, height: 1, plane: { x: 0, y: 0, width: 1, height: 1 } });
  }

  /** Say how large the canvas is; the middle stays where it is. */
  resize(width, height) {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.limit();
  }

  /** Say which rectangle of the plane there is to see. */
  bound(plane) {
    this.plane = plane;
    this.limit();
  }

  toScreenX(x) {
    return (x - this.x) * this.zoom + this.width / 2;
  }

  toScreenY(y) {
    return (y - this.y) * this.zoom + this.height / 2;
  }

  toPlaneX(screenX) {
    return (screenX - this.width / 2) / this.zoom + this.x;
  }

  toPlaneY(screenY) {
    return (screenY - this.height / 2) / this.zoom + this.y;
  }

  /** Return the rectangle that is seen: x0, y0, x1, y1. */
  seen() {
    const [across, down] = [this.width / 2 / this.zoom, this.height / 2 / this.zoom];
    return { x0: this.x - across, y0: this.y - down, x1: this.x + across, y1: this.y + down };
  }

  /** Return the zoom at which a rectangle just fits. */
  fittingZoom(box = this.plane) {
    return Math.min(this.width / box.width, this.height / box.height);
  }

  fit(box = this.plane) {
    this.go(box.x + box.width / 2, box.y + box.height / 2, this.fittingZoom(box));
  }

  go(x, y, zoom = this.zoom) {
    Object.assign(this, { x, y, zoom });
    this.limit();
  }

  panBy(across, down) {
    this.go(this.x + across / this.zoom, this.y + down / this.zoom);
  }

  /** Zoom by a factor so that what lies under a point of the screen stays there. */
  zoomAt(screenX, screenY, factor) {
    const [x, y] = [this.toPlaneX(screenX), this.toPlaneY(screenY)];
    this.zoom = this.allowed(this.zoom * factor);
    this.go(x - (screenX - this.width / 2) / this.zoom, y - (screenY - this.height / 2) / this.zoom);
  }

  allowed(zoom) {
    const whole = this.fittingZoom();
    return clamp(zoom, Math.min(whole, 1) / 2, Math.max(CLOSEST_ZOOM, whole));
  }

  limit() {
    const { x, y, width, height } = this.plane;
    this.zoom = this.allowed(this.zoom);
    this.x = clamp(this.x, x, x + width);
    this.y = clamp(this.y, y, y + height);
  }
}

/** Move a camera smoothly, at once where the reader wants no motion; returns a function that stops it. */
export function glide(camera, target, onMove, onEnd = () => {}) {
  const start = { x: camera.x, y: camera.y, zoom: camera.zoom };
  const began = performance.now();
  let frame = null;
  const step = () => {
    const share = wantsStillness() ? 1 : Math.min(1, (performance.now() - began) / GLIDE_MS);
    const eased = share * (2 - share);
    const zoom = start.zoom * (target.zoom / start.zoom) ** eased;
    const mixed = (from, to) => from + (to - from) * eased;
    camera.go(mixed(start.x, target.x), mixed(start.y, target.y), zoom);
    onMove();
    if (share < 1) frame = requestAnimationFrame(step);
    else onEnd();
  };
  step();
  return () => cancelAnimationFrame(frame);
}

function wantsStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Call a function for a key: `keys` maps event.key to it; keys with Ctrl, Alt or Meta are left alone. */
export function followKeys(element, keys) {
  const listener = (event) => {
    const press = keys[event.key];
    if (!press || event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
    if (press(event) === false) return;
    event.preventDefault();
    event.stopPropagation();
  };
  element.addEventListener("keydown", listener);
  return () => element.removeEventListener("keydown", listener);
}

function isTyping(target) {
  return target.tagName === "INPUT" || target.tagName === "SELECT" || target.tagName === "TEXTAREA";
}
