// Requests to the kernel and what it tells unasked: one promise per question, buffers as they are.

const AGAIN_MS = 800; // the first messages of a page go to where cells run, and wait for their end: once more
const PATIENCE_MS = 1500; // an answer that takes longer means that the kernel does something else

/** Bytes that came in a message: hosts give them as views of any kind, or as buffers. */
export function bytesOf(given) {
  if (given instanceof ArrayBuffer) return new Uint8Array(given);
  return new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
}

/**
 * @param model anywidget's model
 * @param {AbortSignal} signal ends with the view
 * @param {string} goneText what is answered once the kernel that made the panel is gone
 * @returns {{ask, on, onstate}} buffers of answers and events are Uint8Array
 */
export function createLink(model, signal, goneText = "The kernel is gone.") {
  const pending = new Map();
  const listeners = new Map();
  const overhearing = new Map();
  const watchers = new Set();
  let number = 0;
  let gone = false;
  let told = "";

  function receive(content, sent) {
    const buffers = (sent ?? []).map(bytesOf);
    gone = false; // who speaks is there
    tellWatchers();
    if (content.event !== undefined) {
      for (const listener of listeners.get(content.event) ?? []) listener(content, buffers);
      return;
    }
    const asked = settled(content.answer);
    if (!asked) { // another view of the same panel asked
      for (const listener of overhearing.get(content.kind) ?? []) listener({ data: content.data, buffers });
      return;
    }
    if (content.error === undefined) asked.resolve({ data: content.data, buffers });
    else asked.reject(Object.assign(new Error(content.error), { trace: content.trace }));
  }

  /** Take a question from those that wait. */
  function settled(id) {
    const asked = pending.get(id);
    pending.delete(id);
    clearTimeout(asked?.timer);
    clearTimeout(asked?.again);
    tellWatchers();
    return asked;
  }

  function tellWatchers() {
    const waits = [...pending.values()].some((asked) => asked.late);
    const now = gone ? "gone" : waits ? "waiting" : "";
    if (now === told) return;
    told = now;
    for (const watcher of watchers) watcher(now);
  }

  /** The kernel was restarted: nobody answers any more. */
  function lose() {
    gone = true;
    for (const id of [...pending.keys()]) settled(id).reject(new Error(goneText));
    tellWatchers();
  }

  /**
   * Ask the kernel.
   * @param {string} kind which handler answers
   * @param {object} values its arguments
   * @param {{buffers?: ArrayBuffer[], aside?: boolean}} options `aside`: the answer may take long
   */
  function ask(kind, values = {}, { buffers = [], aside = false } = {}) {
    if (signal.aborted) return Promise.reject(new DOMException("The panel is gone", "AbortError"));
    if (gone) return Promise.reject(new Error(goneText));
    const id = `${nonce}:${(number += 1)}`;
    return new Promise((resolve, reject) => {
      const asked = { resolve, reject, late: false, timer: 0, again: 0 };
      if (!aside) {
        asked.timer = setTimeout(() => {
          asked.late = true;
          tellWatchers();
        }, PATIENCE_MS);
      }
      pending.set(id, asked);
      const send = async () => model.send({ ask: kind, number: id, ...values }, undefined, buffers);
      send().catch((error) => settled(id)?.reject(error));
      // The kernel takes a question only once, by its number.
      if (!buffers.length) asked.again = setTimeout(() => send().catch(() => {}), AGAIN_MS);
    });
  }

  const nonce = Math.random().toString(36).slice(2); // views of one panel hear each other's answers
  model.on("msg:custom", receive);
  model.on("comm_live_update", lose); // of Jupyter's widgets, where the kernel restarts
  signal.addEventListener("abort", () => {
    model.off("msg:custom", receive);
    model.off("comm_live_update", lose);
    for (const asked of pending.values()) {
      clearTimeout(asked.timer);
      clearTimeout(asked.again);
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
    /** Hear what the kernel answers to other views of the panel, by the kind of the question. */
    overhear(kind, listener) {
      overhearing.set(kind, [...(overhearing.get(kind) ?? []), listener]);
    },
    /** Learn how the kernel is: "waiting" while it is busy with other things, "gone", else "". */
    onstate(watcher) {
      watchers.add(watcher);
    },
  };
}
