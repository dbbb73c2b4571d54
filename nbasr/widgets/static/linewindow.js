// Which rows of a long list are in sight, and where: heights are learned as rows come.

import { h } from "./dom.js";
import { createLineHeights, guessHeight } from "./lineheights.js";
import { createLineRows } from "./linerows.js";

const SPARE = 6; // rows made above and below those in sight
const LINE = 20; // px; of a line of text, as in transcript.css
const REST = 9; // px of a row that are no text: padding, border
const OTHERS = 150; // px of the columns beside the text, till there is a row to look at
const IDLE_MS = 150; // without scrolling, after which the scrollbar is put right
const HURRY_MS = 200; // between two jumps by half a screen or more, after which nobody can read
const MEANT_MS = 1500; // after a turn of the wheel, in which a scroll is somebody's
const ROUNDS = 4; // of drawing and measuring until a place is found
const SAMPLE = "the quick brown fox, as she said in 2024, jumps over lazy dogs again";

/**
 * Make the window on a list. Each height is a guess until its row was drawn. Where a guess was wrong
 * above what is being read, what is read stays where it is: `drift` takes it up, and the scrollbar
 * follows once nobody scrolls, as to set it would stop a scroll that is under way.
 *
 * @param frame of the panel
 * @param store of `createSegments`
 * @returns {{scroller: HTMLElement, reveal, revealPart, isSeen, rowOf, indexOfRow, each, change, redraw, redrawAll,
 *   hold, release, on, page: () => number, atEnd: () => boolean}}
 */
