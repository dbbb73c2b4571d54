// The field for a web address or a path on the kernel's machine, with completion of paths.

import { button, h, icon } from "./dom.js";

const PAUSE_MS = 120; // of somebody who types, before completions are asked for
let fields = 0;

/**
 * @param {{t, complete: (text: string) => Promise<{texts: string[], common: string, more: boolean}>,
 *   submit: (text: string) => Promise<void>, say: (text: string) => void, signal: AbortSignal}} options
 *   `submit` rejects where the text leads to nothing; the field then stays as it is
 */
export function createPathField({ t, complete, submit, say, signal }) {
  const id = `nb-path-${(fields += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  const input = h("input.nb-input.nb-path", {
    id, type: "text", role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false",
    "aria-controls": `${id}-offers`, placeholder: t("upload.place_example"), autocomplete: "off",
    autocapitalize: "off", spellcheck: "false", enterkeyhint: "go",
  });
  const offers = h("ul.nb-offers", { id: `${id}-offers`, role: "listbox", "aria-label": t("upload.offers"), hidden: true });
  const more = h("div.nb-dim.nb-offers-more", { hidden: true }, t("upload.offers_more"));
  const add = button({ label: t("upload.add"), onclick: () => send() });
  const problem = h("div.nb-warning", { id: `${id}-problem`, role: "alert", hidden: true });
  input.setAttribute("aria-describedby", problem.id);
  const element = h("div.nb-place", {},
    h("label.nb-label", { for: id }, t("upload.place")),
    h("div.nb-place-line", {}, input, add), problem, offers, more);

  let texts = [];
  let common = "";
  let shownFor = ""; // what had been typed when they were asked for
  let active = -1;
  let asked = 0;
  let timer = 0;
  signal.addEventListener("abort", () => clearTimeout(timer));

  function close() {
    clearTimeout(timer);
    asked += 1; // what is still on its way is for nobody
    show({ texts: [], common: "", more: false });
  }

  function show(found) {
    ({ texts, common } = found);
    offers.replaceChildren(...texts.map(option));
    offers.hidden = !texts.length;
    more.hidden = !found.more;
    input.setAttribute("aria-expanded", String(texts.length > 0));
    mark(-1);
  }

  function option(text, number) {
    const folder = text.endsWith("/") || text.endsWith("\\");
    const name = text.replace(/[/\\]$/, "").split(/[/\\]/).pop() + (folder ? text.at(-1) : "");
    return h("li.nb-offer", {
      id: `${id}-${number}`, role: "option", "aria-selected": "false", title: text,
      onpointerdown: (event) => event.preventDefault(), // the field keeps the focus
      onclick: () => take(text),
    }, icon(folder ? "folder" : "spectrogram"), h("span", {}, name));
  }

  function mark(number) {
    offers.children[active]?.setAttribute("aria-selected", "false");
    active = number;
    const marked = offers.children[active];
    if (!marked) return input.removeAttribute("aria-activedescendant");
    marked.setAttribute("aria-selected", "true");
    marked.scrollIntoView({ block: "nearest" });
    return input.setAttribute("aria-activedescendant", marked.id);
  }

  async function look() {
    clearTimeout(timer);
    const typed = input.value;
    const mine = (asked += 1);
    if (!typed || /^https?:/i.test(typed)) return show({ texts: [], common: "", more: false });
    const nothing = { texts: [], common: "", more: false };
    const found = await complete(typed).catch((error) => (complain(error), nothing));
    if (mine !== asked) return undefined; // typed on meanwhile
    shownFor = typed;
    const done = found.texts.length === 1 && found.texts[0] === typed;
    show(done ? { texts: [], common: "", more: false } : found);
    if (texts.length) say(t("upload.offers_count", { count: texts.length }));
    return undefined;
  }

  function take(text) {
    input.value = text;
    if (/[/\\]$/.test(text)) look();
    else close();
  }

  async function send() {
    close();
    complain(null);
    const text = input.value;
    add.disabled = true;
    try {
      await submit(text);
      if (input.value === text) input.value = "";
    } catch (error) {
      complain(error);
    } finally {
      add.disabled = false;
    }
  }

  function complain(error) {
    if (signal.aborted) return;
    const text = error ? String(error.message ?? error) : "";
    problem.replaceChildren(...(text ? [icon("warning"), h("span", {}, text)] : []));
    problem.hidden = !text;
    input.setAttribute("aria-invalid", String(Boolean(text)));
  }

  function completed() {
    if (active >= 0) return take(texts[active]), true;
    if (texts.length === 1) return take(texts[0]), true;
    if (common.length <= input.value.length || !common.startsWith(input.value)) return false;
    return take(common), look(), true;
  }

  const KEYS = {
    ArrowDown() {
      if (texts.length) mark((active + 1) % texts.length);
      else look();
      return true;
    },
    ArrowUp() {
      if (texts.length) mark((active <= 0 ? texts.length : active) - 1);
      return texts.length > 0;
    },
    Enter() {
      if (active >= 0) take(texts[active]);
      else send();
      return true;
    },
    Tab(event) {
      if (event.shiftKey || !texts.length) return false;
      if (shownFor === input.value) return completed();
      look().then(() => {
        if (input.matches(":focus") && !completed()) add.focus();
      });
      return true;
    },
    Escape() {
      const open = texts.length > 0;
      close();
      return open;
    },
  };

  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    if (KEYS[event.key]?.(event)) event.preventDefault();
  });
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
    mark(-1); // Enter now takes what is typed
    complain(null);
  });
  input.addEventListener("blur", close);
  return { element, input };
}
