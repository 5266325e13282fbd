// Where the cells of a gallery lie: headings, then rows of equal boxes.

const HEADING_PX = 34;
const LEAST_COLUMNS = 2;

/** Places of cells in groups; `box` is the width and height of a cell with its gap. */
export class GalleryLayout {
  constructor(groups, width, box) {
    this.groups = groups;
    this.box = box;
    this.columns = Math.max(1, Math.floor(width / box.width));
    this.sections = [];
    this.rows = [];
    this.height = 0;
    for (const group of groups) this.add(group);
  }

  // Groups of a single line stand beside each other where there is room.
  add({ name, rows }) {
    const heading = name ? HEADING_PX : 0;
    const lines = Math.ceil(rows.length / this.columns);
    const width = lines > 1 ? this.columns : Math.min(this.columns, Math.max(rows.length, LEAST_COLUMNS));
    const last = this.sections.at(-1);
    const column = last ? last.column + last.width : 0;
    const isBeside = last && lines === 1 && last.lines === 1 && column + width <= this.columns;
    const top = isBeside ? last.top : this.height;
    const section = { name, top, heading, lines, width, column: isBeside ? column : 0, first: this.rows.length, count: rows.length };
    this.sections.push(section);
    this.height = top + heading + lines * this.box.height;
    for (const row of rows) this.rows.push(row);
  }

  get count() {
    return this.rows.length;
  }

  sectionOf(index) {
    let low = 0;
    let high = this.sections.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.sections[middle].first <= index) low = middle;
      else high = middle - 1;
    }
    return this.sections[low];
  }

  /** Rows of the section that a cell is in. */
  rowsBeside(index) {
    if (!this.count) return [];
    const { first, count } = this.sectionOf(index);
    return this.rows.slice(first, first + count);
  }

  /** Left and top of a cell. */
  placeOf(index) {
    const section = this.sectionOf(index);
    const within = index - section.first;
    return {
      left: (section.column + (within % this.columns)) * this.box.width,
      top: section.top + section.heading + Math.floor(within / this.columns) * this.box.height,
    };
  }

  /** Sections of which something lies between two heights, and the range of cells there: first and one after the last. */
  between(top, bottom) {
    const sections = [];
    let first = this.count;
    let end = 0;
    for (const section of this.sections) {
      const start = section.top + section.heading;
      const { lines } = section;
      if (start + lines * this.box.height < top || section.top > bottom) continue;
      sections.push(section);
      const above = Math.max(0, Math.floor((top - start) / this.box.height));
      const below = Math.min(lines, Math.max(0, Math.ceil((bottom - start) / this.box.height)));
      if (below <= above) continue;
      first = Math.min(first, section.first + above * this.columns);
      end = Math.max(end, section.first + Math.min(section.count, below * this.columns));
    }
    return { sections, first: Math.min(first, end), end };
  }

  /** The cell that an arrow leads to, from one cell; the same one at the edge. */
  towards(index, key, page = 1) {
    const last = this.count - 1;
    switch (key) {
      case "ArrowLeft":
        return Math.max(0, index - 1);
      case "ArrowRight":
        return Math.min(last, index + 1);
      case "ArrowUp":
        return this.acrossLines(index, -1);
      case "ArrowDown":
        return this.acrossLines(index, 1);
      case "PageUp":
        return this.acrossLines(index, -page);
      case "PageDown":
        return this.acrossLines(index, page);
      case "Home":
        return 0;
      case "End":
        return last;
      default:
        return index;
    }
  }

  // Lines of all sections count on; a short line gives its last cell.
  acrossLines(index, steps) {
    let at = index;
    for (let step = 0; step < Math.abs(steps); step += 1) {
      const next = this.nextLine(at, Math.sign(steps));
      if (next === at) break;
      at = next;
    }
    return at;
  }

  nextLine(index, way) {
    const section = this.sectionOf(index);
    const column = (index - section.first) % this.columns;
    const line = Math.floor((index - section.first) / this.columns) + way;
    if (line >= 0 && line < section.lines) return this.cellIn(section, line, column);
    const other = this.sectionBeyond(section, way, section.column + column);
    return other ? this.cellIn(other, way > 0 ? 0 : other.lines - 1, section.column + column - other.column) : index;
  }

  // The section above or below that reaches a column, or comes nearest to it.
  sectionBeyond(section, way, column) {
    let at = this.sections.indexOf(section);
    while (this.sections[at]?.top === section.top) at += way;
    const top = this.sections[at]?.top;
    let best;
    for (; this.sections[at] && this.sections[at].top === top; at += way) {
      const one = this.sections[at];
      const apart = Math.max(one.column - column, column - (one.column + one.width - 1), 0);
      if (!best || apart < best.apart) best = { one, apart };
    }
    return best?.one;
  }

  cellIn(section, line, column) {
    const within = Math.min(section.count - 1, line * this.columns + Math.max(0, Math.min(column, this.columns - 1)));
    return section.first + within;
  }
}
