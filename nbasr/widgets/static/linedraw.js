// One row of a transcript: its time, who speaks, the text word by word, what is to be said of it.

import { h, icon } from "./dom.js";
import { clockText } from "./texts.js";

const FLAGS = {
  truncated: "read.flag_truncated",
  repetition: "read.flag_repetition",
  no_speech: "read.flag_no_speech",
  prompt_cut: "read.flag_prompt_cut",
  out_of_memory: "read.flag_out_of_memory",
};
const STEPS = [80, 60, 40]; // %; a word that is less sure than one of them is marked more strongly

/** How strongly a score is marked, 0 (sure, or unknown) … 3. */
export function doubtStep(score) {
  return score === null ? 0 : STEPS.filter((least) => score < least).length;
}

/** The outer element of a row; `fillLine` puts in what it shows. */
export function makeLine(id) {
  const row = document.createElement("div");
  row.className = "nb-line";
  row.dataset.id = id;
  row.id = `nb-line-${PAGE}-${id}`;
  row.setAttribute("role", "row");
  return row;
}

const PAGE = Math.random().toString(36).slice(2, 8); // ids of rows must differ from those of other panels

/**
 * Show a segment in its row.
 * @param {HTMLElement} row
 * @param {import("./segmentdata.js").Segment} segment
 * @param {{t: Function, speaker: string, plain?: boolean}} given `speaker`: to be shown, or "";
 *   `plain`: the text at once, as it is; a word costs as much to lay out as a line
 */
export function fillLine(row, segment, { t, speaker, plain = false }) {
  const clock = document.createElement("button");
  clock.type = "button";
  clock.tabIndex = -1; // Enter on the list does the same
  clock.className = "nb-line-clock nb-time";
  clock.textContent = clockText(segment.start);
  clock.title = t("read.play_line", { start: clockText(segment.start, 2), stop: clockText(segment.stop, 2) });
  const text = document.createElement("span");
  text.className = "nb-line-text";
  if (segment.language) text.lang = segment.language;
  if (plain) text.textContent = segment.text;
  else fillText(text, segment);
  const body = document.createElement("div");
  body.className = "nb-line-body";
  body.dir = "auto"; // Arabic and Hebrew begin at the right
  body.append(text);
  const who = document.createElement("span");
  who.className = "nb-speaker";
  who.textContent = speaker; // its column is there where the transcript names anybody
  who.title = speaker;
  const badges = document.createElement("div");
  badges.className = "nb-line-badges";
  if (segment.edited) badges.append(editedBadge(t));
  if (segment.doubtful) badges.append(doubtfulBadge(segment, t));
  row.classList.toggle("nb-doubtful", segment.doubtful);
  const when = document.createElement("div");
  when.append(clock);
  const cells = [when, who, body, badges];
  for (const cell of cells) cell.setAttribute("role", "gridcell");
  row.replaceChildren(...cells);
}

/** The text, each word in a span of its own; together they are the text to the letter. */
function fillText(element, { text, words, score }) {
  if (!words) {
    const step = doubtStep(score);
    element.textContent = text;
    element.classList.add("nb-whole");
    if (step) element.classList.add(`nb-doubt-${step}`);
    return;
  }
  let at = 0;
  for (let k = 0; k < words.count; k += 1) {
    const [from, to] = [words.from(k), words.to(k)];
    if (from > at) element.append(text.slice(at, from));
    const word = document.createElement("span");
    const step = doubtStep(words.score(k) ?? score);
    word.className = step ? `nb-word nb-doubt-${step}` : "nb-word";
    word.textContent = text.slice(from, to);
    word.nbWord = k;
    element.append(word);
    at = to;
  }
  if (at < text.length) element.append(text.slice(at));
}

function editedBadge(t) {
  return h("button.nb-badge.nb-badge-edited", {
    type: "button", tabindex: -1, title: t("read.edited_hint"), "aria-label": t("read.edited"),
  }, icon("edit"));
}

function doubtfulBadge(segment, t) {
  const why = doubtReasons(segment, t);
  return h("span.nb-badge.nb-badge-doubtful", { role: "img", title: why, "aria-label": why }, icon("warning"));
}

/** Why a segment is doubtful, in a sentence. `below`: the score in % under which a word is. */
export function doubtReasons({ flags, score, words }, t, below = 40) {
  const reasons = flags.map((flag) => (flag in FLAGS ? t(FLAGS[flag]) : flag));
  let least = score;
  for (let k = 0; k < (words?.count ?? 0); k += 1) {
    const sure = words.score(k);
    if (sure !== null && (least === null || sure < least)) least = sure;
  }
  if (least !== null && least < below) reasons.push(t("read.least_sure", { percent: least }));
  return t("read.doubtful_because", { reasons: reasons.join(t("read.and_reason")) });
}
