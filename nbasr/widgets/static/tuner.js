// The chunk tuner: where a recording is cut and why, tuned by sliders and by hand, heard and tried.

import { button, h } from "./dom.js";
import { createCutBar } from "./cutbar.js";
import { createCuts } from "./cuts.js";
import { createFrame } from "./frame.js";
import { createPlanning } from "./planning.js";
import { silenceBetween, speechSpans } from "./speech.js";
import { createCopyCode } from "./tunercode.js";
import { createFigures, createModelChoice } from "./tunerfigures.js";
import { createPresets, createTunerForm, usual } from "./tunerform.js";
import { createLevelStrip } from "./tunerlevels.js";
import { createResults } from "./tunerresults.js";
import { createChunkTable } from "./tunertable.js";
import { createWavePanel } from "./wavepanel.js";

const HEARD = 1; // s before and after a cut that is heard
const TOLD_MS = 900; // a plan that stands this long is told to screen readers

async function show(frame, context) {
  const { t, link, guard, body, signal } = frame;
  const wave = await createWavePanel(frame, context, { regions: false });
  const { sound, view, player } = wave;
  let plan = null;
  let settings = null; // as the form has them

  // -- Parts ------------------------------------------------------------------------------------

  const planning = createPlanning(frame, guard(take), guard(restore));
  const form = createTunerForm(frame, sound, (next) => {
    settings = next;
    presets.leave();
    shade();
    planning.want(next);
  });
  const presets = createPresets(frame, (answer) => planning.take(answer));
  const levels = createLevelStrip(frame, view, sound, (mode, value) => form.setThreshold(mode, value));
  const cuts = createCuts(frame, view, {
    edit: (what) => planning.edit(what),
    hear: (time) => player.play({ start: Math.max(time - HEARD, 0), stop: Math.min(time + HEARD, sound.duration) }),
    onfocus: () => bar.show(plan),
  });
  const bar = createCutBar(frame, cuts);
  const figures = createFigures(frame, sound);
  const model = createModelChoice(frame, context.model);
  const results = createResults(frame, {
    play: ({ start, stop }) => player.play({ start, stop }),
    reveal: reach,
    model: () => model.value,
    named: (span) => named(span),
    onchange: () => table.refresh(),
  });
  const table = createChunkTable(frame, {
    play: ({ start, stop }) => player.play({ start, stop }),
    transcribe: (chunk) => results.transcribe(chunk),
    textOf: (chunk) => results.textOf(chunk),
    reveal: ({ start, stop }) => {
      view.seek(start);
      reach({ start, stop });
    },
  });
  const code = createCopyCode(frame);
  const tryChunk = button({
    label: t("tune.transcribe_this"), icon: "text", showLabel: true, keys: "T", onclick: transcribeChunk,
  });
  const trySelection = button({
    label: t("tune.transcribe_selection"), icon: "selection", showLabel: true, keys: "Shift+T", onclick: transcribeSelection,
  });
  const reset = button({
    label: t("tune.reset"), showLabel: true, onclick: () => planning.edit({ do: "reset" }),
  });
  reset.title = t("tune.reset_hint");

  // -- From settings to what is seen ------------------------------------------------------------

  /** Shade silence as the settings have it, in this very frame; the kernel's plan comes after. */
  function shade() {
    const { threshold: mode, threshold_value: value, min_pause: minPause } = usual(settings);
    draw(settings.strategy === "vad" ? plan.speech : speechSpans(sound, { mode, value, minPause }));
  }

  function draw(speech) {
    const { threshold: mode, threshold_value: value, strategy } = usual(settings);
    view.setSilence(silenceBetween(speech, sound.duration));
    levels.show({ mode, value, known: strategy !== "vad" }, speech);
  }

  /** Show a plan of the kernel. */
  function take(next, index) {
    plan = next;
    if (planning.pending && settings) shade(); // a slider is ahead of this plan
    else restore();
    cuts.show(plan, plan.speech, index);
    bar.show(plan);
    figures.show(plan);
    table.show(chunksOf(plan), plan);
    results.rename();
    reset.hidden = !plan.edited && !plan.cuts.some((cut) => cut[2]);
    follow();
    settled();
  }

  /** Show what holds, where the kernel has refused something else. */
  function restore() {
    if (!plan) return;
    settings = plan.settings;
    form.show(settings, plan);
    draw(plan.speech);
  }

  let telling = 0;
  function settled() {
    clearTimeout(telling);
    telling = setTimeout(() => {
      view.describe();
      model.forecast();
      const { activeElement } = frame.root.getRootNode();
      if (form.element.contains(activeElement)) frame.say(figures.told());
    }, TOLD_MS);
  }
  signal.addEventListener("abort", () => clearTimeout(telling));

  // -- Chunks: the one under the playhead, and trying it ------------------------------------------

  const chunkOf = (index) => ({ start: plan.chunks[2 * index], stop: plan.chunks[2 * index + 1], index });

  function named({ start, stop }) {
    const index = cuts.chunkAt((start + stop) / 2);
    if (index < 0) return t("tune.named_stretch");
    const chunk = chunkOf(index);
    const is = Math.abs(chunk.start - start) < 1e-3 && Math.abs(chunk.stop - stop) < 1e-3;
    return is ? t("tune.named_chunk", { number: index + 1 }) : t("tune.named_stretch");
  }

  function reach({ start, stop }) {
    const span = view.visible.stop - view.visible.start;
    if (start >= view.visible.start && stop <= view.visible.stop) return;
    if (stop - start > span) view.show(start, stop);
    else view.show((start + stop - span) / 2, (start + stop + span) / 2);
  }

  let here = -1;
  function follow() {
    const at = cuts.chunkAt(view.playhead);
    table.mark(at);
    if (at === here) return;
    here = at;
    tryChunk.disabled = at < 0;
    const label = at < 0 ? t("tune.transcribe_this") : t("tune.transcribe_here", { number: at + 1 });
    tryChunk.querySelector("span").textContent = label;
    tryChunk.title = `${label} (T)`;
  }

  function transcribeChunk() {
    const index = cuts.chunkAt(view.playhead);
    if (index >= 0) results.transcribe(chunkOf(index));
    else frame.fail(t("tune.no_chunks"));
  }

  function transcribeSelection() {
    if (view.selection) results.transcribe({ ...view.selection });
    else frame.fail(t("tune.no_selection"));
  }

  // -- Keys, descriptions, layout ---------------------------------------------------------------

  view.addKeys((event) => {
    const letter = event.key.toLowerCase();
    if (letter === "t" && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (event.shiftKey) transcribeSelection();
      else transcribeChunk();
      return true;
    }
    return cuts.keyed(event);
  });
  form.element.addEventListener("keydown", (event) => {
    const typed = event.target.matches("input[type=text], input[type=number]"); // has an undo of its own
    if ((event.ctrlKey || event.metaKey) && !typed && cuts.keyed(event)) event.preventDefault();
  });
  view.stage.addEventListener("dblclick", (event) => {
    if (cuts.doubleClicked(event)) event.stopImmediatePropagation();
  }, { signal, capture: true });
  view.addHelp([
    ["[ ]", t("tune.help_cuts")], ["C", t("tune.add_cut")], ["Delete", t("tune.remove_cut")],
    ["K", t("tune.lock_cut")], ["H", t("tune.hear_cut_hint")], ["Alt+← →", t("tune.move_cut")],
    ["Ctrl+Z", t("tune.undo")], ["Ctrl+Y", t("tune.redo")],
    ["T", t("tune.transcribe_this")], ["Shift+T", t("tune.transcribe_selection")],
    [t("tune.key_drag"), t("tune.help_drag")], [t("tune.key_double"), t("tune.help_double")],
  ]);
  view.addDescription(() => (plan ? `${t("tune.described", { chunks: figures.told() })} ${cuts.described()}.` : ""));
  view.addLayer({ z: 1, draw: follow });
  view.on("selection", () => (trySelection.disabled = !view.selection));
  trySelection.disabled = !view.selection;
  wave.selection.querySelector(".nb-hint").textContent = t("tune.hint"); // double clicks cut here
  link.on("listening", ({ done }) => figures.listening(done));
  link.on("problem", () => {
    if (plan && plan.listening !== null) planning.begin(t.language); // the detector cannot be had
  });

  body.append(
    wave.head, wave.tools, view.element, bar.element, wave.selection,
    results.element,
    h("div.nb-board", {},
      h("div.nb-card.nb-form-card", {}, h("div.nb-row.nb-form-head", {}, presets.element, reset), form.element),
      h("div.nb-card", {}, figures.element, model.element)),
    h("div.nb-row.nb-actions", {}, tryChunk, trySelection, h("span.nb-spacer"), code.element),
    code.shown, table.element);
  frame.root.nbTuner = { view, cuts, player, plan: () => plan }; // to look into, for tests too
  await planning.begin(t.language);
  await Promise.all([model.load(t.language), presets.load(t.language), results.load()]);
}

function chunksOf(plan) {
  return Array.from({ length: plan.chunks.length / 2 }, (_, at) => ({
    start: plan.chunks[2 * at], stop: plan.chunks[2 * at + 1],
  }));
}

function render(context) {
  const frame = createFrame(context, { kind: "tuner", title: "tune.title" });
  frame.guard(show)(frame, context);
}

export default { render };
