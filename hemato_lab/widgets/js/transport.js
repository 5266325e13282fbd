// Questions to Python and their answers, over whatever carries the model's messages.

const ANSWER_WITHIN_MS = 60000;
const conversations = new WeakMap();

/**
 * Ask Python something; safe for several views of one model.
 *
 * @param {object} model of anywidget.
 * @param {string} kind of the request.
 * @param {object} fields of the request.
 * @returns {Promise<{content: object, buffers: DataView[]}>} rejected with an Error that says what went wrong.
 */
export function ask(model, kind, fields = {}) {
  return conversationOf(model).ask(kind, fields);
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

  ask(kind, fields) {
    if (!this.isListening) this.model.on("msg:custom", this.listener);
    this.isListening = true;
    this.isEnding = false;
    this.count += 1;
    const request = `${this.name}-${this.count}`;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.fail(request, "no answer: is Python still running?"), ANSWER_WITHIN_MS);
      this.open.set(request, { resolve, reject, late });
      this.model.send({ ...fields, kind, request });
    });
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

  fail(request, text) {
    const question = this.open.get(request);
    if (!question) return;
    this.close(request, question);
    question.reject(new Error(String(text)));
  }

  close(request, question) {
    clearTimeout(question.late);
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
