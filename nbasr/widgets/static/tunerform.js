// The settings of a plan: strategy, what counts as speech, how long chunks are; presets by name.

import { button, h, select, slider } from "./dom.js";

const STRATEGIES = ["optimal", "silence", "vad", "fixed"];
const KNOWN = {
  optimal: ["threshold", "min_pause", "margin", "min_seconds", "target_seconds", "max_seconds"],
  silence: ["threshold", "min_pause", "margin", "min_seconds", "target_seconds", "max_seconds"],
  vad: ["probability", "min_pause", "margin", "min_seconds", "target_seconds", "max_seconds"],
  fixed: ["threshold", "min_pause", "margin", "min_seconds", "max_seconds", "overlap"],
};
const MODES = ["auto", "above_floor", "absolute"];
const USUAL_DB = { above_floor: 12, absolute: -40 }; // where nothing is said, as in _tuner_settings.py
let forms = 0;

/** Settings with the threshold that holds where they name none. */
export function usual(settings) {
  const { threshold: mode, threshold_value: value } = settings;
  return { ...settings, threshold_value: value ?? USUAL_DB[mode] ?? null };
}

/**
 * @param frame the panel's
 * @param sound of `loadSound`: where its thresholds make sense
 * @param {(settings: object, changes: object) => void} onchange called at each step of a slider with
 *   all settings, and with those that it changed
 * @returns {{element: HTMLElement, show: (settings: object, plan?: object) => void,
 *   setThreshold: (mode: string, value: number) => void}}
 */
export function createTunerForm(frame, sound, onchange) {
  const { t, guard } = frame;
  const now = {};
  let adaptive = 30; // s that "adaptive" stands for
  const changed = guard((some) => {
    const before = { ...now };
    Object.assign(now, some);
    fit();
    show(now);
    onchange({ ...now }, Object.fromEntries(Object.entries(now).filter(([name, value]) => value !== before[name])));
  });

  const radios = strategyChoice(t, (strategy) => changed({ strategy }));
  const threshold = thresholdChoice(t, sound, changed);
  const set = (name) => (value) => changed({ [name]: value });
  const sliders = {
    probability: made(t, "probability", 0.05, 0.95, 0.05, "", set("probability")),
    min_pause: made(t, "min_pause", 0.05, 2, 0.05, "s", set("min_pause")),
    margin: made(t, "margin", 0, 1, 0.05, "s", set("margin")),
    min_seconds: made(t, "min_seconds", 0, 30, 0.5, "s", set("min_seconds")),
    target_seconds: made(t, "target_seconds", 0, 120, 0.5, "s", (value) => changed({ target_seconds: value || null })),
    max_seconds: made(t, "max_seconds", 0.5, 120, 0.5, "s", set("max_seconds")),
    overlap: made(t, "overlap", 0, 15, 0.5, "s", set("overlap")),
  };
  const parts = { ...sliders, threshold };

  const group = (key, ...names) =>
    h("fieldset.nb-set", {}, h("legend", {}, t(key)), names.map((name) => parts[name].element));
  sliders.target_seconds.element.querySelector(".nb-number").placeholder = t("tuner.unset");
  const element = h("div.nb-form", {},
    radios.element,
    h("div.nb-sets", {},
      group("tuner.speech_group", "threshold", "probability", "min_pause", "margin"),
      group("tuner.length_group", "min_seconds", "target_seconds", "max_seconds", "overlap")));

  /** Keep lengths possible: the shortest is at most half of the longest, the target between. */
  function fit() {
    const longest = numeric(now.max_seconds);
    if (now.min_seconds > longest / 2) now.min_seconds = longest / 2;
    if (now.target_seconds) {
      now.target_seconds = Math.min(Math.max(now.target_seconds, now.min_seconds ?? usualLeast()), longest);
    }
    if (now.overlap >= longest / 2) now.overlap = Math.max(Math.floor(longest - 0.5) / 2, 0);
  }

  const numeric = (seconds) => (typeof seconds === "number" ? seconds : adaptive);
  const usualLeast = () => Math.min(1, numeric(now.max_seconds) / 4);

  /** Show settings; `plan` tells what "adaptive" comes to. */
  function show(settings, plan = null) {
    Object.assign(now, settings);
    if (plan) adaptive = plan.max_seconds;
    const known = KNOWN[now.strategy] ?? KNOWN.optimal;
    for (const [name, part] of Object.entries(parts)) part.element.hidden = !known.includes(name);
    radios.show(now.strategy);
    threshold.show(now);
    for (const name of Object.keys(sliders)) {
      const value = now[name] ?? (name === "min_seconds" ? usualLeast() : 0);
      sliders[name].value = numeric(value);
    }
    const { element: target } = sliders.target_seconds;
    target.classList.toggle("nb-unset", !now.target_seconds);
    if (!now.target_seconds) target.querySelector(".nb-number").value = "";
  }

  return {
    element,
    show,
    /** Move the threshold, as its slider does: from a line dragged over the levels. */
    setThreshold: (mode, value) => changed({ threshold: mode, threshold_value: threshold.within(mode, value) }),
  };
}

