// What was recognised of single chunks and selections: shown under the wave, to check a plan by ear.

import { button, h, icon } from "./dom.js";
import { clockText } from "./texts.js";
import { intoClipboard } from "./tunercode.js";

/**
 * @param frame the panel's
 * @param {{play: (span) => void, reveal: (span) => void, model: () => string,
 *   onchange: () => void,
 *   named: (span: {start: number, stop: number}) => string}} options
 * @returns {{element: HTMLElement, transcribe: (span: {start: number, stop: number}) => void}}
 */
export function createResults(frame, { play, reveal, model, named, onchange }) {
  const { t, link, guard, say } = frame;
  const rows = new Map();
  const list = h("ul.nb-results-list", {});
  const element = h("div.nb-results", { role: "group", "aria-label": t("tuner.texts"), hidden: true }, list);
  link.on("progress", (content) => rows.get(keyOf(content))?.progress(content));
  link.overhear("transcribe", ({ data }) => add(data));

  const transcribe = guard(async ({ start, stop }) => {
    const key = keyOf({ start, stop });
    if (rows.get(key)?.busy) return;
    const row = rowOf({ start, stop });
    rows.get(key)?.element.remove();
    rows.set(key, row);
    place(row);
    element.hidden = false;
    row.element.scrollIntoView({ block: "nearest" });
    say(t("tuner.transcribing", { name: named({ start, stop }) }));
    try {
      const { data } = await link.ask("transcribe", { start, stop, model: model() }, { aside: true });
      row.done(data);
      onchange();
      say(`${named({ start, stop })}: ${data.text || t("tuner.no_text")}`);
    } catch (error) {
      row.failed(error);
      say(error.message);
    }
  });

  /** Show a text that was recognised before, or for another view. */
  function add(found) {
    const key = keyOf(found);
    if (rows.get(key)?.busy) return;
    rows.get(key)?.element.remove();
    const row = rowOf(found);
    rows.set(key, row);
    place(row);
    row.done(found);
    element.hidden = false;
    onchange();
  }

  /** Put a row where its time belongs. */
  function place(row) {
    const after = [...rows.values()].filter((other) => other.start > row.start)
      .sort((one, other) => one.start - other.start)[0];
    list.insertBefore(row.element, after?.element ?? null);
  }

  function rowOf(span) {
    const text = h("p.nb-text", {});
    const name = h("strong", {}, named(span));
    const facts = h("span.nb-dim", {});
    const copy = button({ label: t("tuner.copy_text"), icon: "copy", onclick: guard(async () => {
      const copied = await intoClipboard(text.textContent);
      rebadge(copied ? "check" : "warning");
      say(t(copied ? "tuner.copied" : "tuner.copy_refused"));
      if (!copied) getSelection().selectAllChildren(text);
    }) });
    const rebadge = (name) => {
      copy.querySelector(".nb-icon").replaceWith(icon(name));
      setTimeout(() => copy.querySelector(".nb-icon").replaceWith(icon("copy")), 1500);
    };
    copy.disabled = true;
    const row = {
      start: span.start,
      busy: true,
      text: "",
      rename: () => (name.textContent = named(span)),
      progress({ state, model: name, elapsed, text: told }) {
        if (!row.busy) return;
        facts.textContent = state === "loading" || state === "waiting"
          ? t(`tuner.transcribing_${state}`, { model: name })
          : t("tuner.transcribing_running", { model: name, elapsed: (elapsed ?? 0).toFixed(0) });
        if (told) text.textContent = told;
      },
      done(data) {
        idle();
        copy.disabled = !data.text;
        row.text = data.text;
        text.textContent = data.text || t("tuner.no_text");
        text.classList.toggle("nb-dim", !data.text);
        if (data.language) text.lang = data.language;
        facts.textContent = [data.model, data.seconds ? t("tuner.took", { seconds: data.seconds.toFixed(1) }) : "",
          data.complete === false ? t("tuner.interrupted") : "", ...(data.notes ?? [])].filter(Boolean).join(" · ");
      },
      failed(error) {
        idle();
        text.textContent = error.name === "AbortError" ? "" : error.message;
        text.classList.add("nb-bad");
        facts.textContent = "";
      },
    };
    const idle = () => {
      row.busy = false;
      made.removeAttribute("aria-busy");
      stop.hidden = true;
    };
    const stop = button({ label: t("tuner.stop"), icon: "stop", onclick: guard(() => link.ask("stop_transcribing", { start: span.start, stop: span.stop })) });
    facts.textContent = t("tuner.listening");
    const made = h("li.nb-result", { "aria-busy": "true" },
      h("div.nb-row", {},
        h("button.nb-link", { type: "button", onclick: () => reveal(span) }, name,
          h("span.nb-dim.nb-time", {}, `${clockText(span.start)} – ${clockText(span.stop)}`)),
        facts, h("span.nb-spacer"), stop,
        h("span.nb-buttons", {},
          button({ label: t("tuner.play_again"), icon: "play", onclick: () => play(span) }),
          copy,
          button({ label: t("tuner.put_away"), icon: "close", onclick: () => putAway(row, keyOf(span)) }))),
      text);
    row.element = made;
    return row;
  }

  function putAway(row, key) {
    rows.delete(key);
    row.element.remove();
    element.hidden = !rows.size;
    onchange();
  }

  return {
    element,
    transcribe,
    /** What was recognised of a stretch; empty if nothing was. */
    textOf: (span) => rows.get(keyOf(span))?.text ?? "",
    /** What the kernel has recognised before: for a panel that is shown a second time. */
    load: guard(async () => {
      const { data } = await link.ask("texts");
      data.texts.forEach(add);
    }),
    /** Name the rows anew: chunks have other numbers after an edit. */
    rename: () => rows.forEach((row) => row.rename()),
  };
}

/** Both sides know a stretch by its times, to the sample. */
function keyOf({ start, stop }) {
  return `${Math.round(start * 16000)}-${Math.round(stop * 16000)}`;
}
