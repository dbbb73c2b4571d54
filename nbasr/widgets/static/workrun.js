// What a workbench tells under its bar: what a run will take, how far it is, what has come of it.

import { button, h, icon } from "./dom.js";
import { clockText, sizeText } from "./texts.js";
import { isActive } from "./workstate.js";

/**
 * @param frame of the panel
 * @param state of `createWorkState`
 * @param {{toModels: () => void, back: () => void}} actions `back`: a question had the focus
 * @returns {{element: HTMLElement, update: () => void, forecast: (found: object|null) => void,
 *   ask: (edits: number, yes: () => void) => void}}
 */
export function createWorkRun(frame, state, { toModels, back }) {
  const { t, say } = frame;
  const fill = h("div");
  const bar = h("div.nb-work-progress", {
    role: "progressbar", "aria-label": t("work.progress"), "aria-valuemin": 0, "aria-valuemax": 100, hidden: true,
  }, fill);
  const told = h("span.nb-work-told.nb-time");
  const heard = h("span.nb-work-heard.nb-dim");
  const models = button({ label: t("work.to_models"), showLabel: true, onclick: toModels });
  const details = h("details.nb-work-trace", {}, h("summary", {}, t("panel.details")), h("pre"));
  const line = h("div.nb-row.nb-work-line", {}, told, heard, models);
  const question = h("div.nb-row.nb-work-question", { role: "alertdialog", "aria-label": t("work.again"), hidden: true });
  const element = h("div.nb-work-run", {}, bar, line, details, question);
  let foreseen = null;
  let spoken = "";

  function update() {
    const { desk } = state;
    element.hidden = !desk;
    if (!desk) return;
    const { job } = desk;
    const busy = isActive(job);
    const failed = job?.state === "failed";
    bar.hidden = !busy;
    bar.classList.toggle("nb-unknown", busy && job.state !== "running");
    const share = job?.total ? Math.min(job.done / job.total, 1) : 0;
    fill.style.width = busy && job.state === "running" ? `${(100 * share).toFixed(1)}%` : "";
    if (job?.state === "running") bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    else bar.removeAttribute("aria-valuenow");
    element.classList.toggle("nb-work-failed", failed);
    const [text, symbol] = sentence(desk, job);
    element.classList.toggle("nb-work-warned", symbol === "warning" && !failed);
    told.replaceChildren(...(symbol ? [icon(symbol)] : []), h("span", {}, text));
    heard.textContent = busy ? job.text : "";
    heard.title = heard.textContent;
    models.hidden = !(failed && /Memory|Model/.test(job.kind)) && !(foreseen?.fits === false && !busy);
    details.hidden = !(failed && job.trace);
    details.querySelector("pre").textContent = job?.trace ?? "";
    announce(desk, job, text);
  }

  /** What there is to say, and the symbol before it. */
  function sentence(desk, job) {
    if (isActive(job)) return [running(job), ""];
    if (job?.state === "failed") return [job.error, "warning"];
    if (job && desk.lines !== null) {
      const values = { lines: t(desk.lines === 1 ? "work.lines_one" : "work.lines", { count: desk.lines }), model: job.model, time: clockText(job.elapsed, 0) };
      if (job.state === "stopped") return [t("work.stopped", { ...values, done: clockText(job.done, 0), total: clockText(job.total, 0) }), "warning"];
      const speed = job.speed ? t("work.speed", { speed: short(job.speed) }) : "";
      return [t("work.finished", { ...values, speed }), "check"];
    }
    return forecastLine(desk);
  }

  function running(job) {
    if (job.state === "waiting") return t("work.waiting");
    if (job.state === "loading") return t("work.loading", { model: job.model });
    const parts = [t("work.done_of", { done: clockText(job.done, 0), total: clockText(job.total, 0) })];
    if (job.speed) parts.push(t("work.speed", { speed: short(job.speed) }));
    if (job.left !== null && job.left !== undefined) parts.push(t("work.left", { time: clockText(job.left, 0) }));
    return parts.join(" · ");
  }

  function forecastLine(desk) {
    const parts = [t(desk.chunks === 1 ? "work.chunks_one" : "work.chunks", { count: desk.chunks })];
    if (!foreseen) return [parts[0], ""];
    const { seconds, memory_bytes: need, free_bytes: free, device, fits, note } = foreseen;
    if (note) return [note, "warning"];
    if (fits === false) return [t("tuner.memory_over", { need: sizeText(need), free: sizeText(free ?? 0), device }), "warning"];
    parts.push(foreseen.model);
    if (seconds !== null) parts.push(t("work.takes", { time: clockText(Math.max(seconds, 1), 0) }));
    if (need !== null) parts.push(t("tuner.memory_fits", { need: sizeText(need), free: sizeText(free ?? 0), device }));
    return [parts.join(" · "), ""];
  }

  /** Say aloud what has changed, not how far it is. */
  function announce(desk, job, text) {
    const now = `${desk.key} ${job?.state}`;
    if (now === spoken) return;
    if (spoken.startsWith(desk.key) && job) say(text);
    spoken = now;
  }

  return {
    element,
    update,
    /** Show what a run will take. */
    forecast(found) {
      foreseen = found;
      update();
    },
    /** Ask before a new text takes the place of one that was corrected. */
    ask(edits, yes) {
      const close = () => {
        question.hidden = true;
        line.hidden = false;
        back();
      };
      const go = button({ label: t("work.again_yes"), showLabel: true, primary: true, onclick: () => (close(), yes()) });
      question.replaceChildren(h("span", {}, t(edits === 1 ? "work.again_one" : "work.again_ask", { edits })), go,
        button({ label: t("work.again_no"), showLabel: true, onclick: close }));
      question.onkeydown = (event) => event.key === "Escape" && close();
      question.hidden = false;
      line.hidden = true;
      go.focus();
    },
  };
}

function short(speed) {
  return speed >= 100 ? String(Math.round(speed)) : speed.toPrecision(2);
}