function made(t, name, min, max, step, unit, oninput) {
  return slider({
    label: t(`tuner.${name}`), hint: t(`tuner.${name}_hint`), min, max, step, value: min, unit, oninput,
  });
}

/** Strategies as radio buttons side by side, and what the chosen one does. */
function strategyChoice(t, onchoose) {
  const name = `nb-strategy-${(forms += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  const told = h("p.nb-told", { id: `${name}-told` });
  const inputs = new Map();
  const choices = STRATEGIES.map((strategy) => {
    const input = h("input.nb-unseen", {
      type: "radio", name, value: strategy, "aria-describedby": told.id, onchange: () => onchoose(strategy),
    });
    inputs.set(strategy, input);
    return h("label.nb-choice", { title: t(`tuner.${strategy}_hint`) }, input,
      h("span", {}, t(`tuner.${strategy}`)));
  });
  const element = h("div.nb-strategy", {},
    h("fieldset.nb-choices", {}, h("legend.nb-unseen", {}, t("tuner.strategy")), choices), told);
  const show = (strategy) => {
    if (inputs.has(strategy)) inputs.get(strategy).checked = true;
    told.textContent = t(`tuner.${STRATEGIES.includes(strategy) ? strategy : "own"}_hint`);
  };
  return { element, show };
}

/** How loud speech is: found by itself, above the noise floor, or an absolute level. */
function thresholdChoice(t, sound, changed) {
  const floor = sound.noiseFloorDb;
  const range = {
    above_floor: { min: 1, max: Math.min(Math.max(Math.ceil(sound.loudDb - floor), 30), 100) },
    absolute: {
      min: Math.max(Math.floor(floor) - 5, -100),
      max: Math.min(Math.max(Math.ceil(sound.loudDb), Math.floor(floor) + 20), 0),
    },
  };
  const within = (mode, value) => {
    if (mode === "auto") return null;
    const { min, max } = range[mode];
    return Math.round(2 * Math.min(Math.max(value, min), max)) / 2;
  };
  const sliderOf = (mode, unit) => slider({
    label: t("tuner.threshold"), hint: t("tuner.threshold_hint"), ...range[mode], step: 0.5,
    value: range[mode].min, unit, oninput: (value) => changed({ threshold: mode, threshold_value: value }),
  });
  const above = sliderOf("above_floor", "dB");
  const absolute = sliderOf("absolute", "dBFS");
  let shown = { threshold: "auto", threshold_value: null };
  const choice = select({
    label: t("tuner.threshold_mode"), hidden: true, value: "auto",
    choices: MODES.map((mode) => [mode, t(`tuner.${mode}`, { db: tidy(sound.autoAboveDb) })]),
    onchange: (mode) => {
      const height = aboveFloor(shown); // the same place on another scale
      const value = { auto: null, above_floor: height, absolute: floor + height }[mode];
      changed({ threshold: mode, threshold_value: within(mode, value) });
    },
  });
  const aboveFloor = ({ threshold, threshold_value: value }) =>
    threshold === "auto" ? sound.autoAboveDb : threshold === "above_floor" ? value : value - floor;
  const element = h("div.nb-threshold", {}, choice.element, above.element, absolute.element);
  const show = (settings) => {
    shown = usual(settings);
    const mode = settings.threshold;
    choice.control.value = mode;
    above.element.hidden = mode === "absolute";
    absolute.element.hidden = mode !== "absolute";
    const at = mode === "absolute" ? absolute : above;
    at.value = mode === "auto" ? sound.autoAboveDb : shown.threshold_value;
  };
  return { element, show, within };
}

/**
 * Presets: choose one, save the settings under a name, delete one of one's own.
 * @param frame the panel's
 * @param {(answer) => void} onplan called with the plan of a preset that was applied
 */
export function createPresets(frame, onplan) {
  const { t, link, guard, say, fail } = frame;
  let presets = [];
  const choice = select({ label: t("tuner.preset"), choices: [], value: "", onchange: guard(apply) });
  const name = h("input.nb-input", {
    type: "text", maxlength: 80, placeholder: t("tuner.preset_name"), "aria-label": t("tuner.preset_name"),
    onkeydown: (event) => {
      if (event.key === "Enter") save();
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
    },
  });
  const save = guard(async () => {
    const wanted = name.value.trim();
    if (!wanted) return name.focus();
    show((await link.ask("save_preset", { name: wanted })).data, wanted);
    close();
    say(t("tuner.preset_saved", { name: wanted }));
  });
  const begin = button({ label: t("tuner.preset_save"), icon: "plus", showLabel: true, onclick: open });
  const remove = button({ label: t("tuner.preset_delete"), icon: "trash", onclick: guard(async () => {
    const gone = choice.control.value;
    show((await link.ask("delete_preset", { name: gone })).data);
    say(t("tuner.preset_deleted", { name: gone }));
    choice.control.focus();
  }) });
  const naming = h("span.nb-naming", { hidden: true }, name,
    button({ label: t("tuner.save"), primary: true, onclick: save }),
    button({ label: t("tuner.cancel"), onclick: close }));
  const element = h("div.nb-row.nb-presets", {}, choice.element, remove, begin, naming);

  function open() {
    naming.hidden = false;
    begin.hidden = true;
    name.value = chosen()?.own ? choice.control.value : "";
    name.focus();
    name.select();
  }

  function close() {
    const inside = naming.contains(naming.getRootNode().activeElement);
    naming.hidden = true;
    begin.hidden = false;
    if (inside) begin.focus();
  }

  const chosen = () => presets.find((preset) => preset.name === choice.control.value);
  const isOf = (preset, settings) => Object.entries(settings).every(([name, value]) => preset.settings[name] === value);
  const enable = () => (remove.hidden = !chosen()?.own);

  async function apply(wanted) {
    enable();
    if (!wanted) return;
    onplan(await link.ask("apply_preset", { name: wanted }));
    say(t("tuner.preset_applied", { name: chosen()?.text ?? wanted }));
  }

  for (const kind of ["save_preset", "delete_preset"]) {
    link.overhear(kind, ({ data }) => show(data, choice.control.value));
  }

  function show({ presets: given, note }, selected = "") {
    presets = given;
    const option = (preset) => h("option", { value: preset.name }, preset.text);
    const own = given.filter((preset) => preset.own).map(option);
    choice.control.replaceChildren(h("option", { value: "" }, t("tuner.preset_none")),
      ...given.filter((preset) => !preset.own).map(option),
      ...(own.length ? [h("optgroup", { label: t("tuner.preset_own") }, own)] : []));
    choice.control.value = selected;
    enable();
    if (note) fail(note);
  }

  return {
    element,
    load: guard(async (language) => show((await link.ask("presets", { language })).data)),
    /** Show which preset the settings are, if they are one. */
    follow(settings) {
      if (chosen() && isOf(chosen(), settings)) return;
      choice.control.value = presets.find((preset) => isOf(preset, settings))?.name ?? "";
      enable();
    },
  };
}

function tidy(value) {
  return String(Number(value.toFixed(1)));
}
