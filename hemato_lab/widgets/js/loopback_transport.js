// Carries what the models of a page say to the program on this machine that served the page.
//
// A frame, either way: the length of its head (4 bytes, little endian), the head (JSON in UTF-8), then the buffers one
// after another; `sizes` of the head tells the length of each.

import { deliverMessages } from "./page_model.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;

/** Return the bytes of a frame. */
export function packFrame(head, buffers = []) {
  const parts = buffers.map((one) => new Uint8Array(one.buffer ?? one, one.byteOffset ?? 0, one.byteLength));
  const text = new TextEncoder().encode(JSON.stringify({ ...head, sizes: parts.map((part) => part.length) }));
  const frame = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 4 + text.length));
  new DataView(frame.buffer).setUint32(0, text.length, true);
  let at = 4;
  for (const part of [text, ...parts]) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** Return the head and the buffers (DataView) of a frame. */
export function unpackFrame(frame) {
  const length = new DataView(frame).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(frame, 4, length)));
  let at = 4 + length;
  const buffers = head.sizes.map((size) => {
    at += size;
    return new DataView(frame, at - size, size);
  });
  return { head, buffers };
}

/** The transport of `PageModel` over HTTP; `tell(text)` is called with what stands in the way, "" when it is gone. */
export class LoopbackTransport {
  #client = crypto.getRandomValues(new Uint32Array(4)).join("-");
  #seen = 0;
  #versions = new Map();
  #tell;

  constructor(tell) {
    this.#tell = tell;
  }

  /** Return the state message of every widget. */
  async open() {
    return this.#post("open", {});
  }

  send(widget, content, buffers) {
    return this.#post("ask", { widget, content }, buffers);
  }

  async save(widget, changes) {
    const bytes = Object.entries(changes).filter(([, value]) => ArrayBuffer.isView(value));
    const plain = Object.fromEntries(Object.entries(changes).filter(([, value]) => !ArrayBuffer.isView(value)));
    const places = Object.fromEntries(bytes.map(([name], index) => [name, index]));
    const views = bytes.map(([, value]) => value);
    try {
      return await this.#post("save", { widget, changes: plain, bytes: places }, views);
    } catch (error) {
      throw error instanceof Refused ? error : new Error(troubleText(error));
    }
  }

  /** Take over what Python and other pages change, until it is refused; a page that nobody sees waits until it is seen. */
  async follow(models) {
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      await untilSeen();
      const seen = new SeenPage();
      try {
        const messages = await this.#post("wait", { seen: this.#seen }, [], seen.signal);
        deliverMessages(models, messages);
        this.#tell("");
        pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        if (error.name === "AbortError") continue;
        this.#tell(troubleText(error));
        if (isFinal(error)) return;
        await pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      } finally {
        seen.forget();
      }
    }
  }

  async #post(what, head, buffers = [], signal = undefined) {
    const response = await fetch(what, {
      method: "POST",
      body: packFrame({ ...head, client: this.#client }, buffers),
      headers: { "Content-Type": "application/octet-stream" },
      mode: "same-origin",
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal,
    });
    if (!response.ok) throw new Refused(response.status, await response.text());
    const { head: answer, buffers: received } = unpackFrame(await response.arrayBuffer());
    if (what === "wait" || what === "open") this.#seen = Math.max(this.#seen, answer.version);
    return answer.messages.map((message) => this.#received(message, received));
  }

  #received(message, buffers) {
    if (message.kind === "answer") return { ...message, buffers: message.buffers.map((place) => buffers[place]) };
    return this.#newest(message, buffers);
  }

  // Answers overtake each other: a value that is older than one already taken is left out.
  #newest({ widget, kind, state, bytes, versions, ...rest }, buffers) {
    const isNew = ([name]) => {
      const key = `${widget} ${name}`;
      if (versions[name] < (this.#versions.get(key) ?? 0)) return false;
      this.#versions.set(key, versions[name]);
      return true;
    };
    const views = Object.entries(bytes).filter(isNew);
    return {
      ...rest,
      widget,
      kind,
      state: Object.fromEntries(Object.entries(state).filter(isNew)),
      buffers: Object.fromEntries(views.map(([name, place]) => [name, buffers[place]])),
    };
  }
}

class Refused extends Error {
  constructor(status, text) {
    super(text || `refused with status ${status}`);
    this.status = status;
  }

  /** Whether the same would be refused again; not so where the server failed. */
  get isRefusal() {
    return this.status < 500;
  }
}

/** Tell whether asking again is of no use: another server, or this browser is no longer let in. */
function isFinal(error) {
  return error instanceof Refused && [401, 403, 404].includes(error.status);
}

function troubleText(error) {
  if (error instanceof Refused) return error.message;
  return "hemato-lab view does not answer: it was stopped, or this machine sleeps. What was decided is kept on disk.";
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// A browser has few connections to one address; pages in the background must not hold them.
function untilSeen() {
  if (document.visibilityState !== "hidden") return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

/** Has a signal that aborts when the page is no longer seen, until it is forgotten. */
class SeenPage {
  #stop = new AbortController();
  #hide = () => this.#stop.abort();

  constructor() {
    document.addEventListener("visibilitychange", this.#hide);
  }

  get signal() {
    return this.#stop.signal;
  }

  forget() {
    document.removeEventListener("visibilitychange", this.#hide);
  }
}
