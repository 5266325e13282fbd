// Where the fields of a smear lie on the plane that the camera sees: one at a time, or all as a strip.

const GAP_SHARE = 0.03;
const STRIP_ASPECT = 1.7;

/**
 * The fields on a plane whose unit is a pixel of a field.
 *
 * Pixel (0, 0) of a field is centred half a unit right of and below the corner of its place.
 */
export class World {
  /**
   * @param {Array<{width: number, height: number}>} fields sizes in pixels.
   * @param {"pages"|"strip"} layout one field at a time, or all in rows.
   */
  constructor(fields, layout) {
    this.fields = fields;
    this.layout = fields.length > 1 ? layout : "pages";
    this.page = 0;
    this.places = this.layout === "strip" ? inRows(fields) : fields.map((field) => ({ x: 0, y: 0, ...sizeOf(field) }));
  }

  /** Return the fields that are on the plane. */
  shown() {
    return this.layout === "strip" ? this.fields.map((_, index) => index) : this.fields.length ? [this.page] : [];
  }

  /** Return those of them that a camera sees at all. */
  seenBy(camera) {
    const seen = camera.seen();
    return this.shown().filter((index) => {
      const place = this.places[index];
      return (
        place.x < seen.x1 && place.x + place.width > seen.x0 && place.y < seen.y1 && place.y + place.height > seen.y0
      );
    });
  }

  /** Return the rectangle around all that is on the plane. */
  bounds() {
    const places = this.shown().map((index) => this.places[index]);
    if (!places.length) return { x: 0, y: 0, width: 1, height: 1 };
    const right = Math.max(...places.map((place) => place.x + place.width));
    const bottom = Math.max(...places.map((place) => place.y + place.height));
    return { x: 0, y: 0, width: right - Math.min(...places.map((one) => one.x)), height: bottom };
  }

  /** Return the field under a point of the plane, the nearest one where there is none. */
  fieldAt(x, y) {
    let best = this.page;
    let least = Number.POSITIVE_INFINITY;
    for (const index of this.shown()) {
      const place = this.places[index];
      const across = Math.max(place.x - x, 0, x - place.x - place.width);
      const down = Math.max(place.y - y, 0, y - place.y - place.height);
      if (across * across + down * down < least) {
        least = across * across + down * down;
        best = index;
      }
    }
    return best;
  }

  /** Turn to a field where only one is shown. */
  turnTo(index) {
    this.page = Math.min(Math.max(index, 0), Math.max(0, this.fields.length - 1));
  }

  toPlane(field, x, y) {
    return { x: this.places[field].x + x + 0.5, y: this.places[field].y + y + 0.5 };
  }

  toField(field, x, y) {
    return { x: x - this.places[field].x - 0.5, y: y - this.places[field].y - 0.5 };
  }
}

function sizeOf({ width, height }) {
  return { width, height };
}

/** Lay fields in rows of equal number so that all together are about as wide as a screen. */
function inRows(fields) {
  const widest = Math.max(...fields.map((field) => field.width));
  const highest = Math.max(...fields.map((field) => field.height));
  const gap = Math.round(widest * GAP_SHARE);
  const columns = Math.max(1, Math.round(Math.sqrt((fields.length * STRIP_ASPECT * highest) / widest)));
  return fields.map((field, index) => ({
    x: (index % columns) * (widest + gap),
    y: Math.floor(index / columns) * (highest + gap),
    ...sizeOf(field),
  }));
}
