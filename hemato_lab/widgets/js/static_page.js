// Starts the widgets of a page that holds everything: no kernel, no server, no network.

import { PageModel, bytesOfBase64, linkModels } from "./page_model.js";
import { StoredAnswers } from "./stored_answers.js";

/** Show every widget of the page; `modules` by the name of their file. */
export function startStaticPage(modules) {
  const page = JSON.parse(document.getElementById("hemato-lab-page").textContent);
  const models = new Map();
  const transport = new StoredAnswers(page, models);
  for (const { id, state, buffers } of page.widgets) {
    const bytes = Object.fromEntries(Object.entries(buffers).map(([name, at]) => [name, bytesOfBase64(page.bytes[at])]));
    new PageModel({ widget: id, state, buffers: bytes, transport, models });
  }
  for (const { first, second, is_one_way: isOneWay } of page.links) {
    linkModels([models.get(first[0]), first[1]], [models.get(second[0]), second[1]], { isOneWay });
  }
  for (const { id, module } of page.widgets) {
    modules[module].render({ model: models.get(id), el: document.getElementById(id) });
  }
}
