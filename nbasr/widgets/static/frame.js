// The frame that every panel stands in: root, theme, link to the kernel, problems, announcements.

import { announcer, h, problemBar } from "./dom.js";
import { createLink } from "./link.js";
import { createTexts } from "./texts.js";
import { followTheme } from "./theme.js";

const OURS = /^([zyacvx]|Arrow.*|Home|End)$/i; // with Ctrl: undo, redo, what fields do, move by a screen

/** Whether a key is for the notebook that the panel stands in. */
function isHosts({ key, ctrlKey, metaKey, shiftKey, altKey }) {
  if (key === "Enter") return ctrlKey || metaKey || shiftKey || altKey;
  return (ctrlKey || metaKey) && !OURS.test(key);
}

/**
 * Put up the frame of a panel.
 * @param {{model, el: HTMLElement, signal?: AbortSignal}} context anywidget's; a host that gives no
 *   `signal` calls what `render` returns when the view goes
 * @param {{kind: string, title: string}} panel `kind` becomes a class; `title` is a text's key
 * @returns {{root: HTMLElement, body: HTMLElement, link, t, signal: AbortSignal,
 *   end: () => void, say: (text: string) => void, fail: (error: Error) => void, guard, claim, onrestyle}}
 */
export function createFrame({ model, el, signal: hosts }, { kind, title }) {
  const ending = new AbortController();
  const { signal } = ending;
  const end = () => ending.abort();
  if (hosts?.aborted) end();
  hosts?.addEventListener("abort", end);
  const t = createTexts(model.get("language"));
  const link = createLink(model, signal, t("panel.gone"));
  const problems = problemBar(t);
  const live = announcer();
  const waiting = h("div.nb-waiting", { role: "status", hidden: true });
  const body = h("div.nb-body");
  const root = h("div.nbasr", { role: "group", "aria-label": t(title), lang: t.language === "zh" ? "zh-CN" : "en" },
    problems.element, body, waiting, live.element);
  root.classList.add(`nbasr-${kind}`);
  const restyled = new Set();
  link.onstate((state) => {
    waiting.hidden = !state;
    if (state) waiting.textContent = t(`panel.${state}`);
    if (state === "gone") root.prepend(waiting); // to stay, where it is seen first
  });
  link.on("problem", (content) => problems.show(Object.assign(new Error(content.error), { trace: content.trace })));
  // The notebook has keys of its own (A, B, D D …); what is pressed in a panel is meant for it, but
  // for what no panel can do: save, run the cell. JupyterLab looks at this before the panel does.
  const claims = [];
  const isTheirs = (event) => isHosts(event) && !claims.some((claimed) => claimed(event));
  window.addEventListener("keydown", (event) => {
    const ours = !isTheirs(event);
    root.toggleAttribute("data-lm-suppress-shortcuts", ours);
    // Notebook 7 looks at what has the focus before it looks at what that stands in.
    const [focused] = event.composedPath();
    if (focused !== root && root.contains(focused)) focused.toggleAttribute("data-lm-suppress-shortcuts", ours);
  }, { signal, capture: true });
  root.addEventListener("keydown", (event) => isTheirs(event) || event.stopPropagation());
  // JupyterLab takes undo and redo away from all fields in a notebook: it listens at the field itself.
  root.addEventListener("beforeinput", (event) => {
    if (event.inputType.startsWith("history")) event.stopPropagation();
  }, { capture: true });
  el.append(root);
  // Elsewhere than in Jupyter (see panel.css) outputs stand in elements that we do not know.
  for (const still of document.querySelectorAll(`.nbasr-still[data-panel="${model.get("still_key")}"]`)) {
    still.hidden = true;
    signal.addEventListener("abort", () => (still.hidden = false));
  }
  followTheme(root, signal, () => restyled.forEach((listener) => listener()));
  return {
    root,
    body,
    link,
    t,
    signal,
    /** Take away what listens and sounds; for `render` to return. */
    end,
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
    /** Have keys that are the notebook's otherwise, those for which a test says so. */
    claim: (test) => claims.push(test),
    /** Be called after the theme has changed. */
    onrestyle: (listener) => restyled.add(listener),
  };
}
