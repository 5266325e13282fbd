// A field of the dashboard whose content comes and goes in messages, so that no notebook saves it.

const EDGES = { said: "#1f6f43", warned: "#d95f02" };
const FIELDS = { text: textField, choice: choiceField, line: lineField };
let fieldCount = 0;

/** Show a text field, a list to choose from or a line of words, as the trait `shape` says. */
function render({ model, el }) {
  const part = FIELDS[model.get("shape")](model);
  const show = (content) => {
    if (content.kind === "content") part.show(content);
  };
  model.on("msg:custom", show);
  el.append(part.element);
  model.send({ kind: "hello" });
  return () => model.off("msg:custom", show);
}

function textField(model) {
  const input = document.createElement("input");
  input.type = "text";
  input.placeholder = model.get("placeholder");
  input.addEventListener("change", () => model.send({ kind: "enter", value: input.value }));
  const show = ({ value }) => {
    input.value = value;
  };
  return { element: labelled(model, input, "widget-text"), show };
}

function choiceField(model) {
  const select = document.createElement("select");
  select.addEventListener("change", () => model.send({ kind: "enter", index: select.selectedIndex }));
  const show = ({ options, index }) => {
    select.replaceChildren(...options.map(optionOf));
    select.selectedIndex = index ?? -1;
  };
  return { element: labelled(model, select, "widget-dropdown"), show };
}

function optionOf(text) {
  const option = document.createElement("option");
  option.textContent = text;
  return option;
}

function lineField() {
  const line = document.createElement("div");
  line.setAttribute("role", "status");
  line.setAttribute("aria-live", "polite");
  line.style.cssText = "padding: 0.2rem 0.7rem; line-height: 1.4; overflow-wrap: anywhere";
  const show = ({ value, tone }) => {
    line.style.borderLeft = `4px solid ${EDGES[tone] ?? EDGES.said}`;
    if (line.textContent !== value) line.textContent = value;
  };
  return { element: line, show };
}

// The classes are those of Jupyter's own fields, so that these look alike.
function labelled(model, field, kind) {
  fieldCount += 1;
  field.id = `hemato-lab-unsaved-${fieldCount}`;
  const label = document.createElement("label");
  label.className = "widget-label";
  label.htmlFor = field.id;
  label.style.width = "9rem";
  label.textContent = model.get("description");
  const box = document.createElement("div");
  box.className = `jupyter-widgets widget-inline-hbox ${kind}`;
  box.style.width = "100%";
  box.append(label, field);
  return box;
}

export default { render };
