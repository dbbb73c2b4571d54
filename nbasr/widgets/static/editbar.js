// What can be done with the current line, or the selected ones: under the list, one row.

import { button, disable, h } from "./dom.js";
import { createLineTimes } from "./linetimes.js";

/**
 * @param frame of the panel
 * @param {{store, lines, view, player, edit, again}} parts `edit` of `createLineEdit`
 * @returns {{element: HTMLElement, show: () => void, take: Function, split: Function, merge: Function,
 *   remove: Function, insert: Function}}
 */
export function createEditBar(frame, parts) {
  const { store, lines, view, edit, again } = parts;
  const { t, say, guard } = frame;
  const times = createLineTimes(frame, parts);
  const where = h("span.nb-time.nb-line-where");
  const who = h("input.nb-input.nb-speaker-field", {
    type: "text", "aria-label": t("edit.speaker"), placeholder: t("edit.speaker"), title: t("edit.speaker"),
    autocomplete: "off", spellcheck: "false", onchange: guard(speaker),
    onkeydown: (event) => {
      if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
      if (event.key === "Escape") who.value = here()?.speaker ?? "";
      event.preventDefault();
      lines.focus(); // which ends the change
    },
  });
  const names = h("datalist", { id: `nb-speakers-${Math.random().toString(36).slice(2, 8)}` });
  who.setAttribute("list", names.id);
  const tool = (key, icon, keys, onclick, showLabel = true) => {
    const made = button({ label: t(`edit.${key}`), icon, keys, showLabel, onclick: guard(onclick) });
    made.addEventListener("pointerdown", (event) => event.preventDefault()); // the caret stays in the text
    return made;
  };
  const write = tool("write", "edit", "E", () => edit.open(lines.current));
  const split_ = tool("split", "split", "Ctrl+Enter", split);
  const merge_ = tool("merge", "merge", "M", merge);
  const add = tool("insert", "plus", "I", insert);
  const remove_ = tool("delete", "trash", "Delete", remove, false);
  const again_ = tool("again_short", "hear", "T", () => again.open());
  const element = h("div.nb-row.nb-editbar", { role: "group", "aria-label": t("edit.line_tools") },
    where, times.element, who, names, h("span.nb-spacer"),
    h("span.nb-group", {}, write, split_, merge_), h("span.nb-group", {}, add, remove_), again_);

  const here = () => (lines.current >= 0 && lines.current < store.count ? store.at(lines.current) : null);

  /** The selected lines as the kernel wants them: the first one's id, and how many. */
  function selected() {
    const { first, last } = lines.selection ?? { first: -1, last: -1 };
    return first >= 0 && last < store.count ? { id: store.at(first).id, count: last - first + 1, first, last } : null;
  }

  async function split() {
    if (edit.isOpen) return edit.split();
    edit.open(lines.current); // where is for the caret to say
    say(t("edit.split_where"));
    return undefined;
  }

  async function merge() {
    const chosen = selected();
    if (!chosen || !store.editable) return;
    if (edit.isOpen) return edit.merge(); // what is written there belongs to it
    const count = Math.max(chosen.count, 2);
    if (chosen.first + count > store.count) return void say(t("edit.merge_last"));
    const { focus } = await store.edit("merge", { id: chosen.id, count });
    settle(focus);
    say(t("edit.was_merged"));
    return undefined;
  }

  async function remove() {
    const chosen = selected();
    if (!chosen || !store.editable) return;
    if (edit.isOpen) edit.close({ keep: false });
    const { focus } = await store.edit("delete", { id: chosen.id, count: chosen.count });
    settle(focus);
    say(t(chosen.count === 1 ? "edit.was_deleted" : "edit.were_deleted", { count: chosen.count }));
  }

  /** A new line where something is selected in the waveform. */
  async function insert() {
    if (!store.editable) return;
    if (!view.selection) return void say(t("edit.insert_where"));
    const { start, stop } = view.selection;
    edit.flush();
    const { focus } = await store.edit("insert", { start, stop, text: "" });
    if (focus < 0) return undefined;
    settle(focus);
    edit.open(focus);
    return undefined;
  }

  async function speaker() {
    const segment = here();
    if (!segment || who.value.trim() === (segment.speaker ?? "")) return;
    const chosen = selected();
    await store.edit("speaker", { id: chosen.id, count: chosen.count, speaker: who.value.trim() || null });
  }

  function settle(focus) {
    if (focus >= 0) lines.select(focus, { reveal: true });
    if (!edit.isOpen) lines.focus();
  }

  function show() {
    const chosen = selected();
    where.textContent = !chosen ? t("edit.no_line") : chosen.count > 1
      ? t("edit.lines_of", { first: chosen.first + 1, last: chosen.last + 1, count: store.count })
      : t("edit.line_of", { line: chosen.first + 1, count: store.count });
    times.element.hidden = (chosen?.count ?? 0) > 1; // of which line would they be?
    const off = !chosen || !store.editable;
    for (const made of [write, split_, remove_, again_, who]) disable(made, off, lines);
    disable(merge_, off || chosen.first + Math.max(chosen.count, 2) > store.count, lines);
    disable(add, !store.editable || !view.selection, lines);
    if (!who.matches(":focus")) who.value = here()?.speaker ?? "";
    const known = store.speakers ?? [];
    if (names.childElementCount !== known.length) names.replaceChildren(...known.map((name) => h("option", { value: name })));
    times.show();
  }

  lines.on("current", show);
  lines.on("selection", show);
  store.on("change", show);
  store.on("state", show);
  view.on("selection", show);
  return { element, show, take: times.take, split, merge, remove, insert };
}
