// Numbers as text and back, always with "." and without the reader's locale; bytes as columns.

const GROUP = "\u202f";

/** Write a whole number with narrow spaces between groups of three digits: 12 345. */
export function wholeText(value) {
  const digits = String(Math.round(Math.abs(value)));
  const grouped = digits.length < 5 ? digits : digits.replace(/\B(?=(\d{3})+$)/g, GROUP);
  return value < 0 && grouped !== "0" ? `-${grouped}` : grouped;
}

/** Write a number with so many significant digits, never as a power of ten. */
export function significantText(value, digits = 3) {
  if (!Number.isFinite(value)) return "not measured";
  if (value === 0) return "0";
  const decimals = digits - 1 - Math.floor(Math.log10(Math.abs(value)));
  if (decimals <= 0) {
    const unit = 10 ** -decimals;
    return wholeText(Math.round(value / unit) * unit);
  }
  return value.toFixed(Math.min(decimals, 12));
}

/** Write a number with at most so many significant digits and no zeros at its end: 15, 7.5. */
export function shortText(value, digits = 3) {
  return String(Number(value.toPrecision(digits)));
}

/** Write a share of one with two decimals. */
export function shareText(value) {
  return Number.isFinite(value) ? value.toFixed(2) : "none";
}

/** Write a zoom (screen pixels per picture pixel) as percent. */
export function percentText(value) {
  const percent = value * 100;
  return `${percent >= 10 ? wholeText(percent) : significantText(percent, 2)} %`;
}

/** Read a number that a person typed with "." or ","; NaN where it is none. */
export function numberFrom(text) {
  const plain = String(text).trim().replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : Number.NaN;
}

/** Return the largest of 1, 2, 5 times a power of ten that is at most `limit`. */
export function roundLength(limit) {
  const power = 10 ** Math.floor(Math.log10(limit));
  const step = limit / power;
  return power * (step >= 5 ? 5 : step >= 2 ? 2 : 1);
}

/** Keep a value between two others. */
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** Name a number of things: "1 cell", "12 cells". */
export function countText(count, one, many = `${one}s`) {
  return `${wholeText(count)} ${count === 1 ? one : many}`;
}

/** Return the bytes of whatever a model hands over: DataView, ArrayBuffer or typed array; none gives none. */
export function bytesOf(value) {
  if (!value) return new Uint8Array(0);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Return bytes as numbers of a type, copied so that they are aligned; little-endian as all machines here are. */
export function numbersOf(value, Type) {
  const bytes = bytesOf(value);
  const whole = bytes.byteLength - (bytes.byteLength % Type.BYTES_PER_ELEMENT);
  return new Type(bytes.slice(0, whole).buffer);
}
