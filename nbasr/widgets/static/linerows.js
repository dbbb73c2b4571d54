// The rows of a transcript that exist: made, drawn anew when their line has changed, taken away.

import { fillLine, makeLine } from "./linedraw.js";

/**
 * @param frame of the panel
 * @param store of `createSegments`
 * @param {HTMLElement} inner where rows stand, one under the other
 * @param {{drawn: (row: HTMLElement, index: number, segment) => void, watch: ResizeObserver,
 *   lost: () => void}} options `lost` is called when what had the focus is gone with its row
 */
export function createLineRows({ t }, store, inner, { drawn, watch, lost }) {
  const rows = new Map(); // id → {element, index, segment, speaker, plain, y}
  const byElement = new WeakMap();
  let held = null; // id of the line whose row is left alone
  let range = [0, 0];

  function speakerOf(index) {
    const { speaker } = store.at(index);
    return speaker && (index === 0 || store.at(index - 1).speaker !== speaker) ? speaker : "";
  }

  function make(id, index) {
    const row = { element: makeLine(id), index, segment: null, speaker: "", plain: false, y: NaN };
    rows.set(id, row);
    byElement.set(row.element, row);
    watch.observe(row.element);
    return row;
  }

  function drop(id, row) {
    rows.delete(id);
    watch.unobserve(row.element);
    const had = row.element.matches(":focus-within");
    row.element.remove();
    if (had) lost(); // the next key would be the notebook's
  }

  /** Draw a row if its line is not what it shows; whether it was. `plain`: without words, for now. */
  function fresh(row, plain) {
    const segment = store.at(row.index);
    const speaker = speakerOf(row.index);
    row.element.setAttribute("aria-rowindex", String(row.index + 1));
    if (row.segment === segment && row.speaker === speaker && (plain || !row.plain)) return false;
    if (segment.id === held && row.segment) return false;
    Object.assign(row, { segment, speaker, plain });
    const had = row.element.matches(":focus-within");
    fillLine(row.element, segment, { t, speaker, plain });
    drawn(row.element, row.index, segment);
    if (had && !row.element.matches(":focus-within")) lost();
    return true;
  }

  const heldRow = () => (held === null ? null : rows.get(held) ?? null);

  return {
    get range() {
      return range;
    },
    /** Have the rows from one to another, and the held one; return those that were drawn. */
    mount(from, to, plain = false) {
      for (const [id, row] of rows) if ((row.index < from || row.index >= to) && id !== held) drop(id, row);
      const changed = [];
      const kept = heldRow()?.element; // never moved: that would take the focus from what is typed into
      let next = inner.firstChild;
      for (let index = from; index < to; index += 1) {
        const { id } = store.at(index);
        const row = rows.get(id) ?? make(id, index);
        if (fresh(row, plain)) changed.push(row);
        if (next === kept && row.element !== kept) next = next?.nextSibling ?? null;
        if (next === row.element) next = next.nextSibling;
        else if (row.element !== kept || !kept.isConnected) inner.insertBefore(row.element, next);
      }
      range = [from, to];
      return changed;
    },
    /** Give rows their new places after lines came or went. */
    change({ first, removed, added }) {
      for (const [id, row] of rows) {
        if (row.index < first) continue;
        row.index = store.indexOf(id);
        if (row.index < 0) drop(id, row);
      }
      if (held !== null && !rows.has(held)) held = null;
      return added - removed;
    },
    rowOf: (index) => (index >= 0 && index < store.count ? rows.get(store.at(index).id)?.element ?? null : null),
    /** What is known of an element that is a row. */
    known: (element) => byElement.get(element),
    all: () => rows.values(),
    each: (visit) => rows.forEach((row) => visit(row.element, row.index, row.segment)),
    /** Have a row, or all, drawn anew at the next mounting. */
    spoil(index = null) {
      for (const [id, row] of rows) if (id !== held && (index === null || row.index === index)) row.segment = null;
    },
    get held() {
      return heldRow();
    },
    hold(index) {
      held = index === null ? null : store.at(index).id;
    },
  };
}
