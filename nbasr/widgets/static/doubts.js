// Places where the machine may have misheard: counted, visited one after the other, ticked off.

import { button, disable, h } from "./dom.js";
import { doubtReasons } from "./linedraw.js";
import { createPopup } from "./popup.js";
import { clockText } from "./texts.js";

const MOST = 200; // listed at once

/**
 * @param frame of the panel
 * @param {{store, lines, view, player}} parts
 * @returns {{element: HTMLElement, box: HTMLElement, step: (by: number) => void, pressed: Function}}
 */
export function createDoubts(frame, { store, lines, view, player }) {
  const { t, say, guard } = frame;
  const previous = button({ label: t("edit.doubt_previous"), icon: "left", keys: "Shift+N", onclick: () => step(-1) });
  const count = button({ label: t("edit.doubts"), icon: "warning", showLabel: true, onclick: () => {} });
  const next = button({ label: t("edit.doubt_next"), icon: "right", keys: "N", onclick: () => step(1) });
  const label = count.querySelector("span");
  const list = h("ul.nb-plain.nb-doubt-list", {});
  const note = h("p.nb-dim", { hidden: true });
  const box = h("div.nb-popup", { role: "group", "aria-label": t("edit.doubts") }, list, note);
  const popup = createPopup(count, box, { onopen: fill });
  const element = h("span.nb-group", { role: "group", "aria-label": t("edit.doubts") }, previous, count, next);

  function go(i, { center = true } = {}) {
    const segment = store.at(i);
    lines.select(i, { reveal: center ? "center" : true });
    if (!player.playing) view.seek(segment.start);
    view.reveal(segment.start);
  }

  function step(by) {
    const all = store.doubtful;
    if (!all.length) return void say(t("edit.doubts_none"));
    const here = lines.current;
    const at = by > 0 ? all.findIndex((i) => i > here) : all.findLastIndex((i) => i < here);
    const to = all[at >= 0 ? at : by > 0 ? 0 : all.length - 1];
    go(to);
    lines.focus();
    say(`${t("edit.doubt_at", { now: all.indexOf(to) + 1, count: all.length })}: ${doubtReasons(store.at(to), t)} ${store.at(to).text}`);
    return undefined;
  }

  const looksRight = guard(async (i) => {
    const { id } = store.at(i);
    await store.edit("checked", { id, checked: true });
    say(t("edit.was_checked"));
  });

  function fill() {
    const all = store.doubtful;
    list.replaceChildren(...all.slice(0, MOST).map((i) => {
      const segment = store.at(i);
      return h("li", { "data-doubt": segment.id },
        h("button.nb-item", { type: "button", onclick: () => {
          popup.close();
          go(store.indexOf(segment.id));
          lines.focus();
        } },
          h("span.nb-time.nb-dim", {}, clockText(segment.start, 0)),
          h("span.nb-doubt-text", { dir: "auto" }, segment.text || t("edit.empty")),
          h("span.nb-warn.nb-doubt-why", {}, doubtReasons(segment, t))),
        button({ label: t("edit.looks_right"), icon: "check", onclick: guard(async (event) => {
          const row = event.target.closest("li");
          const after = row.nextElementSibling ?? row.previousElementSibling;
          await looksRight(store.indexOf(segment.id));
          row.remove();
          if (after) after.querySelector(".nb-button")?.focus();
          else popup.close(true);
        }) }));
    }));
    note.hidden = all.length > 0 && all.length <= MOST;
    note.textContent = all.length ? t("edit.doubts_more", { count: all.length - MOST }) : t("edit.doubts_none");
  }

  function show() {
    const all = store.doubtful;
    const at = all.indexOf(lines.current);
    label.textContent = all.length
      ? at >= 0 ? t("edit.doubt_at", { now: at + 1, count: all.length }) : t("edit.doubt_count", { count: all.length })
      : t("edit.doubts_none");
    for (const made of [previous, next]) disable(made, !all.length, lines);
    if (popup.isOpen && !box.matches(":focus-within")) fill();
  }

  store.on("change", show);
  lines.on("current", show);
  return {
    element, box, step, show,
    pressed: popup.pressed,
    /** Tick off the current line, if it is doubtful; go on to the next such. */
    async check() {
      const i = lines.current;
      if (i < 0 || !store.at(i)?.doubtful || !store.editable) return;
      await looksRight(i);
    },
  };
}
