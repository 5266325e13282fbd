// Names of files and people as they are shown: no sign of them may hide or turn round what stands there.

const TURNING_SIGNS = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const BROKEN_SIGNS = /\p{Surrogate}/gu;
const JOINING_SIGNS = /^[\u200d\ufe0e\ufe0f\p{M}\p{Emoji_Modifier}]+/u;

/** Return a name to show: signs that turn text round are spelled, names from right to left keep to themselves. */
export function shownName(name) {
  const spelled = (sign) => `[U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`;
  const plain = String(name ?? "").replace(TURNING_SIGNS, spelled).replace(BROKEN_SIGNS, "\ufffd");
  return RIGHT_TO_LEFT.test(plain) ? `\u2068${plain}\u2069` : plain;
}

/** Return the end of a name, which tells more of a path than its beginning, in at most `longest` signs. */
export function endOfName(name, longest) {
  const signs = [...name];
  if (signs.length <= longest) return name;
  return `…${signs.slice(1 - longest).join("").replace(JOINING_SIGNS, "")}`;
}
