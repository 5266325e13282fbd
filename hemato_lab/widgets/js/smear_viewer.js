// The viewer of a smear, as anywidget starts it.

import { SmearView } from "./smear_view.js";

function render({ model, el }) {
  const view = new SmearView(model, el);
  return () => view.end();
}

export default { render };
