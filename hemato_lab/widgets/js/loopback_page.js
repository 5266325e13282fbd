// Starts the widgets of a page that a program on this machine serves.

import { PageModel } from "./page_model.js";
import { LoopbackTransport } from "./loopback_transport.js";

/** Show every widget of the page; `modules` by the name of their file. */
export async function startLoopbackPage(modules) {
  // The token has done its work: out of the address bar, the history and what is bookmarked.
  history.replaceState(null, "", location.pathname);
  const tell = troubleLine();
  const transport = new LoopbackTransport((text) => tell("news", text));
  const models = new Map();
  try {
    for (const message of await transport.open()) {
      const model = new PageModel({ ...message, transport, models });
      model.on("problem", (error) => tell(message.widget, error?.message ?? ""));
    }
  } catch (error) {
    tell("start", error.message);
    return;
  }
  const { widgets } = JSON.parse(document.getElementById("hemato-lab-page").textContent);
  for (const { id, module } of widgets) {
    modules[module].render({ model: models.get(id), el: document.getElementById(id) });
  }
  transport.follow(models);
}

// One line for all that stands in the way; each cause takes back its own words alone.
function troubleLine() {
  const texts = new Map();
  const line = document.createElement("p");
  line.className = "trouble";
  line.setAttribute("role", "alert");
  line.hidden = true;
  document.querySelector("main").before(line);
  return (cause, told) => {
    texts.set(cause, told);
    const text = [...new Set(texts.values())].filter(Boolean).join(" ");
    if (line.textContent === text) return;
    line.textContent = text;
    line.hidden = text === "";
  };
}
