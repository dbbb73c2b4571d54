// Search and replace in the transcript: instant, all places marked, from one to the next by key.

import { button, disable, h } from "./dom.js";
import { createFindMarks } from "./findmarks.js";
import { findIn, foldText, replaceIn } from "./findtext.js";

const SETTLED_MS = 120; // changes that come in a row are searched once

/**
 * @param frame of the panel
 * @param {{store, lines, view, player, unsaved}} parts
 * @returns {{element: HTMLElement, open: () => void, close: () => void, isOpen: boolean,
 *   decorate: (row: HTMLElement, i: number) => void}}
 */
export function createFind(frame, { store, lines, view, player, unsaved }) {
  const { t, say, guard } = frame;
  const marks = createFindMarks(frame.signal);
  const folded = new Map(); // id → {text, exact, folded}
  let hits = []; // {i, from, to}, in the order of the text
  let lineHits = new Map(); // line → [first, count] in hits
  let now = -1;
  let exact = false;
  let timer = 0;

  /** A line's text as it is shown: the kernel may not have it yet. */
  const textOf = (i) => unsaved.textOf(store.at(i));

  const field = h("input.nb-input.nb-find-field", {
    type: "search", "aria-label": t("edit.find"), placeholder: t("edit.find"), autocomplete: "off", spellcheck: "false",
    oninput: () => search({ reveal: true }), onkeydown: keyed,
  });
  const by = h("input.nb-input.nb-find-field", {
    type: "text", "aria-label": t("edit.replace_by"), placeholder: t("edit.replace_by"), autocomplete: "off", spellcheck: "false",
    onkeydown: keyed,
  });
  const told = h("span.nb-time.nb-find-count", { role: "status" });
  const exactly = button({ label: t("edit.find_exact"), showLabel: true, pressed: false, onclick: () => {
    exact = !exact;
    exactly.setAttribute("aria-pressed", String(exact));
    search({ reveal: true });
  } });
  exactly.querySelector("span").textContent = "Aa";
  exactly.setAttribute("aria-label", t("edit.find_exact"));
  const previous = button({ label: t("edit.find_previous"), icon: "left", keys: "Shift+Enter", onclick: () => step(-1) });
  const next = button({ label: t("edit.find_next"), icon: "right", keys: "Enter", onclick: () => step(1) });
  const one = button({ label: t("edit.replace_one"), onclick: guard(replaceOne) });
  const all = button({ label: t("edit.replace_all"), onclick: guard(replaceAll) });
  const close_ = button({ label: t("edit.find_close"), icon: "close", keys: "Esc", onclick: close });
  const element = h("div.nb-row.nb-find", { role: "search", "aria-label": t("edit.find"), hidden: true },
    h("span.nb-row", {}, field, exactly, h("span.nb-group", {}, previous, next), told),
    h("span.nb-row.nb-replace", {}, by, one, all), h("span.nb-spacer"), close_);

  function foldedOf(i) {
    const { id } = store.at(i);
    const text = textOf(i);
    const known = folded.get(id);
    if (known?.text === text && known.exact === exact) return known.folded;
    const made = foldText(text, exact);
    folded.set(id, { text, exact, folded: made });
    return made;
  }

  function search({ reveal = false } = {}) {
    const wanted = foldText(field.value.replace(/\s+/g, " "), exact).text;
    const before = hits[now];
    hits = [];
    lineHits = new Map();
    for (let i = 0; wanted && i < store.count; i += 1) {
      const places = findIn(foldedOf(i), wanted);
      if (places.length) lineHits.set(i, [hits.length, places.length]);
      for (const [from, to] of places) hits.push({ i, from, to });
    }
    const from = before ?? { i: Math.max(lines.current, 0), from: 0 };
    now = hits.findIndex((hit) => hit.i > from.i || (hit.i === from.i && hit.from >= from.from));
    if (now < 0 && hits.length) now = 0;
    draw();
    if (reveal && hits.length) show();
  }

  /** Mark what is drawn and say how much there is. */
  function draw() {
    const sought = field.value !== "";
    told.textContent = !sought ? "" : hits.length
      ? t("edit.find_count", { now: now + 1, count: hits.length }) : t("edit.find_none");
    told.classList.toggle("nb-bad", sought && !hits.length);
    const can = store.editable;
    for (const made of [previous, next]) disable(made, !hits.length, field);
    for (const made of [one, all]) disable(made, !hits.length || !can, field);
    marks.clear();
    for (const row of lines.element.querySelectorAll("[data-id]")) {
      decorate(row, store.indexOf(Number(row.dataset.id)));
    }
  }

  function decorate(row, i) {
    if (element.hidden) return;
    const text = row.querySelector(".nb-line-text");
    const [first, count] = lineHits.get(i) ?? [0, 0];
    if (!text) return;
    marks.mark(text, hits.slice(first, first + count).map(({ from, to }) => [from, to]), now - first < count ? now - first : -1);
  }

  /** Go to the place that stands out; the sound too, unless it plays. */
  function show() {
    const hit = hits[now];
    lines.select(hit.i, { reveal: "center" });
    const segment = store.at(hit.i);
    const time = timeOf(segment, hit.from);
    if (!player.playing) view.seek(time);
    view.reveal(time);
  }

  function step(by_) {
    if (!hits.length) return;
    now = (now + by_ + hits.length) % hits.length;
    draw();
    show();
    say(`${told.textContent}: ${textOf(hits[now].i)}`);
  }

  async function replaceOne() {
    const hit = hits[now];
    if (!hit) return;
    const { id } = store.at(hit.i);
    const changed = replaceIn(textOf(hit.i), [[hit.from, hit.to]], by.value);
    const at = { i: hit.i, from: hit.from + by.value.length, to: 0 };
    await store.edit("text", { id, text: changed });
    hits = [at]; // where the search goes on: behind what was put in
    now = 0;
    search();
    if (hits.length) show();
  }

  async function replaceAll() {
    const texts = [...lineHits].map(([i, [first, count]]) => {
      return [store.at(i).id, replaceIn(textOf(i), hits.slice(first, first + count).map(({ from, to }) => [from, to]), by.value)];
    });
    const count = hits.length;
    if (!count) return;
    await store.edit("replace_all", { texts });
    search();
    told.classList.remove("nb-bad");
    told.textContent = t("edit.replaced", { count, lines: texts.length });
  }

  function keyed(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && event.target === by && !event.shiftKey) guard(event.ctrlKey || event.metaKey ? replaceAll : replaceOne)();
    else if (event.key === "Enter" || event.key === "F3") step(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
  }

  function open() {
    const chosen = lines.element.getRootNode().getSelection?.() ?? getSelection();
    const picked = lines.element.contains(chosen?.anchorNode) ? String(chosen).trim() : "";
    element.hidden = false;
    if (picked && !picked.includes("\n")) field.value = picked;
    now = -1;
    hits = [];
    field.focus();
    field.select();
    search({ reveal: Boolean(picked) });
  }

  function close() {
    if (element.hidden) return;
    element.hidden = true;
    marks.clear();
    clearTimeout(timer);
    lines.focus();
  }

  store.on("change", () => {
    for (const id of folded.keys()) if (store.indexOf(id) < 0) folded.delete(id);
    if (element.hidden) return;
    clearTimeout(timer);
    timer = setTimeout(() => search(), SETTLED_MS);
  });
  store.on("state", () => element.hidden || draw());
  frame.signal.addEventListener("abort", () => clearTimeout(timer));

  return {
    element, open, close, step, decorate,
    get isOpen() {
      return !element.hidden;
    },
  };
}

/** When the word at a position of a segment's text is said; its start where nobody knows. */
export function timeOf(segment, position) {
  const { words } = segment;
  for (let k = (words?.count ?? 0) - 1; k >= 0; k -= 1) if (words.from(k) <= position) return words.start(k);
  return segment.start;
}
