// Which cells a gallery lists, in which order and under which headings.

const SHUFFLE_SEED = 20240607;

/**
 * Arrange cells.
 *
 * @param {object} cells `count`, `names` (index of each cell's name), `given` (of the name decided on, below 0 for none),
 *   `confidence`, `disagreement`, `radius` (numbers of
 *   each cell; `disagreement` may be empty), `states` (0 open).
 * @param {object} how `nameTexts`, `order` ("confidence", "disagreement", "size"), `reverse`, `grouped`, `only` (names;
 *   empty for all), `openOnly`, `blind`.
 * @returns {Array<{name: string, rows: Int32Array}>} groups with at least one cell, rare names first; the name is empty
 *   where cells are not grouped.
 */
export function arrangeCells(cells, how) {
  const rows = keptRows(cells, how);
  if (how.blind) return wholeGroup(shuffled(rows));
  const sorted = sortedRows(rows, valuesToSortBy(cells, how.order), how);
  return how.grouped ? groupsByName(sorted, cells.names, how.nameTexts) : wholeGroup(sorted);
}

function keptRows(cells, { only, openOnly, blind, nameTexts }) {
  const kept = [];
  for (let row = 0; row < cells.count; row += 1) {
    const isCalled = (name) => only.includes(nameTexts[name]);
    const isWanted = blind || only.length === 0 || isCalled(cells.names[row]) || isCalled(cells.given[row]);
    if (isWanted && !(openOnly && cells.states[row] > 0)) kept.push(row);
  }
  return kept;
}

function valuesToSortBy(cells, order) {
  if (order === "size") return cells.radius;
  return order === "disagreement" ? cells.disagreement : cells.confidence;
}

// Least sure, most disputed and largest first; what is not known comes last, whichever way round.
function sortedRows(rows, values, { order, reverse }) {
  const sign = (order === "confidence") === reverse ? -1 : 1;
  const missing = (row) => !Number.isFinite(values[row]);
  return rows.sort((one, other) => {
    if (missing(one) || missing(other)) return missing(one) - missing(other) || one - other;
    return sign * (values[one] - values[other]) || one - other;
  });
}

function groupsByName(rows, names, nameTexts) {
  const found = new Map();
  for (const row of rows) {
    if (!found.has(names[row])) found.set(names[row], []);
    found.get(names[row]).push(row);
  }
  const groups = [...found].map(([name, own]) => ({ name: nameTexts[name] ?? "", at: name, rows: Int32Array.from(own) }));
  groups.sort((one, other) => one.rows.length - other.rows.length || one.at - other.at);
  return groups.map(({ name, rows: own }) => ({ name, rows: own }));
}

function wholeGroup(rows) {
  return rows.length ? [{ name: "", rows: Int32Array.from(rows) }] : [];
}

// The same order for every reader of the same cells (Fisher-Yates; numbers by mulberry32).
function shuffled(rows) {
  let state = SHUFFLE_SEED;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  for (let last = rows.length - 1; last > 0; last -= 1) {
    const other = Math.floor(next() * (last + 1));
    [rows[last], rows[other]] = [rows[other], rows[last]];
  }
  return rows;
}
