// What a plan comes to: how many chunks, how long, where they are cut, and what a model makes of it.

import { button, h, icon, select } from "./dom.js";
import { createHistogram } from "./histogram.js";
import { clockText, sizeText } from "./texts.js";

/**
 * @param {{review: () => void}} actions `review` goes to the next cut that may have hit a word
 * @returns {{element: HTMLElement, show: (plan: object) => void, told: () => string,
 *   listening: (done: number) => void}}
 */
export function createFigures(frame, sound, { review }) {
  const { t } = frame;
  const count = h("strong.nb-count", {});
  const lengths = h("span.nb-dim", {});
  const histogram = createHistogram(t);
  const cuts = figure(t, "cuts");
  const look = button({ label: t("tuner.review"), showLabel: true, keys: "}", onclick: review });
  look.title = `${t("tuner.review_hint")} (})`;
  const skipped = figure(t, "skipped");
  const padding = figure(t, "padding");
  const note = h("p.nb-note", { role: "status", hidden: true });
  const meter = h("progress.nb-meter", { max: 1, value: 0, "aria-label": t("tuner.listens"), hidden: true });
  const element = h("div.nb-figures", {},
    h("div.nb-figures-head", {}, count, lengths),
    histogram.element,
    h("dl.nb-list", {}, cuts.row, skipped.row, padding.row),
    note, meter);

  function show(plan) {
    const { settings } = plan;
    const found = plan.figures;
    count.textContent = t(found.chunks === 1 ? "tuner.chunk_one" : "tuner.chunk_count", { count: found.chunks });
    const same = found.shortest.toFixed(1) === found.longest.toFixed(1);
    lengths.textContent = found.chunks > 1 && !same
      ? t("tuner.lengths", {
          shortest: found.shortest.toFixed(1), longest: found.longest.toFixed(1), median: found.median.toFixed(1),
        })
      : found.chunks ? t("tuner.length_one", { seconds: found.longest.toFixed(1) }) : "";
    histogram.show(plan.histogram, {
      min: settings.min_seconds, target: settings.strategy === "fixed" ? null : settings.target_seconds, max: plan.max_seconds,
    });
    showCuts(plan, found);
    skipped.show(t("tuner.skipped_value", {
      time: clockText(found.skipped), speech: clockText(found.speech),
      share: percent(t, found.skipped / Math.max(sound.duration, 1e-9)),
    }));
    padding.show(t("tuner.padding_value", {
      order: percent(t, found.padding_in_order), sorted: percent(t, found.padding_by_length),
      size: found.batch_size,
    }));
    note.textContent = plan.note;
    note.hidden = !plan.note;
    if (plan.listening !== null && plan.listening !== undefined) listening(plan.listening);
    else meter.hidden = true;
  }

  /** How much of the recording the speech detector has heard. */
  function listening(done) {
    meter.hidden = done >= 1;
    meter.value = done;
  }

  const told = () => [count.textContent, cuts.text()].join("; ");

  function showCuts(plan, found) {
    const bad = found.short_pauses;
    const all = plan.cuts.length;
    if (!all) return cuts.show(t("tuner.cuts_none"));
    return bad
      ? cuts.show(t("tuner.cuts_short", { bad, all, share: percent(t, found.short_pause_share) }), "bad", look)
      : cuts.show(t(all === 1 ? "tuner.cuts_one" : "tuner.cuts_good", { all }), "good");
  }

  return { element, show, told, listening };
}

function figure(t, name) {
  const value = h("dd", {});
  const row = h("div", { title: t(`tuner.${name}_hint`) }, h("dt", {}, t(`tuner.${name}`)), value);
  const show = (text, state = "", ...more) => {
    const active = value.getRootNode().activeElement;
    value.replaceChildren(...(state ? [icon(state === "good" ? "check" : "warning")] : []), h("span", {}, text), ...more);
    if (more.includes(active)) active.focus({ preventScroll: true });
    value.className = state ? `nb-${state}` : "";
  };
  return { row, show, text: () => `${t(`tuner.${name}`)}: ${value.textContent}` };
}

