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
  const wave = await createWavePanel(frame, context, { regions: false, hint: t("tuner.hint") });
  const { sound, view, player } = wave;
  let plan = null;
  let settings = null; // as the form has them

  // -- Parts ------------------------------------------------------------------------------------

  const planning = createPlanning(frame, guard(take), guard(restore));
  const form = createTunerForm(frame, sound, (next, changes) => {
    settings = next;
    presets.follow(next);
    shade();
    planning.want(changes);
  });
  const presets = createPresets(frame, (answer) => planning.take(answer));
  const levels = createLevelStrip(frame, view, sound, (mode, value) => form.setThreshold(mode, value));
  const cuts = createCuts(frame, view, {
    edit: (what) => planning.edit(what),
    hear: (time) => player.play({ start: Math.max(time - HEARD, 0), stop: Math.min(time + HEARD, sound.duration) }),
    onfocus: () => bar.show(plan),
  });
  const bar = createCutBar(frame, cuts);
  const figures = createFigures(frame, sound, { review: () => cuts.actions.nextBad() });
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
    label: t("tuner.transcribe_this"), icon: "text", showLabel: true, keys: "T", onclick: transcribeChunk,
  });
  const trySelection = button({
    label: t("tuner.transcribe_selection"), icon: "selection", showLabel: true, keys: "Shift+T", onclick: transcribeSelection,
  });
  const tryAll = button({
    label: t("tuner.transcribe_all"), icon: "text", showLabel: true,
    onclick: () => results.transcribe({ start: 0, stop: sound.duration }),
  });
  const reset = button({
    label: t("tuner.reset"), showLabel: true, onclick: () => planning.edit({ do: "reset" }),
  });
  reset.title = t("tuner.reset_hint");

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
    if (!planning.pending || !settings) restore();
    else if (settings.strategy === "vad") shade(); // else what is shown is ahead of this plan, as a slider moves
    cuts.show(plan, plan.speech, index);
    bar.show(plan);
    figures.show(plan);
    table.show(chunksOf(plan), plan);
    results.rename();
    if (reset.matches(":focus")) view.focus(); // it may go
    reset.hidden = !plan.edited && !plan.cuts.some((cut) => cut[2]);
    follow();
    settled();
  }

  /** Show what holds, where the kernel has refused something else. */
  function restore() {
    if (!plan) return;
    settings = plan.settings;
    form.show(settings, plan);
    presets.follow(settings);
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
    if (start <= 0 && stop >= sound.duration) return t("tuner.named_whole");
    const index = cuts.chunkAt((start + stop) / 2);
    if (index < 0) return t("tuner.named_stretch");
    const chunk = chunkOf(index);
    const is = Math.abs(chunk.start - start) < 1e-3 && Math.abs(chunk.stop - stop) < 1e-3;
    return is ? t("tuner.named_chunk", { number: index + 1 }) : t("tuner.named_stretch");
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
    const label = at < 0 ? t("tuner.transcribe_this") : t("tuner.transcribe_here", { number: at + 1 });
    tryChunk.querySelector("span").textContent = label;
    tryChunk.title = `${label} (T)`;
  }

  function playChunk() {
    const index = cuts.chunkAt(view.playhead);
    if (index >= 0) player.play(chunkOf(index));
    else frame.fail(t("tuner.no_chunks"));
  }

  function transcribeChunk() {
    const index = cuts.chunkAt(view.playhead);
    if (index >= 0) results.transcribe(chunkOf(index));
    else frame.fail(t("tuner.no_chunks"));
  }

  function transcribeSelection() {
    if (view.selection) results.transcribe({ ...view.selection });
    else frame.fail(t("tuner.no_selection"));
  }

  // -- Keys, descriptions, layout ---------------------------------------------------------------

  view.addKeys((event) => {
    const letter = event.key.toLowerCase();
    if (letter === "t" && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (event.shiftKey) transcribeSelection();
      else transcribeChunk();
      return true;
    }
    if (letter === "p" && !event.ctrlKey && !event.metaKey && !event.altKey) return playChunk(), true;
    return cuts.keyed(event);
  });
  form.element.addEventListener("keydown", (event) => {
    const typed = event.target.matches("input[type=text], input[type=number]"); // has an undo of its own
    if ((event.ctrlKey || event.metaKey) && !typed && cuts.keyed(event)) event.preventDefault();
  });
  view.stage.addEventListener("dblclick", (event) => {
    if (cuts.doubleClicked(event)) event.stopImmediatePropagation();
  }, { signal, capture: true });
  view.addHelp(t("tuner.cuts"), [
    ["[ ]", t("tuner.help_cuts")], ["{ }", t("tuner.help_bad")], ["P", t("tuner.play_here")],
    ["C", t("tuner.add_cut")], ["Delete", t("tuner.remove_cut")],
    ["K", t("tuner.lock_cut")], ["H", t("tuner.hear_cut_hint")], ["Alt ← →", t("tuner.move_cut")],
    ["Ctrl Z", t("tuner.undo")], ["Ctrl Y", t("tuner.redo")],
    ["T", t("tuner.transcribe_this")], ["Shift T", t("tuner.transcribe_selection")],
    [t("tuner.key_drag"), t("tuner.help_drag")], [t("tuner.key_drag"), t("tuner.levels_hint")],
    [t("tuner.key_double"), t("tuner.help_double")],
  ]);
  view.addDescription(() => (plan ? `${t("tuner.described", { chunks: figures.told() })} ${cuts.described()}.` : ""));
  view.on("playhead", follow);
  view.on("selection", () => (trySelection.disabled = !view.selection));
  trySelection.disabled = !view.selection;
  link.on("listening", ({ done }) => figures.listening(done));

  body.append(
    wave.head, wave.tools, view.element, bar.element, wave.selection,
    results.element,
    h("div.nb-board", {},
      h("div.nb-card.nb-form-card", {}, h("div.nb-row.nb-form-head", {}, presets.element, reset), form.element),
      h("div.nb-card", {}, figures.element, model.element)),
    h("div.nb-row.nb-actions", {}, tryChunk, trySelection, tryAll, h("span.nb-spacer"), code.element),
    code.shown, table.element);
  frame.root.nbTuner = { view, cuts, player, plan: () => plan }; // to look into, for tests too
  await planning.begin(t.language);
  await Promise.all([model.load(t.language), presets.load(t.language), results.load()]);
  if (plan) presets.follow(settings);
}

function chunksOf(plan) {
  return Array.from({ length: plan.chunks.length / 2 }, (_, at) => ({
    start: plan.chunks[2 * at], stop: plan.chunks[2 * at + 1],
  }));
}

function render(context) {
  const frame = createFrame(context, { kind: "tuner", title: "tuner.title" });
  frame.guard(show)(frame, context);
  return frame.end;
}

export default { render };
