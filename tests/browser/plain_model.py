"""The page's half of `plain_page`: as much of a widget model as anywidget gives."""

from typing import Final

MODEL: Final = """
globalThis.hematoLabPlainPage = (() => {
  const bytesOf = (text) => {
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
    return new DataView(bytes.buffer);
  };
  const textOf = (view) => {
    const bytes = ArrayBuffer.isView(view)
      ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(view);
    let raw = "";
    for (let i = 0; i < bytes.length; i += 4096) raw += String.fromCharCode(...bytes.subarray(i, i + 4096));
    return btoa(raw);
  };
  const isBinary = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;

  class Model {
    constructor(index) {
      this.index = index;
      this.values = {};
      this.unsaved = new Set();
      this.listeners = new Map();
    }
    get(name) { return this.values[name]; }
    set(name, value) {
      if (this.values[name] === value) return;
      this.values[name] = value;
      this.unsaved.add(name);
      this.emit(`change:${name}`, this, value);
      this.emit("change", this);
    }
    save_changes() {
      const content = {}, paths = [], buffers = [];
      for (const name of this.unsaved) {
        const value = this.values[name];
        if (isBinary(value)) { paths.push([name]); buffers.push(textOf(value)); } else content[name] = value;
      }
      if (this.unsaved.size === 0) return;
      this.unsaved.clear();
      this.tell({ method: "update", content, paths, buffers });
    }
    send(content, callbacks, buffers) {
      this.tell({ method: "custom", content, paths: [], buffers: (buffers ?? []).map(textOf) });
    }
    on(events, listener) {
      for (const event of events.split(" ")) {
        if (!this.listeners.has(event)) this.listeners.set(event, []);
        this.listeners.get(event).push(listener);
      }
    }
    off(events, listener) {
      for (const event of events ? events.split(" ") : [...this.listeners.keys()]) {
        const kept = listener ? (this.listeners.get(event) ?? []).filter((one) => one !== listener) : [];
        this.listeners.set(event, kept);
      }
    }
    emit(event, ...values) {
      for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...values);
    }
    tell(message) {
      const plain = JSON.parse(JSON.stringify(message));
      hematoLabTellPython(this.index, plain).then((messages) => deliver(messages));
    }
    receive(message) {
      const buffers = message.buffers.map(bytesOf);
      if (message.method === "custom") { this.emit("msg:custom", message.content, buffers); return; }
      const state = message.content;
      message.paths.forEach((path, i) => {
        let at = state;
        for (const key of path.slice(0, -1)) at = at[key];
        at[path[path.length - 1]] = buffers[i];
      });
      const changed = Object.keys(state);
      for (const name of changed) this.values[name] = state[name];
      for (const name of changed) this.emit(`change:${name}`, this, state[name]);
      if (changed.length) this.emit("change", this);
    }
  }

  const models = [];
  const views = [];
  function deliver(messages) { for (const [index, message] of messages) models[index].receive(message); }
  return {
    deliver,
    open(index, state) { models[index] = new Model(index); models[index].receive(state); },
    async show(index, code) {
      const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
      const loaded = (await import(address)).default;
      const widget = typeof loaded === "function" ? await loaded() : loaded;
      const section = document.createElement("section");
      document.querySelector("main").append(section);
      const cleanup = await widget.render({ model: models[index], el: section });
      views.push({ section, cleanup });
    },
    async remove(number) {
      await views[number].cleanup?.();
      views[number].section.remove();
    },
    value(index, name) {
      const value = models[index].get(name);
      return isBinary(value) ? [...new Uint8Array(value.buffer ?? value)] : value;
    },
  };
})();
"""
