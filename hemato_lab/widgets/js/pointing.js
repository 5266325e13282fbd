// Wheel, mouse, pen and fingers over a canvas.

const TAP_REACH_PX = 5;
const PAGE_SCROLL_REST_MS = 250;
const WHEEL_RATE = 0.0016;
const PINCH_RATE = 0.01;
const WHEEL_LINE_PX = 16;

/**
 * Tell what pointers do over an element.
 *
 * `on` holds functions, all optional, with places in CSS pixels of the element: `zoom(x, y, factor)`, `pan(dx, dy)`,
 * `tap(x, y, event)`, `hover(x, y, event)`, `leave()`, `takes(event, x, y)` (true where a drag is not for panning),
 * `drag(x, y, startX, startY)`, `drop(x, y, startX, startY, event)`, `rest()` (a gesture ended).
 *
 * @returns {function()} stops it.
 */
export function followPointers(element, on) {
  const gesture = new Gesture(element, on);
  const wheel = wheelListener(element, on);
  const listeners = {
    pointerdown: (event) => gesture.down(event),
    pointermove: (event) => gesture.move(event),
    pointerup: (event) => gesture.up(event),
    pointercancel: (event) => gesture.up(event),
    pointerleave: () => on.leave?.(),
  };
  for (const [name, listener] of Object.entries(listeners)) element.addEventListener(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) element.removeEventListener(name, listener);
    wheel();
  };
}

class Gesture {
  constructor(element, on) {
    this.element = element;
    this.on = on;
    this.fingers = new Map();
    this.reset();
  }

  reset() {
    this.start = null;
    this.moved = false;
    this.taken = false;
  }

  placeOf(event) {
    const box = this.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  down(event) {
    if (event.button > 0) return;
    this.element.setPointerCapture(event.pointerId);
    const place = this.placeOf(event);
    this.fingers.set(event.pointerId, place);
    if (this.fingers.size === 1) {
      this.start = place;
      this.moved = false;
      this.taken = Boolean(this.on.takes?.(event, place.x, place.y));
    } else {
      this.moved = true;
      this.taken = false;
    }
    this.on.leave?.();
  }

  move(event) {
    const place = this.placeOf(event);
    const before = this.fingers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") this.on.hover?.(place.x, place.y, event);
      return;
    }
    if (this.fingers.size === 1) this.moveOne(place, before);
    else this.moveTwo(event.pointerId, place, before);
    this.fingers.set(event.pointerId, place);
  }

  moveOne(place, before) {
    const { start } = this;
    if (!this.moved && Math.hypot(place.x - start.x, place.y - start.y) < TAP_REACH_PX) return;
    const first = this.moved ? before : start;
    this.moved = true;
    if (this.taken) this.on.drag?.(place.x, place.y, start.x, start.y);
    else this.on.pan?.(first.x - place.x, first.y - place.y);
  }

  moveTwo(id, place, before) {
    const other = [...this.fingers].find(([key]) => key !== id)[1];
    const apart = (one) => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
    this.on.pan?.((before.x - place.x) / 2, (before.y - place.y) / 2);
    this.on.zoom?.((place.x + other.x) / 2, (place.y + other.y) / 2, apart(place) / apart(before));
  }

  up(event) {
    if (!this.fingers.delete(event.pointerId)) return;
    if (this.fingers.size) return;
    const place = this.placeOf(event);
    const { start, moved, taken } = this;
    this.reset();
    if (event.type === "pointercancel") this.on.rest?.();
    else if (!moved) this.on.tap?.(place.x, place.y, event);
    else if (taken) this.on.drop?.(place.x, place.y, start.x, start.y, event);
    this.on.rest?.();
  }
}

/** Zoom with the wheel, but let a page that is being scrolled pass by until the wheel rests. */
function wheelListener(element, on) {
  let elsewhere = Number.NEGATIVE_INFINITY;
  const outside = (event) => {
    if (!element.contains(event.target)) elsewhere = event.timeStamp;
  };
  const inside = (event) => {
    if (event.timeStamp - elsewhere < PAGE_SCROLL_REST_MS && !event.ctrlKey) {
      elsewhere = event.timeStamp;
      return;
    }
    event.preventDefault();
    const box = element.getBoundingClientRect();
    const turned = event.deltaY * (event.deltaMode === 1 ? WHEEL_LINE_PX : event.deltaMode === 2 ? box.height : 1);
    const factor = Math.exp(-turned * (event.ctrlKey ? PINCH_RATE : WHEEL_RATE));
    on.zoom?.(event.clientX - box.left, event.clientY - box.top, Math.min(4, Math.max(0.25, factor)));
    on.rest?.();
  };
  addEventListener("wheel", outside, { capture: true, passive: true });
  element.addEventListener("wheel", inside, { passive: false });
  return () => {
    removeEventListener("wheel", outside, { capture: true });
    element.removeEventListener("wheel", inside);
  };
}
