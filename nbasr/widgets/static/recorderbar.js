// The bar that stands in the place of the buttons while the microphone is recorded.

import { button, h } from "./dom.js";
import { microphoneLack, microphoneTrouble, recordMicrophone } from "./microphone.js";
import { clockText } from "./texts.js";

const SILENT = 0.02; // of the meter; a microphone that is not muted gives more
const SILENT_MS = 3000;

/**
 * @param frame the panel's
 * @param {{onsource: (source) => {discard: () => void}, onopen: (open: boolean) => void}} options
 *   `onsource` is called with a source that grows from now on
 */
export function createRecorderBar({ t, signal, say }, { onsource, onopen }) {
  const time = h("span.nb-time.nb-clock-now", { role: "timer" });
  const level = h("div.nb-level", {
    role: "meter", "aria-label": t("upload.microphone_level"), "aria-valuemin": 0, "aria-valuemax": 100,
  }, h("div"));
  const silent = h("span.nb-warning", { role: "status", hidden: true }, t("upload.microphone_silent"));
  const stop = button({ label: t("upload.microphone_stop"), icon: "stop", showLabel: true, primary: true, onclick: () => session?.stop() });
  const discard = button({ label: t("upload.microphone_discard"), onclick: () => {
    taken?.discard();
    session?.stop();
  } });
  const element = h("div.nb-row.nb-recorder", { hidden: true },
    h("span.nb-red", { "aria-hidden": "true" }), time, level, silent, h("span.nb-spacer"), stop, discard);
  let session = null;
  let taken = null;
  let loud = 0;
  let starting = false;

  function draw() {
    if (!session || signal.aborted) return;
    const now = performance.now();
    const heard = session.level();
    if (heard > SILENT) loud = now;
    time.textContent = clockText(session.seconds());
    level.firstChild.style.width = `${(100 * heard).toFixed(1)}%`;
    level.setAttribute("aria-valuenow", Math.round(100 * heard));
    silent.hidden = now - loud < SILENT_MS;
    requestAnimationFrame(draw);
  }

  /** Begin to record; rejects with a sentence where that cannot be. */
  async function start() {
    const lack = microphoneLack();
    if (lack) throw new Error(t(lack));
    if (session || starting) return;
    starting = true;
    try {
      session = await recordMicrophone({ signal, onended: ended });
    } catch (error) {
      throw new Error(t(microphoneTrouble(error), { why: error.message }));
    } finally {
      starting = false;
    }
    session.source.name = `${t("upload.microphone_name", { date: now() })}.${session.source.ending}`;
    taken = onsource(session.source);
    loud = performance.now();
    element.hidden = false;
    onopen(true);
    say(t("upload.said_recording"));
    stop.focus();
    draw();
  }

  function ended() {
    session = null;
    element.hidden = true;
    onopen(false);
  }

  return { element, start };
}

/** 2026-11-21 15.30: as a file may be called. */
function now() {
  const date = new Date();
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}.${two(date.getMinutes())}`;
}