/**
 * The model that is to transcribe, the memory it takes and how long it will.
 * @param frame the panel's
 * @param kernel anywidget's model, whose trait `model` is the choice
 */
export function createModelChoice(frame, kernel) {
  const { t, link, guard, signal } = frame;
  const choice = select({ label: t("tuner.model"), choices: [], value: "", onchange: guard((name) => {
    kernel.set("model", name);
    kernel.save_changes();
    return forecast(name);
  }) });
  const chosen = guard(async () => {
    if (choice.control.value === kernel.get("model")) return;
    choice.control.value = kernel.get("model");
    if (choice.control.selectedIndex < 0) await load();
    else await forecast();
  });
  kernel.on("change:model", chosen);
  signal.addEventListener("abort", () => kernel.off("change:model", chosen));
  const bar = h("div.nb-memory", { role: "img", hidden: true });
  const told = h("p.nb-told", { "aria-live": "off" });
  const element = h("div.nb-model", {}, choice.element, bar, told);
  let asked = 0;

  /** Tell what the chosen model, or another one that then is, needs for the plan as it is. */
  const forecast = guard(async (model = "") => {
    const number = (asked += 1);
    element.setAttribute("aria-busy", "true");
    if (!told.textContent) told.textContent = t("tuner.forecasting");
    try {
      const { data } = await link.ask("forecast", { model }, { aside: true });
      if (number === asked) show(data);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (number === asked) tell(error.message, "bad");
    } finally {
      if (number === asked) element.removeAttribute("aria-busy");
    }
  });

  function tell(text, state = "") {
    bar.hidden = true;
    told.replaceChildren(...(state ? [icon("warning")] : []), text);
    told.className = state ? "nb-told nb-bad" : "nb-told";
  }

  function show(found) {
    const time = found.seconds !== null ? t("tuner.takes", { time: spoken(t, found.seconds) }) : t("tuner.takes_unknown");
    told.title = found.basis ?? "";
    if (found.memory_bytes === null) return tell(found.note || time, found.note ? "bad" : "");
    const whole = Math.max(found.free_bytes ?? 0, found.memory_bytes);
    const part = (name, bytes) => h(`span.nb-part.nb-${name}`, { style: { width: `${(100 * bytes) / whole}%` } });
    bar.replaceChildren(part("weights", found.weights_bytes ?? 0),
      part("batch", Math.max(found.memory_bytes - (found.weights_bytes ?? 0), 0)));
    bar.hidden = false;
    bar.classList.toggle("nb-over", !found.fits);
    const memory = t(found.fits ? "tuner.memory_fits" : "tuner.memory_over", {
      need: sizeText(found.memory_bytes), free: sizeText(found.free_bytes ?? 0), device: found.device,
    });
    bar.setAttribute("aria-label", memory);
    const bad = !found.fits || found.chunks_too_long > 0;
    told.replaceChildren(...(bad ? [icon("warning")] : []), h("span", {}, [memory, found.note || time].join(" · ")));
    told.className = bad ? "nb-told nb-bad" : "nb-told";
    return undefined;
  }

  const load = guard(async (language = t.language) => {
    const { data } = await link.ask("models", { language });
    choice.control.replaceChildren(...data.choices.map(([name, text]) => h("option", { value: name }, text)));
    choice.control.value = data.chosen;
    await forecast();
  });

  return {
    element,
    forecast: () => forecast(),
    /** Offer the models that the kernel knows. */
    load,
    get value() {
      return choice.control.value;
    },
  };
}

function percent(t, share) {
  return t("tuner.percent", { number: Math.round(100 * share) });
}

/** About how long: 8 s, 3 min, 1 h 20 min. */
function spoken(t, seconds) {
  if (seconds < 90) return t("tuner.seconds", { count: Math.max(Math.round(seconds), 1) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return t("tuner.minutes", { count: minutes });
  return t("tuner.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}
