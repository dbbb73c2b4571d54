// The chunks as a table, of which only the rows in sight exist: a long recording has thousands.

import { isBad } from "./cutdraw.js";
import { button, h } from "./dom.js";
import { clockText } from "./texts.js";

const ROW = 26; // CSS px, as in tuner.css
const SEEN = 8; // rows before the table scrolls
const SPARE = 6; // rows made above and below those in sight

/**
 * @param frame the panel's
 * @param {{play: (chunk) => void, transcribe: (chunk) => void, reveal: (chunk) => void,
 *   textOf: (chunk) => string}} actions
 * @returns {{element: HTMLElement, show: (chunks, plan) => void, mark: (index: number) => void,
 *   refresh: () => void}}
 */
export function createChunkTable(frame, actions) {
  const { t } = frame;
  let chunks = [];
  let plan = null;
  let focused = 0;
  let current = -1;
  let [first, last] = [0, 0];
  let stale = true;

  const headings = ["number", "start", "stop", "length", "pause_after", "text", "actions"];
  const body = h("tbody", {});
  const [above, below] = [spacer(headings.length), spacer(headings.length)];
  const table = h("table.nb-table", { role: "grid", "aria-label": t("tuner.chunks"), onkeydown: keyed },
    h("thead", {}, h("tr", { role: "row" }, headings.map((name) =>
      h("th", { role: "columnheader", scope: "col" }, t(`tuner.col_${name}`))))),
    body);
  const scroller = h("div.nb-scroller", { onscroll: fill, style: { maxHeight: `${(SEEN + 1) * ROW}px` } }, table);
  const summary = h("summary", {});
  const element = h("details.nb-chunks", { ontoggle: () => refresh() }, summary, scroller);

  function show(given, of) {
    chunks = given;
    plan = of;
    focused = Math.min(focused, Math.max(chunks.length - 1, 0));
    summary.textContent = t("tuner.chunks_table", { count: chunks.length });
    table.setAttribute("aria-rowcount", String(chunks.length + 1));
    stale = true;
    refresh();
  }

  /** Mark the chunk that the playhead is in. */
  function mark(index) {
    if (index === current) return;
    current = index;
    for (const row of body.querySelectorAll("tr[data-index]")) {
      const is = Number(row.dataset.index) === index;
      if (is) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  function refresh() {
    if (!element.open) return;
    stale = true;
    fill();
  }

  function fill() {
    const top = Math.max(Math.floor(scroller.scrollTop / ROW) - SPARE, 0);
    const end = Math.min(top + SEEN + 2 * SPARE, chunks.length);
    if (!stale && top === first && end === last) return;
    [first, last, stale] = [top, end, false];
    const had = body.contains(table.getRootNode().activeElement);
    above.firstChild.style.height = `${first * ROW}px`;
    below.firstChild.style.height = `${(chunks.length - last) * ROW}px`;
    const rows = chunks.slice(first, last).map((chunk, at) => rowOf(chunk, first + at));
    body.replaceChildren(above, ...rows, below);
    if (had) body.querySelector(`tr[data-index="${focused}"]`)?.focus({ preventScroll: true });
  }

  function rowOf(chunk, index) {
    const cut = plan.cuts[index];
    const pause = !cut ? "" : cut[1] ? t("tuner.in_seconds", { seconds: cut[1].toFixed(2) }) : t("tuner.in_speech");
    const text = actions.textOf(chunk);
    const cell = (...content) => h("td", { role: "gridcell" }, ...content);
    const act = (name, icon, keys) => {
      const made = button({
        label: t(`tuner.${name}_chunk`, { number: index + 1 }), icon, keys,
        onclick: () => actions[name]({ ...chunk, index }),
      });
      made.tabIndex = -1; // the row's keys do the same
      return made;
    };
    const row = h("tr", {
      role: "row", tabindex: index === focused ? 0 : -1, "data-index": index, "aria-rowindex": index + 2,
      "aria-current": index === current ? "true" : null,
      onfocus: () => (focused = index),
      ondblclick: () => actions.play({ ...chunk, index }),
      onclick: (event) => {
        if (!event.target.closest("button")) actions.reveal({ ...chunk, index });
      },
    },
    cell(String(index + 1)), cell(clockText(chunk.start)), cell(clockText(chunk.stop)),
    cell(t("tuner.in_seconds", { seconds: (chunk.stop - chunk.start).toFixed(1) })), cell(pause),
    h("td.nb-cell-text", { role: "gridcell", title: text }, text),
    cell(act("play", "play", "Enter"), act("transcribe", "text", "T")));
    if (cut && isBad(cut[1])) row.children[4].classList.add("nb-bad");
    if (plan.too_long.includes(index)) row.children[3].classList.add("nb-bad");
    return row;
  }

  function keyed(event) {
    if (!chunks.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const chunk = () => ({ ...chunks[focused], index: focused });
    const moves = {
      ArrowDown: focused + 1, ArrowUp: focused - 1, Home: 0, End: chunks.length - 1,
      PageDown: focused + SEEN, PageUp: focused - SEEN,
    };
    if (event.key in moves) to(moves[event.key]);
    else if (event.key === "Enter" || event.key === " ") actions.play(chunk());
    else if (event.key === "t" || event.key === "T") actions.transcribe(chunk());
    else return;
    event.preventDefault();
  }

  function to(index) {
    focused = Math.min(Math.max(index, 0), chunks.length - 1);
    const top = focused * ROW;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + 2 * ROW > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top + 2 * ROW - scroller.clientHeight;
    }
    stale = true;
    fill();
    body.querySelectorAll("tr[tabindex='0']").forEach((row) => (row.tabIndex = -1));
    const row = body.querySelector(`tr[data-index="${focused}"]`);
    if (!row) return;
    row.tabIndex = 0;
    row.focus({ preventScroll: true });
    actions.reveal({ ...chunks[focused], index: focused });
  }

  return { element, show, mark, refresh };
}

function spacer(columns) {
  return h("tr.nb-gap", { "aria-hidden": "true" }, h("td", { colspan: columns }));
}
