// Places in rows of text marked without touching the rows: the browser's own highlights.

const ALL = "nbasr-found";
const NOW = "nbasr-found-now";

/**
 * @param {AbortSignal} signal ends with the view; highlights are the whole page's
 * @returns {{mark: (element: HTMLElement, places: [number, number][], now: number) => void,
 *   clear: () => void}} `now` is the index of the place that stands out, or -1
 */
export function createFindMarks(signal) {
  const able = typeof Highlight === "function" && Boolean(globalThis.CSS?.highlights);
  const drawn = new Map(); // element → [[highlight, range], …]

  function highlight(name, priority) {
    if (!CSS.highlights.has(name)) CSS.highlights.set(name, Object.assign(new Highlight(), { priority }));
    return CSS.highlights.get(name);
  }

  function unmark(element) {
    for (const [shown, range] of drawn.get(element) ?? []) shown.delete(range);
    drawn.delete(element);
    element.classList.remove("nb-found-line");
  }

  function clear() {
    for (const element of [...drawn.keys()]) unmark(element);
  }

  function mark(element, places, now = -1) {
    unmark(element);
    for (const old of [...drawn.keys()]) if (!old.isConnected && old !== element) unmark(old);
    if (!places.length) return;
    const made = [];
    drawn.set(element, made);
    if (!able) { // an old browser: the line is marked, not the words
      element.classList.add("nb-found-line");
      return;
    }
    places.forEach(([from, to], at) => {
      const range = rangeIn(element, from, to);
      if (!range) return;
      const shown = highlight(at === now ? NOW : ALL, at === now ? 2 : 1);
      shown.add(range);
      made.push([shown, range]);
    });
  }

  signal.addEventListener("abort", clear);
  return { mark, clear };
}

/** The range from one position of an element's text to another; null where it is not that long. */
export function rangeIn(element, from, to) {
  const range = document.createRange();
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let before = 0;
  let begun = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const after = before + node.length;
    if (!begun && from < after) {
      range.setStart(node, from - before);
      begun = true;
    }
    if (begun && to <= after) {
      range.setEnd(node, to - before);
      return range;
    }
    before = after;
  }
  return null;
}

/** The position in an element's text of a point on the screen; its end where there is none. */
export function positionAt(element, x, y) {
  const root = element.getRootNode();
  const spot = document.caretPositionFromPoint?.(x, y, { shadowRoots: root instanceof ShadowRoot ? [root] : [] });
  const old = spot ? null : document.caretRangeFromPoint?.(x, y);
  const node = spot?.offsetNode ?? old?.startContainer;
  if (!node || !element.contains(node)) return element.textContent.length;
  const range = document.createRange();
  range.setStart(element, 0);
  range.setEnd(node, spot?.offset ?? old.startOffset);
  return range.toString().length;
}
