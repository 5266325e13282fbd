// Which cells a heat map counts.

const RED_CELL_CLASS = "RBC";

/**
 * Return what the heat map of a model counts: the names chosen, by default red cells, or all cells where none was found
 * under the name of a red cell (a blind reading, a foreign annotation), as no red cells would be untrue there.
 *
 * @param {CellTable} table of the cells.
 * @param {object} model with the traits `names`, `classes`, `density_of`.
 * @returns {{wanted: boolean[], usual: string, what: string, why: string}} by name whether it is counted; what is
 *   counted when nothing is chosen; what is counted; why there is nothing to count, "" where there is.
 */
export function countedCells(table, model) {
  const [names, chosen] = [model.get("names"), model.get("density_of")];
  const classes = model.get("classes") ?? [];
  const isRed = names.map((_, at) => classes[at] === RED_CELL_CLASS);
  const hasRed = table.name.some((at) => isRed[at]);
  const usual = hasRed ? "red cells" : "cells";
  const known = chosen.filter((name) => names.includes(name));
  let why = "";
  if (!table.length) why = "no cells are listed";
  else if (chosen.length && !known.length) why = `no cell is called ${chosen.join(" or ")}`;
  const wanted = names.map((name, at) => (chosen.length ? chosen.includes(name) : isRed[at] || !hasRed));
  return { wanted, usual, what: chosen.length ? known.join(", ") : usual, why };
}
