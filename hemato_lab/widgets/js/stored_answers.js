// What a page without Python answers itself: from what was stored in it when it was made.

import { bytesOfBase64 } from "./page_model.js";
import { CropCutter } from "./crop_cutter.js";

const NOT_STORED = "this part of the picture was left out of the page to keep it small";
const NOTHING_STORED = "this page holds no picture of this smear";
const SHOWS_ONLY = "this page only shows: decisions are made in a notebook or with hemato-lab view";

/** The transport of a page that needs nothing else; `page` is the document that widget_page.html.jinja describes. */
export class StoredAnswers {
  constructor(page, models) {
    this.stored = new Map(page.widgets.map((one) => [one.id, one]));
    this.cutters = new Map(page.widgets.map((one) => [one.id, new CropCutter(page.pictures[one.pixels], models, one.id)]));
    this.pictures = page.pictures;
    this.cards = page.cards;
  }

  async send(widget, content) {
    const { fields, buffers = [] } = await this.answer(this.stored.get(widget), content);
    const answer = { kind: content.kind, ...fields, request: content.request };
    return [{ widget, kind: "answer", content: answer, buffers }];
  }

  answer(widget, content) {
    switch (content.kind) {
      case "hello":
        return { fields: widget.hello };
      case "tiles":
        return this.tiles(this.pictures[widget.pixels], content.wanted);
      case "crops":
        return this.cutters.get(widget.id).crops(content.wanted, content.side_px);
      case "card":
        return storedCard(this.cards, widget.cards?.[content.row]);
      case "table":
        return widget.table ? { fields: widget.table } : storedProblem("there is no table here");
      default:
        return storedProblem(SHOWS_ONLY);
    }
  }

  tiles(picture, wanted) {
    const found = wanted.filter((key) => picture.tiles[key.join("/")] !== undefined);
    const failed = wanted.filter((key) => picture.tiles[key.join("/")] === undefined);
    const why = Object.keys(picture.tiles).length ? NOT_STORED : NOTHING_STORED;
    return {
      fields: { tiles: found, failed: failed.map((key) => [...key, why]) },
      buffers: found.map((key) => bytesOfBase64(picture.tiles[key.join("/")])),
    };
  }
}

function storedProblem(text) {
  return { fields: { kind: "problem", text } };
}

// A card is stored as the number of its labels and its values.
function storedCard({ labels, rows }, place) {
  if (place === undefined) return { fields: { lines: [["details", "left out of this page to keep it small"]] } };
  const [which, ...values] = rows[place];
  return { fields: { lines: labels[which].map((label, at) => [label, values[at]]) } };
}
