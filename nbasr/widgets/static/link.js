// Requests to the kernel and what it tells unasked: one promise per question, buffers as they are.

const PATIENCE_MS = 1500; // an answer that takes longer means that the kernel does something else

/**
 * @param model anywidget's model
 * @param {AbortSignal} signal ends with the view
 * @returns {{ask, on, onstate}}
 */
export function createLink(model, signal) {
  const pending = new Map();
  const listeners = new Map();
  const watchers = new Set();
  let number = 0;
  let waiting = false;

  function receive(content, buffers) {
    if (content.event !== undefined) {
      for (const listener of listeners.get(content.event) ?? []) listener(content, buffers ?? []);
      return;
    }
    const asked = pending.get(content.answer);
    if (!asked) return; // another view of the same panel asked
    pending.delete(content.answer);
    clearTimeout(asked.timer);
    tellWatchers();
    if (content.error === undefined) asked.resolve({ data: content.data, buffers: buffers ?? [] });
    else asked.reject(Object.assign(new Error(content.error), { trace: content.trace }));
  }

  function tellWatchers() {
    const now = [...pending.values()].some((asked) => asked.late);
    if (now === waiting) return;
    waiting = now;
    for (const watcher of watchers) watcher(waiting);
  }

  /**
   * Ask the kernel.
   * @param {string} kind which handler answers
   * @param {object} values its arguments
   * @param {{buffers?: ArrayBuffer[], aside?: boolean}} options `aside`: the answer may take long
   */
  function ask(kind, values = {}, { buffers = [], aside = false } = {}) {
    if (signal.aborted) return Promise.reject(new DOMException("The panel is gone", "AbortError"));
    const id = `${nonce}:${(number += 1)}`;
    return new Promise((resolve, reject) => {
      const asked = { resolve, reject, late: false, timer: 0 };
      if (!aside) {
        asked.timer = setTimeout(() => {
          asked.late = true;
          tellWatchers();
        }, PATIENCE_MS);
      }
      pending.set(id, asked);
      model.send({ ask: kind, number: id, ...values }, undefined, buffers);
    });
  }

  const nonce = Math.random().toString(36).slice(2); // views of one panel hear each other's answers
  model.on("msg:custom", receive);
  signal.addEventListener("abort", () => {
    model.off("msg:custom", receive);
    for (const asked of pending.values()) {
      clearTimeout(asked.timer);
      asked.reject(new DOMException("The panel is gone", "AbortError"));
    }
    pending.clear();
  });

  return {
    ask,
    /** Hear what the kernel tells unasked. */
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    },
    /** Learn when the kernel begins and ends to be busy with other things. */
    onwaiting(watcher) {
      watchers.add(watcher);
    },
  };
}
