// The action bar of a workbench: which recording, which model, and the button that transcribes.

import { button, h, select } from "./dom.js";
import { clockText } from "./texts.js";
import { isActive } from "./workstate.js";

/**
 * @param frame of the panel
 * @param state of `createWorkState`
 * @param {{transcribe: () => void, stop: () => void}} actions
 * @returns {{element: HTMLElement, update: () => void, offer: (found: object) => void}}
 */
export function createWorkBar(frame, state, { transcribe, stop }) {
  const { t, link, guard } = frame;
  const recordings = select({
    label: t("work.which"), choices: [], value: "", hidden: true,
    onchange: guard((key) => link.ask("choose", { key }, { aside: true })),
  });
  const only = h("span.nb-work-name");
  const models = select({ label: t("tuner.model"), choices: [], value: "", onchange: (name) => state.set("model", name) });
  models.control.append(h("option", { value: "auto" }, t("work.model_auto")));
  const precisions = select({
    label: t("work.precision"), choices: [["auto", "auto"]], value: "auto", hidden: true,
    onchange: (name) => state.set("precision", name),
  });
  precisions.element.title = t("work.precision_hint");
  precisions.element.hidden = true; // until it is known which there are
  const words = h("input", { type: "checkbox", onchange: () => state.set("timestamps", words.checked ? "word" : "segment") });
  const wordBox = h("label.nb-work-check", {}, words, t("work.words"));
  const begin = button({ label: t("work.transcribe"), icon: "text", showLabel: true, primary: true, onclick: transcribe });
  const end = button({ label: t("work.stop"), icon: "stop", showLabel: true, onclick: stop });
  begin.classList.add("nb-work-begin");
  end.classList.add("nb-work-end");
  const element = h("div.nb-row.nb-work-bar", { role: "group", "aria-label": t("work.bar") },
    recordings.element, only, models.element, precisions.element, wordBox, h("span.nb-spacer"), begin, end);
  let wordsPossible = null; // not known yet

  function listed(desk) {
    const { job, lines } = desk;
    const percent = job?.total ? Math.floor((100 * job.done) / job.total) : 0;
    if (isActive(job)) return t("work.listed_busy", { name: desk.name, percent });
    if (lines !== null && job?.state === "stopped") return t("work.listed_part", { name: desk.name });
    if (lines !== null) return t("work.listed_done", { name: desk.name });
    return desk.name;
  }

  /** Keep a list as it is where it says the same already: a list that is open stays open. */
  function fill(control, choices, value) {
    const told = JSON.stringify(choices);
    if (control.nbTold !== told) {
      control.replaceChildren(...choices.map(([key, text]) => h("option", { value: key }, text)));
      control.nbTold = told;
    }
    if (control.value !== value) control.value = value;
  }

  function update() {
    const { desk, busy } = state;
    const desks = state.get("desks") ?? [];
    element.hidden = !desk;
    if (!desk) return;
    recordings.element.hidden = desks.length < 2;
    only.hidden = desks.length > 1;
    only.textContent = desk.name;
    only.title = `${desk.name} · ${clockText(desk.duration, 0)}`;
    fill(recordings.control, desks.map((one) => [one.key, listed(one)]), desk.key);
    if (models.control.value !== state.get("model")) {
      const name = state.get("model");
      if (![...models.control.options].some((one) => one.value === name)) {
        models.control.append(h("option", { value: name }, name.split(/[\\/]/).at(-1)));
      }
      models.control.value = name;
    }
    precisions.control.value = state.get("precision");
    const wanted = state.get("timestamps");
    words.checked = wanted === "word" || (wanted === "auto" && wordsPossible !== false);
    wordBox.title = wordsPossible === false ? t("work.words_none") : t("work.words_hint");
    const had = begin.matches(":focus") || end.matches(":focus");
    begin.hidden = busy;
    end.hidden = !busy;
    if (had) (busy ? end : begin).focus();
    for (const control of [models.control, precisions.control, words]) control.disabled = busy;
    words.disabled ||= wordsPossible === false;
    begin.querySelector("span").textContent = desk.lines === null ? t("work.transcribe") : t("work.again");
    begin.classList.toggle("nb-primary", desk.lines === null);
  }

  return {
    element,
    update,
    begin,
    /** Offer what the kernel has found: models, precisions, times of words. */
    offer({ models: choices, precisions: kinds, words: possible }) {
      fill(models.control, choices, state.get("model"));
      fill(precisions.control, kinds, state.get("precision"));
      precisions.element.hidden = kinds.length < 2;
      wordsPossible = possible;
      update();
    },
  };
}
