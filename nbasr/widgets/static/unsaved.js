// Corrections that the kernel does not have yet: shown in their lines, kept, and sent again by hand.

import { button, h, icon } from "./dom.js";
import { intoClipboard } from "./tunercode.js";

/**
 * @param frame of the panel
 * @param {{store, lines}} parts
 * @returns {{element: HTMLElement, send: (id: number, text: string) => Promise<boolean>,
 *   textOf: (segment) => string, decorate: (row: HTMLElement, i: number, segment) => void}}
 */
export function createUnsaved(frame, { store, lines }) {
  const { t, guard } = frame;
  const waiting = new Map(); // id → {text, error}
  const list = h("ul.nb-plain", {});
  const element = h("div.nb-notice.nb-warnedbox", { role: "alert", hidden: true }, list);

  /** Send a line's text; false if it was refused: then it stays in sight until somebody decides. */
  async function send(id, text) {
    const own = { text, error: null };
    waiting.set(id, own);
    redraw(id);
    try {
      // What got lost is asked for again, but never after a later text of the same line.
      await store.edit("text", { id, text }, () => waiting.get(id) === own);
      if (waiting.get(id) === own) waiting.delete(id);
    } catch (error) {
      if (error.name === "AbortError") return false;
      own.error = error;
    }
    redraw(id);
    show();
    return own.error === null;
  }

  function redraw(id) {
    const i = store.indexOf(id);
    if (i >= 0) lines.redraw(i);
  }

  function show() {
    const lost = [...waiting].filter(([, one]) => one.error);
    element.hidden = !lost.length;
    list.replaceChildren(...lost.map(([id, { text, error }]) => h("li", {},
      icon("warning"), h("div", {}, h("strong", {}, t("edit.not_saved")), ` ${error.message} `, h("q", {}, text)),
      h("span.nb-group", {},
        button({ label: t("edit.again_send"), showLabel: true, onclick: guard(() => send(id, text)) }),
        button({ label: t("edit.copy"), icon: "copy", onclick: guard(async () => {
          if (await intoClipboard(text)) frame.say(t("edit.copied"));
        }) }),
        button({ label: t("edit.give_up"), icon: "trash", onclick: () => {
          waiting.delete(id);
          redraw(id);
          show();
          lines.focus();
        } })))));
  }

  return {
    element,
    send,
    /** A line's text as the person has it. */
    textOf: (segment) => waiting.get(segment.id)?.text ?? segment.text,
    decorate(row, i, segment) {
      const own = waiting.get(segment.id);
      row.classList.toggle("nb-pending", own !== undefined);
      const text = row.querySelector(".nb-line-text");
      if (own && text && text.textContent !== own.text) text.textContent = own.text;
    },
  };
}
