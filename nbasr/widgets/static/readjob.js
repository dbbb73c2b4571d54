// The row under the lines that tells how a running transcription gets on.

import { h } from "./dom.js";
import { clockText } from "./texts.js";

/**
 * @param frame of the panel
 * @returns {{element: HTMLElement, show: (job: object|null) => void}} `job`: state, done, total (s),
 *   left (s), speed, model
 */
export function createReadJob({ t, say }) {
  const bar = h("div.nb-read-bar", {
    role: "progressbar", "aria-label": t("read.job"), "aria-valuemin": 0, "aria-valuemax": 100,
  }, h("div.nb-read-done"));
  const text = h("span.nb-time");
  const element = h("div.nb-read-job.nb-progress-row", { hidden: true },
    bar, text);
  let told = "";

  function words({ state, done, total, left, speed, model }) {
    if (state === "waiting") return t("read.job_waiting");
    if (state === "loading") return t("read.job_loading", { model: model ?? "" });
    const parts = [t("read.job_done", { done: clockText(done ?? 0, 0), total: clockText(total ?? 0, 0) })];
    if (speed) parts.push(t("read.job_speed", { speed: speed < 10 ? speed.toFixed(1) : Math.round(speed) }));
    if (left) parts.push(t("read.job_left", { left: clockText(left, 0) }));
    return parts.join(" · ");
  }

  return {
    element,
    show(job) {
      element.hidden = !job;
      if (!job) {
        told = "";
        return;
      }
      const share = job.total ? Math.min((100 * (job.done ?? 0)) / job.total, 100) : 0;
      bar.setAttribute("aria-valuenow", share.toFixed(0));
      bar.firstChild.style.width = `${share}%`;
      text.textContent = words(job);
      if (job.state !== told) say(words(job)); // once for each state, not ten times a second
      told = job.state;
    },
  };
}
