// The frame that every panel stands in: root, theme, link to the kernel, problems, announcements.

import { announcer, h, problemBar } from "./dom.js";
import { createLink } from "./link.js";
import { createTexts } from "./texts.js";
import { followTheme } from "./theme.js";

/**
 * Put up the frame of a panel.
 * @param {{model, el: HTMLElement, signal: AbortSignal}} context anywidget's
 * @param {{kind: string, title: string}} panel `kind` becomes a class; `title` is a text's key
 * @returns {{root: HTMLElement, body: HTMLElement, link, t, signal: AbortSignal,
 *   say: (text: string) => void, fail: (error: Error) => void, guard, onrestyle}}
 */
export function createFrame({ model, el, signal }, { kind, title }) {
  const t = createTexts(model.get("language"));
  const link = createLink(model, signal);
  const problems = problemBar(t);
  const live = announcer();
  const waiting = h("div.nb-waiting", { role: "status", hidden: true }, t("panel.waiting"));
  const body = h("div.nb-body");
  const root = h("div.nbasr", { role: "group", "aria-label": t(title), lang: t.language === "zh" ? "zh-CN" : "en" },
    problems.element, body, waiting, live.element);
  root.classList.add(`nbasr-${kind}`);
  const restyled = new Set();
  link.onwaiting((is) => (waiting.hidden = !is));
  link.on("problem", (content) => problems.show(Object.assign(new Error(content.error), { trace: content.trace })));
  // The notebook has keys of its own (A, B, D D …); what is pressed in a panel is meant for it.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);
  followTheme(root, signal, () => restyled.forEach((listener) => listener()));
  return {
    root,
    body,
    link,
    t,
    signal,
    say: live.say,
    fail: problems.show,
    /** Wrap a handler: what it throws, now or later, is shown in the panel. */
    guard: (handler) => (...given) => {
      try {
        const result = handler(...given);
        if (result instanceof Promise) result.catch(problems.show);
        return result;
      } catch (error) {
        problems.show(error);
        return undefined;
      }
    },
    /** Be called after the theme has changed. */
    onrestyle: (listener) => restyled.add(listener),
  };
}
