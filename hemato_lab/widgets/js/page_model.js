// The model of a widget on a page without Jupyter: what anywidget's `render` asks of one, and nothing else.
//
// A page has a Map of its models by widget. A transport carries what they say:
//   send(widget, content, buffers) -> Promise of messages      a question of the view (`msg:custom`)
//   save(widget, changes)          -> Promise of messages      traits that the view changed; absent: nobody to tell
// A message is for one widget:
//   { widget, kind: "answer", content, buffers: [DataView] }
//   { widget, kind: "state", state: { trait: value }, buffers: { trait: DataView } }

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 8000;

/** A model of one widget; it puts itself into the page's Map of models. */
export class PageModel {
  #values = new Map();
  #listeners = new Map();
  #unsaved = new Set();
  #underWay = new Set();
  #isSaving = false;
  #retryMs = FIRST_RETRY_MS;

  /**
   * @param {object} options `widget` (its key on the page), `state` (values by trait), `buffers` (by trait, the values
   *   that are bytes, as ArrayBuffer or a view of one), `transport`, and `models` (the page's Map of them).
   */
  constructor({ widget = "", state = {}, buffers = {}, transport, models = new Map() }) {
    this.widget = widget;
    this.transport = transport;
    this.models = models;
    models.set(widget, this);
    for (const [name, value] of [...Object.entries(state), ...dataViewsOf(buffers)]) this.#values.set(name, value);
  }

  get(name) {
    return this.#values.get(name);
  }

  set(name, value) {
    const changes = typeof name === "string" ? [[name, value]] : Object.entries(name);
    const changed = this.#assign(changes);
    for (const one of changed) this.#unsaved.add(one);
    this.#announce(changed);
  }

  save_changes() {
    if (this.transport.save === undefined) this.#unsaved.clear();
    if (this.#isSaving || this.#unsaved.size === 0) return;
    this.#save();
  }

  on(events, listener) {
    for (const event of events.split(" ")) {
      if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
      this.#listeners.get(event).add(listener);
    }
  }

  off(events, listener) {
    for (const event of events ? events.split(" ") : [...this.#listeners.keys()]) {
      if (listener) this.#listeners.get(event)?.delete(listener);
      else this.#listeners.delete(event);
    }
  }

  send(content, _callbacks, buffers = []) {
    this.transport.send(this.widget, content, buffers).then(
      (messages) => deliverMessages(this.models, messages),
      (error) => this.#emit("msg:custom", transportProblem(content, error), []),
    );
  }

  /** Take a message of the transport. Values that this page has changed and not yet told are kept. */
  receive({ kind, content, state, buffers }) {
    if (kind === "answer") {
      this.#emit("msg:custom", content, buffers ?? []);
      return;
    }
    const told = [...Object.entries(state ?? {}), ...dataViewsOf(buffers ?? {})];
    this.adopt(told.filter(([name]) => !this.#unsaved.has(name) && !this.#underWay.has(name)));
  }

  /** Set values that need not be told to anybody: they come from there, or from a linked model. */
  adopt(changes) {
    this.#announce(this.#assign(changes));
  }

  #assign(changes) {
    const changed = changes.filter(([name, value]) => !isSameValue(this.#values.get(name), value));
    for (const [name, value] of changed) this.#values.set(name, value);
    return changed.map(([name]) => name);
  }

  #announce(names) {
    for (const name of names) this.#emit(`change:${name}`, this, this.#values.get(name));
    if (names.length) this.#emit("change", this);
  }

  #emit(event, ...details) {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...details);
  }

  // One save at a time: what changes meanwhile goes together with the next, so the last value wins.
  // What was not taken for lack of an answer is sent again, ever less often; what was refused for good is not.
  async #save() {
    this.#isSaving = true;
    while (this.#unsaved.size) {
      const names = [...this.#unsaved];
      this.#unsaved.clear();
      this.#underWay = new Set(names);
      let messages = [];
      try {
        messages = await this.transport.save(this.widget, Object.fromEntries(names.map((one) => [one, this.get(one)])));
        this.#retryMs = FIRST_RETRY_MS;
        this.#emit("problem", null);
      } catch (error) {
        this.#emit("problem", error);
        if (!error.isRefusal) {
          this.#saveLater(names);
          break;
        }
      }
      this.#underWay.clear();
      deliverMessages(this.models, messages);
    }
    this.#underWay.clear();
    this.#isSaving = false;
  }

  #saveLater(names) {
    for (const name of names) this.#unsaved.add(name);
    setTimeout(() => this.save_changes(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
  }
}

/** Give messages of a transport to the models that they are for. */
export function deliverMessages(models, messages) {
  for (const message of messages) models.get(message.widget)?.receive(message);
}

/** Keep one trait of two models equal, from the first to the second and, unless it is a one-way link, back. */
export function linkModels([first, firstName], [second, secondName], { isOneWay = false } = {}) {
  const follow = (from, fromName, to, toName) => {
    from.on(`change:${fromName}`, () => to.adopt([[toName, from.get(fromName)]]));
  };
  second.adopt([[secondName, first.get(firstName)]]);
  follow(first, firstName, second, secondName);
  if (!isOneWay) follow(second, secondName, first, firstName);
}

/** Return bytes that a page holds as text. */
export function bytesOfBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
  return new DataView(bytes.buffer);
}

function transportProblem(content, error) {
  return { kind: "problem", request: content?.request, text: String(error?.message ?? error) };
}

// Jupyter's models hold bytes as DataView; so do these.
function dataViewOf(bytes) {
  if (bytes instanceof ArrayBuffer) return new DataView(bytes);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function dataViewsOf(buffers) {
  return Object.entries(buffers).map(([name, bytes]) => [name, dataViewOf(bytes)]);
}

function isSameValue(one, other) {
  if (Object.is(one, other)) return true;
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return false;
  if (ArrayBuffer.isView(one) && ArrayBuffer.isView(other)) return hasSameBytes(dataViewOf(one), dataViewOf(other));
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => isSameValue(one[name], other[name]));
}

function hasSameBytes(one, other) {
  if (one.byteLength !== other.byteLength) return false;
  for (let index = 0; index < one.byteLength; index += 1) {
    if (one.getUint8(index) !== other.getUint8(index)) return false;
  }
  return true;
}