export function createLineWindow(frame, store) {
  const { signal } = frame;
  const heights = createLineHeights();
  const listeners = { drawn: new Set(), window: new Set(), scroll: new Set() };
  const inner = h("div.nb-lines-window", { role: "presentation" });
  const sizer = h("div.nb-lines-all", { role: "presentation" }, inner);
  const scroller = h("div.nb-lines-scroll", {}, sizer);
  const watch = new ResizeObserver(resized);
  const rows = createLineRows(frame, store, inner, {
    watch,
    drawn: (...given) => tell("drawn", ...given),
    lost: () => scroller.focus({ preventScroll: true }),
  });
  let font = { width: 600, letter: 6.5, wide: 13, line: LINE, rest: REST };
  let drift = 0; // px by which rows are lower than their heights say
  let height = 0; // of what is seen
  let hidden = true; // nothing can be measured then
  let wanted = null; // what was to be brought into sight meanwhile
  let width = 0;
  let sized = -1; // px that the scrollbar stands for
  let position = 0; // of the scrollbar: to ask for it with new rows about costs a layout
  let idle = 0;
  let read = 0; // the first line in sight, as it was last
  let jumped = -HURRY_MS; // when most rows last were new
  let pressed = false; // the scrollbar may be held
  let meant = -MEANT_MS; // when somebody last did something that scrolls

  const tell = (event, ...values) => listeners[event].forEach((listener) => listener(...values));
  const top = () => position - drift;
  const guess = (index) => guessHeight(store.at(index).text, font);

  // -- Drawing ----------------------------------------------------------------------------------

  /** Learn the heights of rows, while the row at the upper edge stays where it is seen. */
  function measure(some, heightOf = (row) => row.element.getBoundingClientRect().height) {
    const from = heights.at(top());
    const before = heights.offset(from);
    let changed = false;
    for (const row of some) changed = heights.set(row.index, heightOf(row) || heights.height(row.index)) || changed;
    if (changed) drift += before - heights.offset(from);
    return changed;
  }

  /** The first line in sight, and the one behind the last. */
  const seen = () => (store.count ? [heights.at(top()), heights.at(top() + height) + 1] : [0, 0]);

  /** Whether somebody runs through the lines: text is enough then, as nobody clicks at words. */
  function isHurried() {
    const [from, to] = seen();
    const fresh = Math.abs(from - read) >= (to - from) / 2;
    read = from;
    if (!fresh) return false;
    const before = jumped;
    jumped = performance.now();
    return jumped - before < HURRY_MS;
  }

  /** Have the rows that are in sight; `fast`: somebody scrolls. */
  function render(fast = false) {
    if (hidden) return;
    const plain = fast && isHurried();
    const spare = plain ? 1 : SPARE; // the rest once nobody scrolls
    for (let round = 0; round < ROUNDS; round += 1) {
      const [from, to] = seen();
      const drawn = rows.mount(Math.max(from - spare, 0), Math.min(to + spare, store.count), plain);
      place(); // where they are thought to be: most need not be moved after they were measured
      if (!drawn.length || !measure(drawn)) break;
      place();
    }
    tell("window");
  }

  /** Put the rows where they belong, with room for all others. */
  function place() {
    if (top() < 0) drift = position; // there is nothing above the first row
    size(heights.total + drift);
    for (const row of rows.all()) { // a row that stays where it is need not be painted anew
      const y = heights.offset(row.index) + drift;
      if (row.y === y) continue;
      row.y = y;
      row.element.style.top = `${y}px`; // a transform for each row would cost a layer's work each
    }
  }

  function size(px) {
    if (Math.abs(px - sized) < 0.5) return;
    sized = px;
    sizer.style.height = `${px}px`;
  }

  /** Scroll so that a place of the list is at the upper edge. */
  function scrollTo(y, fast = false) {
    const most = () => Math.max(heights.total - height, 0);
    drift = 0;
    position = Math.min(Math.max(y, 0), most());
    render(fast);
    position = Math.min(Math.max(top(), 0), most()); // as it is known only now how high the rows are
    drift = 0;
    place();
    scroller.scrollTop = position;
  }

  /** Bring a line into sight: as little as is needed, or to the middle, or to a third from the top. */
  function reveal(index, { block = "nearest" } = {}) {
    wanted = hidden ? [index, { block }] : null;
    if (hidden || index < 0 || index >= store.count) return;
    for (let round = 0; round < ROUNDS; round += 1) {
      const [upper, lower] = [heights.offset(index), heights.offset(index + 1)];
      let to = top();
      if (block === "center") to = (upper + lower - height) / 2;
      else if (block === "third") to = upper - height / 3;
      else if (upper < to || lower - upper > height) to = upper;
      else if (lower > to + height) to = lower - height;
      to = Math.min(Math.max(to, 0), Math.max(heights.total - height, 0));
      if (Math.abs(to - top()) < 0.5) return;
      scrollTo(to, block === "nearest"); // who goes to a place wants its words at once
      settleSoon();
    }
  }

  /** Have scrollbar and rows agree again, soon. */
  function settleSoon() {
    clearTimeout(idle);
    idle = setTimeout(() => {
      if (!drift || pressed) render();
      if (!drift) return;
      if (pressed) settleSoon();
      else scrollTo(top());
    }, IDLE_MS);
  }

  scroller.addEventListener("scroll", () => {
    if (hidden) return;
    const before = position;
    position = scroller.scrollTop;
    if (Math.abs(position - before) < 1 && !drift) return; // our own
    render(true);
    if (drift < 0 && !position) scrollTo(top()); // there is more above, and no way to it
    settleSoon();
    if (pressed || performance.now() - meant < MEANT_MS) tell("scroll");
  }, { signal, passive: true });
  const mean = () => (meant = performance.now());
  for (const event of ["wheel", "touchmove"]) scroller.addEventListener(event, mean, { signal, passive: true });
  scroller.addEventListener("pointerdown", (event) => (pressed = event.target === scroller), { signal });
  for (const event of ["pointerup", "pointercancel", "pointermove"]) {
    // Browsers do not always tell when a scrollbar is let go.
    window.addEventListener(event, ({ type, buttons }) => {
      if (type !== "pointermove" || !buttons) pressed = false;
    }, { signal });
  }

  // -- Sizes ------------------------------------------------------------------------------------

  function learnFont() {
    const body = inner.querySelector(".nb-line-body");
    const style = getComputedStyle(scroller);
    const ctx = document.createElement("canvas").getContext("2d");
    ctx.font = `${style.fontSize} ${style.fontFamily}`;
    const letter = ctx.measureText(SAMPLE).width / SAMPLE.length;
    const column = body ? body.getBoundingClientRect().width : width - OTHERS;
    font = { ...font, width: column - 2 * letter, letter, wide: ctx.measureText("语音识别").width / 4 };
  }

  function fit() {
    const was = { hidden, width };
    hidden = !scroller.clientHeight;
    if (hidden) return; // shown again as it is left
    width = scroller.clientWidth;
    height = scroller.clientHeight;
    adapt(was.width);
    if (was.hidden && position) scroller.scrollTop = position;
    if (wanted) reveal(...wanted);
  }

  /** Have the rows for the size of what is seen. */
  function adapt(before) {
    if (width === before) return render();
    const from = heights.count ? heights.at(top()) : 0;
    const into = heights.count ? top() - heights.offset(from) : 0;
    if (!before) render();
    learnFont();
    heights.splice(0, heights.count, Array.from({ length: store.count }, (_, index) => guess(index)));
    for (const row of rows.all()) heights.set(row.index, row.element.getBoundingClientRect().height);
    return scrollTo(heights.count ? heights.offset(from) + into : 0);
  }

  function resized(entries) {
    if (entries.some(({ target }) => target === scroller)) fit();
    if (hidden) return;
    const sizes = new Map();
    for (const { target, borderBoxSize } of entries) {
      const row = rows.known(target);
      if (row && target.isConnected && store.at(row.index)) sizes.set(row, borderBoxSize[0].blockSize);
    }
    if (!measure(sizes.keys(), (row) => sizes.get(row))) return;
    render();
    settleSoon();
  }

  watch.observe(scroller);
  signal.addEventListener("abort", () => {
    watch.disconnect();
    clearTimeout(idle);
  });

  return {
    scroller,
    rowOf: rows.rowOf,
    indexOfRow: (element) => rows.known(element)?.index ?? -1,
    each: rows.each,
    /** Whether all of a line is in sight; of one that is higher than the list, any of its text. */
    isSeen(index) {
      const [upper, lower] = [heights.offset(index), heights.offset(index + 1)];
      if (lower - upper > height) return upper <= top() + height - LINE && lower >= top() + LINE;
      return upper >= top() - 1 && lower <= top() + height + 1;
    },
    /** Bring a part of a line into sight where the line is higher than the list. */
    revealPart(index, element) {
      if (hidden || heights.height(index) <= height) return;
      const [seen, part] = [scroller, element].map((one) => one.getBoundingClientRect());
      if (part.top >= seen.top && part.bottom <= seen.bottom) return;
      scrollTo(top() + part.top - seen.top - LINE);
      settleSoon();
    },
    atEnd: () => top() + height >= heights.total - LINE,
    /** The line a screen further on, or back. */
    page: (index, by) => Math.max(heights.at(heights.offset(index) + by * (height - LINE)), 0),
    reveal,
    /** Take over that lines came or went; what is read stays where it is. */
    change(what) {
      const { first, removed, added } = what;
      const from = heights.count ? heights.at(top()) : 0;
      const into = heights.count ? heights.offset(from) + drift : 0;
      const id = inner.isConnected ? [...rows.all()].find((row) => row.index === from)?.segment.id : undefined;
      rows.change(what);
      heights.splice(first, removed, Array.from({ length: added }, (_, at) => guess(first + at)));
      for (const row of rows.all()) heights.set(row.index, row.element.getBoundingClientRect().height || heights.height(row.index));
      const same = from < first ? from : id === undefined ? -1 : store.indexOf(id);
      const to = same >= 0 ? same : Math.min(first, store.count - 1);
      if (to >= 0) drift = into - heights.offset(to);
      scroller.setAttribute("aria-rowcount", String(store.count));
      if (top() < 0 || !store.count) scrollTo(0);
      else render();
      settleSoon();
    },
    redraw(index) {
      rows.spoil(index);
      render();
    },
    redrawAll() {
      rows.spoil();
      render();
    },
    get isHeld() {
      return rows.held !== null;
    },
    /** Have a row stay as it is, wherever the list is scrolled to. */
    hold: (index) => rows.hold(index),
    release() {
      rows.hold(null);
      render();
    },
    on(event, listener) {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
  };
}
