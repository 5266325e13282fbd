// Runs the page's own script on a document that knows no markup, and prints what it made of each overview.
// Standard input: {"script": "...", "answers": [{"status": 200, "body": {...}} or {"failure": "..."}, ...]}
import fs from "node:fs";
import vm from "node:vm";

class Element {
  constructor(name) {
    Object.assign(this, { name, children: [], parent: null, className: "", hidden: false, ariaLabel: null });
    this.text = "";
    return new Proxy(this, {
      set(target, key, value) {
        const known = ["children", "parent", "className", "hidden", "ariaLabel", "textContent", "text", "value", "max"];
        if (!known.includes(key)) throw new Error("the page sets " + String(key));
        target[key] = value;
        return true;
      },
    });
  }
  get textContent() {
    return this.text;
  }
  set textContent(value) {
    if (typeof value !== "string") throw new Error("text is no string");
    this.text = value;
  }
  insertBefore(child, next) {
    child.remove();
    const place = next === null ? this.children.length : this.children.indexOf(next);
    this.children.splice(place, 0, child);
    child.parent = this;
  }
  append(child) {
    this.insertBefore(child, null);
  }
  remove() {
    if (this.parent) this.parent.children.splice(this.parent.children.indexOf(this), 1);
    this.parent = null;
  }
}

const { script, answers } = JSON.parse(fs.readFileSync(0, "utf-8"));
const places = new Map();
const asked = [];
const waits = [];
const document = {
  createElement: (name) => new Element(name),
  getElementById: (id) => places.get(id) ?? places.set(id, new Element("#" + id)).get(id),
};

async function fetch(address, options) {
  asked.push([address, options]);
  const answer = answers[asked.length - 1];
  if (answer.failure) throw new TypeError(answer.failure);
  const ok = answer.status >= 200 && answer.status < 300;
  return { ok, status: answer.status, json: async () => structuredClone(answer.body) };
}

function setTimeout(again, milliseconds) {
  waits.push([again, milliseconds]);
}

const shown = (element) => ({
  name: element.name,
  text: element.text,
  className: element.className,
  value: element.value ?? null,
  children: element.children.map(shown),
});
const states = [];
vm.runInNewContext(script, { document, fetch, setTimeout, Date });
while (states.length < answers.length) {
  while (waits.length === 0) await new Promise((done) => setImmediate(done));
  states.push(Object.fromEntries([...places].map(([id, element]) => [id, { ...shown(element), hidden: element.hidden }])));
  const [again, milliseconds] = waits.pop();
  states.at(-1).wait = milliseconds;
  if (states.length < answers.length) again();
}
console.log(JSON.stringify({ asked, states }));
