// One row of the upload panel: what it is, how far it is, what can be done with it.

import { button, h, icon } from "./dom.js";
import { clockText, sizeText } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const WAVE = "0 0 160 32"; // as the kernel draws it

/**
 * @param t
 * @param entry the queue's
 * @param {{remove, retry, keep, listen: (entry, button) => void}} actions
 * @returns {{element: HTMLElement, update: (state: string) => void}}
 */
export function createUploadRow(t, entry, actions) {
  const picture = h("div.nb-picture");
  const name = h("div.nb-name");
  const told = h("div.nb-told");
  const bar = h("div.nb-bar", { role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, h("div"));
  const problems = h("div.nb-problems");
  const tools = h("div.nb-tools");
  const element = h("li.nb-upload", {}, picture, h("div.nb-about", {}, name, bar, told, problems), tools);
  let shown = null;

  function update(state) {
    const { row } = entry;
    element.dataset.state = state;
    name.textContent = row.name;
    name.title = row.source || row.name;
    told.replaceChildren(...says(t, entry, state));
    progress(state);
    const key = `${state} ${row.id} ${row.name}`;
    if (key === shown) return; // buttons stay as they are, and keep the focus
    shown = key;
    picture.replaceChildren(row.recording ? wave(t, row) : icon(PICTURES[row.kind] ?? "text"));
    problems.replaceChildren(...(row.recording?.problems ?? []).map(warning));
    const focused = tools.contains(document.activeElement);
    tools.replaceChildren(...buttons(state));
    if (focused) tools.lastElementChild?.focus();
  }

  function progress(state) {
    const { row } = entry;
    const busy = !isHeard(entry) && ["waiting", "sending", "fetching", "checking", "opening", "interrupted"].includes(state);
    bar.hidden = !busy;
    if (!busy) return;
    const counted = ["sending", "fetching", "interrupted"].includes(state) && row.size;
    const share = counted ? Math.floor((100 * row.received) / row.size) : null;
    bar.classList.toggle("nb-unknown", share === null && state !== "waiting");
    bar.setAttribute("aria-label", t("upload.progress", { name: row.name }));
    bar.setAttribute("aria-valuetext", told.textContent);
    if (share === null) bar.removeAttribute("aria-valuenow");
    else bar.setAttribute("aria-valuenow", share);
    bar.firstChild.style.width = share === null ? "" : `${share}%`;
  }

  function buttons(state) {
    const { row } = entry;
    const values = { name: row.name };
    const made = [];
    const retries = state === "problem" && row.again && (entry.source || row.kept || row.kind === "url" || row.kind === "path");
    if (state === "ready") {
      const listen = button({ label: t("upload.listen", values), icon: "play", onclick: () => actions.listen(entry, listen) });
      made.push(listen);
    }
    if (retries) made.push(named(button({ label: t("upload.retry_short"), onclick: () => actions.retry(entry) }), t("upload.retry", values)));
    if (state === "interrupted" && row.kind === "microphone") {
      made.push(named(button({ label: t("upload.keep"), onclick: () => actions.keep(entry) }), t("upload.keep_named", values)));
    }
    if (isHeard(entry)) return made; // the bar of the microphone has its own
    const going = ["waiting", "sending", "fetching", "checking", "opening"].includes(state);
    const label = going ? "upload.cancel" : state === "interrupted" ? "upload.discard" : "upload.remove";
    made.push(button({ label: t(label, values), icon: "close", onclick: () => actions.remove(entry) }));
    return made;
  }

  return { element, update };
}

/** Give a button a name that tells it from those of other rows; it begins as the text on it. */
function named(made, name) {
  made.setAttribute("aria-label", name);
  return made;
}

const PICTURES = { file: "spectrogram", microphone: "mic", url: "link", path: "folder" };

/** The second line of a row. */
function says(t, entry, state) {
  const { row } = entry;
  const sized = () => ({ received: sizeText(row.received), size: row.size ? sizeText(row.size) : "…" });
  if (state === "problem") return [warning(row.note ? t(row.note[0], row.note[1]) : row.problem)];
  if (state === "same") return [line(t(row.note[0], row.note[1]))];
  if (state === "ready") return [line([...factsOf(t, row.recording), row.size ? sizeText(row.size) : null, row.note ? t(row.note[0], row.note[1]) : null])];
  if (state === "interrupted") {
    return [line(t(row.kind === "microphone" ? "upload.state_interrupted_microphone" : "upload.state_interrupted", sized()))];
  }
  if (state === "waiting") return [line([row.size ? sizeText(row.size) : null, t("upload.state_waiting")])];
  if (state === "checking") return [line(t("upload.state_checking"))];
  if (state === "opening") return [line(t("upload.state_opening"))];
  if (isHeard(entry)) return [line(t(entry.stalled ? "upload.state_stalled" : "upload.state_heard", sized()))];
  if (entry.comparing) return [line(t("upload.state_comparing"))];
  if (entry.stalled) return [line([amount(t, row, sized), t("upload.state_stalled")])];
  const left = entry.rate > 0 && row.size ? (row.size - row.received) / entry.rate : null;
  return [line([
    amount(t, row, sized),
    entry.rate > 0 ? t("upload.state_rate", { rate: sizeText(entry.rate) }) : null,
    left !== null && left >= 1 ? t("upload.state_left", { time: clockText(left, 0) }) : null,
  ])];
}

/** Whether a row is what the microphone hears now. */
function isHeard({ row, source }) {
  return row.kind === "microphone" && source !== null && !source.ended && ["waiting", "sending"].includes(row.state);
}

function amount(t, row, sized) {
  return row.size ? t("upload.state_sending", sized()) : t("upload.state_fetching", sized());
}

/** Length, rate, channels and codec of a recording. */
export function factsOf(t, recording) {
  const count = recording.channels;
  return [
    clockText(recording.duration),
    `${Number((recording.sample_rate / 1000).toFixed(3))} kHz`,
    t(count === 1 ? "upload.channel_one" : "upload.channel_many", { count }),
    recording.codec,
  ];
}

function line(parts) {
  const text = [parts].flat().filter(Boolean).join(" · ");
  return h("span", {}, text);
}

function warning(text) {
  return h("span.nb-warning", {}, icon("warning"), h("span", {}, text));
}

function wave(t, row) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", WAVE);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", t("upload.wave", { name: row.name }));
  const shape = document.createElementNS(SVG, "polygon");
  shape.setAttribute("points", row.recording.wave);
  svg.append(shape);
  return svg;
}
