// Marks the word and the line that sound, and keeps them in sight unless somebody reads elsewhere.

import { button } from "./dom.js";

const AFTER = 0.15; // s for which a line is marked after its end: times are not that exact

/**
 * @param frame of the panel
 * @param store of `createSegments`
 * @param lines of `createLines`
 * @param {{view, player, transport}} sound
 * @returns {{back: HTMLElement, line: number, word: number, away: boolean}} `back`: a button that is
 *   there while what sounds is out of sight
 */
export function createFollow(frame, store, lines, { view, player, transport }) {
  const { t, signal } = frame;
  let line = -1;
  let word = -1;
  let marked = []; // elements
  let away = false; // somebody has scrolled to another place
  let kept = false; // somebody has chosen a line while it sounds: what is done is meant for that one
  let carrying = false;
  let asked = 0;
  const back = button({ label: t("read.back"), icon: "down", showLabel: true, onclick: comeBack });
  back.classList.add("nb-read-back");
  back.hidden = true;

  function comeBack() {
    away = false;
    keepInSight();
    lines.focus(); // the button goes
    update();
  }

  /** What is said at a time: the line, and its word where words have times. */
  function find(time) {
    const at = store.indexAt(time);
    if (at < 0 || time > store.at(at).stop + AFTER) return [-1, -1];
    return [at, store.wordAt(at, time)];
  }

  function mark() {
    for (const element of marked) element.classList.remove("nb-sounds", "nb-sounding");
    marked = [];
    const row = lines.rowOf(line);
    if (!row) return;
    row.classList.add("nb-sounding");
    marked.push(row);
    if (word < 0) return;
    const span = row.querySelectorAll(".nb-word")[word];
    if (!span) return;
    span.classList.add("nb-sounds");
    marked.push(span);
  }

  function keepInSight() {
    if (line >= 0 && !lines.isSeen(line)) lines.reveal(line, { block: "third" });
  }

  function update() {
    const [nextLine, nextWord] = find(player.time());
    const moved = nextLine !== line;
    const turned = moved || nextWord !== word;
    if (turned) {
      [line, word] = [nextLine, nextWord];
      mark();
    }
    if (turned && line >= 0 && player.playing && transport.follow && !away) goAlong(moved);
    const hidden = !(player.playing && away && transport.follow && line >= 0);
    if (hidden !== back.hidden) back.hidden = hidden;
  }

  /** The current line is the one that sounds, unless others were chosen or one is being edited. */
  function goAlong(moved) {
    const { selection, editing } = lines;
    if (editing) return;
    if (moved && !kept && (!selection || selection.first === selection.last)) {
      carrying = true;
      lines.select(line, { reveal: false });
      carrying = false;
    }
    if (moved) keepInSight();
    if (marked[1]) lines.revealPart(line, marked[1]);
  }

  function run() {
    if (asked || !player.playing || signal.aborted) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      update();
      run();
    });
  }

  player.on("state", () => {
    if (!player.playing) away = kept = false; // the next time it is followed again
    update();
    run();
  });
  lines.on("current", () => {
    if (player.playing && !carrying) kept = true;
  });
  view.on("playhead", () => player.playing || update());
  lines.on("scroll", () => {
    if (!player.playing || line < 0) return;
    away = !lines.isSeen(line);
    update();
  });
  lines.decorate((_, index) => index === line && mark());
  store.on("change", () => {
    [line, word] = find(player.time());
    mark();
  });
  signal.addEventListener("abort", () => cancelAnimationFrame(asked));

  return {
    back,
    get line() {
      return line;
    },
    get word() {
      return word;
    },
    get away() {
      return away;
    },
  };
}
