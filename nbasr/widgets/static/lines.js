// The lines of a transcript: a list of which only the rows in sight exist; one is current, some selected.

import { h } from "./dom.js";
import { createLineWindow } from "./linewindow.js";
import { createLineChoice } from "./linechoice.js";
import { lineKeys, lineMouse } from "./linekeys.js";

/**
 * Make the list.
 * @param frame of the panel
 * @param store of `createSegments`
 * @param {{view, player, transport}} sound
 * @returns {{element: HTMLElement, current: number, selection: {first: number, last: number}|null,
 *   select: Function, reveal: Function, rowOf: Function, decorate: Function, redraw: Function,
 *   redrawAll: Function, hold: Function, release: Function, on: Function, addKeys: Function,
 *   keys: Function, focus: Function, play: Function, playFrom: Function}}
 */
export function createLines(frame, store, { view, player }) {
  const { t } = frame;
  const more = []; // handlers of keys, the last added first
  const list = createLineWindow(frame, store);
  const { scroller } = list;
  const choice = createLineChoice(store, list);
  const element = h("div.nb-lines", {}, scroller);

  scroller.setAttribute("role", "grid");
  scroller.setAttribute("tabindex", "0");
  scroller.setAttribute("aria-multiselectable", "true");
  scroller.setAttribute("aria-label", t("read.lines"));
  scroller.setAttribute("aria-colcount", "4");

  /** Show of a row whether its line is current, or selected. */
  function show(row, index) {
    const { current, selection } = choice;
    const chosen = selection !== null && index >= selection.first && index <= selection.last;
    const now = `${chosen} ${index === current}`;
    if (row.nbShown === now) return; // what is not touched is not laid out anew
    row.nbShown = now;
    row.setAttribute("aria-selected", String(chosen));
    row.classList.toggle("nb-chosen", chosen);
    row.classList.toggle("nb-current", index === current);
  }

  function mark() {
    list.each(show);
    point();
  }

  /** Tell screen readers which row is meant: the focus stays on the list, as rows come and go. */
  function point() {
    const row = list.rowOf(choice.current);
    if (row) scroller.setAttribute("aria-activedescendant", row.id);
    else scroller.removeAttribute("aria-activedescendant");
  }

  list.on("drawn", show);
  list.on("window", point);
  choice.on("selection", mark);
  store.on("change", (what) => {
    list.change(what);
    choice.change(what);
    mark();
  });

  const lines = {
    element,
    scroller,
    get current() {
      return choice.current;
    },
    get selection() {
      return choice.selection;
    },
    /** Select a line, or those from it to another, which is current then. */
    select: choice.select,
    reveal: list.reveal,
    revealPart: list.revealPart,
    isSeen: list.isSeen,
    atEnd: list.atEnd,
    /** Whether a row is held, as somebody writes in it. */
    get editing() {
      return list.isHeld;
    },
    /** The row of a line, or null where it is not drawn. */
    rowOf: list.rowOf,
    indexOfRow: list.indexOfRow,
    /** Be called with (row, index, segment) whenever a row was drawn anew. */
    decorate(decorator) {
      list.on("drawn", decorator);
      list.each((row, index) => decorator(row, index, store.at(index)));
    },
    redraw: list.redraw,
    redrawAll: list.redrawAll,
    /** Keep a row as it is, in or out of sight, while it is edited. */
    hold: list.hold,
    release: list.release,
    on: (event, listener) => (event === "scroll" || event === "window" ? list.on(event, listener) : choice.on(event, listener)),
    /** Be asked for keys before the list is, the last added first; true: handled. */
    addKeys: (handler) => more.unshift(handler),
    focus: () => scroller.focus({ preventScroll: true }),
    /** Play a line. */
    play(index) {
      const { start, stop } = store.at(index);
      player.play({ start, stop });
      view.reveal(start);
    },
    /** Play from a time on. */
    playFrom(time) {
      player.play({ start: time });
      view.reveal(time);
    },
  };
  if (store.count) list.change({ first: 0, removed: 0, added: store.count }); // it was faster than the sound
  const own = lineKeys(frame, store, lines, { view, player, choice, list });
  lines.keys = (event) => {
    own.settle(event.key); // whatever the key does, it does there
    return more.some((handler) => handler(event)) || own.keys(event);
  };
  lineMouse(frame, store, lines, { view, choice, list });
  return lines;
}
