// What keys and the mouse do in the list of lines.

import { RATE } from "./pyramid.js";

const RESTS_MS = 150; // while lines are run through, playhead and wave go along once the keys rest
const RUNS = ["ArrowDown", "ArrowUp", "PageDown", "PageUp"];

/**
 * @returns {{keys: (event: KeyboardEvent) => boolean, settle: (key?: string) => void}} `keys`: handles
 *   them, for the list and for the wave above it; `settle`: the playhead arrives where it is to go,
 *   unless the key only runs on
 */
export function lineKeys(frame, store, lines, { view, player, choice, list }) {
  let resting = 0;
  let visited = -RESTS_MS; // when
  let going = null; // where the playhead is still to go
  frame.root.addEventListener("pointerdown", () => settle(), { signal: frame.signal, capture: true });
  frame.signal.addEventListener("abort", () => clearTimeout(resting));

  /** Go to a line; the playhead goes along, and the sound if there is any. */
  function go(index, extend) {
    if (!store.count) return;
    const to = Math.min(Math.max(index, 0), store.count - 1);
    if (extend) {
      choice.select(choice.anchor < 0 ? to : choice.anchor, { to });
      return;
    }
    choice.select(to);
    visit(store.at(to).start);
  }

  function visit(time) {
    const hurried = performance.now() - visited < RESTS_MS;
    visited = performance.now();
    going = time;
    clearTimeout(resting);
    if (hurried) resting = setTimeout(settle, RESTS_MS);
    else settle();
  }

  function settle(key = "") {
    if (going === null || RUNS.includes(key)) return;
    const to = going;
    going = null;
    clearTimeout(resting);
    view.seek(to);
    view.reveal(to);
  }

  /** Go to the next or previous word. */
  function word(by) {
    const time = player.time();
    let index = Math.max(store.indexAt(time + 1e-6), 0);
    let k = store.wordAt(index, time + 1e-6) + by;
    while (index >= 0 && index < store.count) {
      const words = store.at(index).words;
      if (!words) { // a line without word times is one step
        if (by < 0 ? store.at(index).start < time - 1e-6 : store.at(index).start > time + 1e-6) break;
      } else if (k >= 0 && k < words.count) break;
      index += by;
      k = by > 0 ? 0 : (store.at(index)?.words?.count ?? 0) - 1;
    }
    const segment = store.at(index);
    if (!segment) return;
    choice.select(index);
    visit(segment.words ? segment.words.start(k) : segment.start);
  }

  function keys(event) {
    const { key, shiftKey, altKey } = event;
    const far = event.ctrlKey || event.metaKey;
    const inList = lines.scroller.contains(event.target);
    if (altKey) return false;
    const at = choice.current;
    if (!far && key === "ArrowDown") return go(at + 1, shiftKey), true;
    if (!far && key === "ArrowUp") return go(at < 0 ? 0 : at - 1, shiftKey), true;
    if (!far && key === "PageDown") return go(list.page(Math.max(at, 0), 1), shiftKey), true;
    if (!far && key === "PageUp") return go(list.page(Math.max(at, 0), -1), shiftKey), true;
    if (far && key === "Home") return go(0, shiftKey), true;
    if (far && key === "End") return go(store.count - 1, shiftKey), true;
    if (!inList || far) return false;
    if (key === "Home") return go(0, shiftKey), true;
    if (key === "End") return go(store.count - 1, shiftKey), true;
    if (shiftKey) return false;
    if (key === "ArrowLeft") return word(-1), true;
    if (key === "ArrowRight") return word(1), true;
    if (key === "Enter" && at >= 0) return lines.play(at), true;
    return false;
  }

  return { keys, settle };
}

/** Let clicks choose lines and play words. */
export function lineMouse(frame, store, lines, { view, choice }) {
  const { signal, guard } = frame;
  const { scroller } = lines;

  const place = (target) => {
    const row = target.closest?.(".nb-line");
    const index = row ? lines.indexOfRow(row) : -1;
    return index < 0 || !store.at(index) ? null : { index, word: target.closest(".nb-word")?.nbWord ?? -1 };
  };
  const isOthers = (target) => target.closest("textarea, input, select, a, button:not(.nb-line-clock)") !== null;

  /** Where what is clicked at begins. */
  const timeOf = ({ index, word }) => (word < 0 ? store.at(index).start : store.at(index).words.start(word));

  scroller.addEventListener("pointerdown", (event) => {
    const at = place(event.target);
    if (!at || event.button !== 0 || isOthers(event.target)) return;
    // The sound is fetched while the button is still pressed: it is heard at once then.
    view.samples?.read(Math.round(timeOf(at) * RATE), RATE).catch(() => {});
  }, { signal });

  scroller.addEventListener("mousedown", (event) => {
    if (isOthers(event.target) || !(event.shiftKey || event.target.closest(".nb-line-clock"))) return;
    event.preventDefault(); // no text is selected, and the focus stays on the list
    lines.focus();
  }, { signal });

  scroller.addEventListener("click", guard((event) => {
    const at = place(event.target);
    if (!at || isOthers(event.target)) return;
    if (!lines.scroller.matches(":focus")) lines.focus();
    if (event.shiftKey) {
      choice.select(choice.anchor < 0 ? at.index : choice.anchor, { to: at.index, reveal: false });
      return;
    }
    choice.select(at.index, { reveal: false });
    if (selectsText(scroller)) return; // somebody marks text to copy it
    if (event.target.closest(".nb-line-clock")) lines.play(at.index);
    else if (event.target.closest(".nb-word") || (event.target.closest(".nb-line-text") && !store.at(at.index).words)) lines.playFrom(timeOf(at));
    else {
      view.seek(timeOf({ index: at.index, word: -1 }));
      view.reveal(view.playhead);
    }
  }), { signal });

  scroller.addEventListener("mouseover", ({ target }) => {
    const at = target.closest?.(".nb-word") ? place(target) : null;
    if (!at || target.title) return;
    const score = store.at(at.index).words?.score(at.word);
    if (score !== null && score !== undefined) target.title = frame.t("read.sure", { percent: score });
  }, { signal });
}

function selectsText(element) {
  const selection = (element.getRootNode().getSelection?.() ?? document.getSelection());
  return Boolean(selection && !selection.isCollapsed && selection.anchorNode && element.contains(selection.anchorNode));
}
