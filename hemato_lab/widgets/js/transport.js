// Questions to Python and their answers, over whatever carries the model's messages.

const ANSWER_WITHIN_MS = 60000;
const WAITING_AFTER_MS = 5000;
const GREET_AGAIN_MS = 3000;
// What these do is done even when Python comes to it late: to call them failed would be untrue.
const WAITED_FOR = ["decide", "undo", "redo", "export"];
const conversations = new WeakMap();

/** What a view says while Python is at something else. */
export const WAITING_FOR_PYTHON = "waiting for Python, which is at something else";

/**
 * Ask Python something; safe for several views of one model.
 *
 * @param {object} model of anywidget.
 * @param {string} kind of the request; decisions and exports are waited for without end.
 * @param {object} fields of the request.
 * @param {function()} onWaiting called once when the answer is long in coming.
 * @returns {Promise<{content: object, buffers: DataView[]}>} rejected with an Error that says what went wrong; its
 *   `isLate` is true where no answer came.
 */
export function ask(model, kind, fields = {}, onWaiting = () => {}) {
  return conversationOf(model).ask(kind, fields, onWaiting);
}

/**
 * Ask for what a view needs to begin, again and again until it is answered.
 *
 * @param {object} model of anywidget.
 * @param {function(string)} say tells the reader what is waited for.
 * @param {function(): boolean} isOver tells whether the view has closed.
 * @returns {Promise<object|null>} the answer; null once the view has closed.
 */
export async function askHello(model, say, isOver) {
  while (!isOver()) {
    try {
      return (await ask(model, "hello", {}, () => isOver() || say(WAITING_FOR_PYTHON))).content;
    } catch (error) {
      if (!isOver()) say(error.isLate ? WAITING_FOR_PYTHON : error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, GREET_AGAIN_MS));
  }
  return null;
}

/** Say that a view closes: nothing listens any more once the open questions, maybe of other views, are answered. */
export function endAsking(model) {
  conversations.get(model)?.end();
}

function conversationOf(model) {
  let found = conversations.get(model);
  if (!found) {
    found = new Conversation(model);
    conversations.set(model, found);
  }
  return found;
}

class Conversation {
  constructor(model) {
    this.model = model;
    this.name = viewName();
    this.count = 0;
    this.open = new Map();
    this.isListening = false;
    this.isEnding = false;
    this.listener = (content, buffers) => this.hear(content, buffers ?? []);
  }

  ask(kind, fields, onWaiting) {
    if (!this.isListening) this.model.on("msg:custom", this.listener);
    this.isListening = true;
    this.isEnding = false;
    this.count += 1;
    const request = `${this.name}-${this.count}`;
    return new Promise((resolve, reject) => {
      const timers = [setTimeout(onWaiting, WAITING_AFTER_MS)];
      if (!WAITED_FOR.includes(kind)) timers.push(setTimeout(() => this.giveUp(request), ANSWER_WITHIN_MS));
      this.open.set(request, { resolve, reject, timers });
      try {
        this.model.send({ ...fields, kind, request });
      } catch (error) {
        this.fail(request, error.message);
      }
    });
  }

  giveUp(request) {
    this.fail(request, "no answer: is Python still running?", true);
  }

  hear(content, buffers) {
    const question = this.open.get(content?.request);
    if (!question) return;
    if (content.kind === "problem") {
      this.fail(content.request, content.text);
      return;
    }
    this.close(content.request, question);
    question.resolve({ content, buffers });
  }

  fail(request, text, isLate = false) {
    const question = this.open.get(request);
    if (!question) return;
    this.close(request, question);
    question.reject(Object.assign(new Error(String(text)), { isLate }));
  }

  close(request, question) {
    question.timers.forEach(clearTimeout);
    this.open.delete(request);
    if (this.isEnding) this.end();
  }

  end() {
    this.isEnding = true;
    if (this.open.size || !this.isListening) return;
    this.model.off("msg:custom", this.listener);
    this.isListening = false;
  }
}

function viewName() {
  const random = globalThis.crypto.getRandomValues(new Uint32Array(3));
  return [...random].map((number) => number.toString(36)).join("");
}
