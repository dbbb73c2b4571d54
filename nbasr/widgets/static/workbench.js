// The workbench: recording, cuts, transcript and models as steps of one panel.

import { button, h } from "./dom.js";
import { createFrame } from "./frame.js";
import { clockText } from "./texts.js";
import { createWorkBar } from "./workbar.js";
import { createMounts, hush } from "./workmount.js";
import { createWorkRun } from "./workrun.js";
import { createWorkStart } from "./workstart.js";
import { createWorkState, isActive } from "./workstate.js";
import { createWorkTabs } from "./worktabs.js";

const LOOK_MS = 300; // what changes again within this is looked at once

function render(context) {
  const frame = createFrame(context, { kind: "workbench", title: "work.title" });
  const { t, link, guard, signal } = frame;
  const state = createWorkState(context, frame);

  // -- Parts ------------------------------------------------------------------------------------

  const show = (tab) => {
    state.set("tab", tab);
    update();
  };
  const tabs = createWorkTabs(frame, show);
  const begin = guard(async () => {
    await link.ask("transcribe", { language: t.language }, { aside: true });
  });
  const transcribe = () => {
    const edits = state.desk?.edits ?? 0;
    if (edits) run.ask(edits, begin);
    else begin();
  };
  const bar = createWorkBar(frame, state, { transcribe, stop: guard(() => link.ask("stop")) });
  const run = createWorkRun(frame, state, { toModels: () => show("models"), back: () => bar.begin.focus() });
  const start = createWorkStart(frame);
  const mounts = createMounts(frame, context);
  const slots = Object.fromEntries(["upload", "waveform", "tuner", "reader", "models"].map((name) => [name, mounts.slot()]));
  const toRecording = (text) => h("div.nb-work-none", {}, h("p", {}, text),
    button({ label: t("work.bring"), icon: "upload", showLabel: true, onclick: () => show("recording") }));
  const noCuts = toRecording(t("work.no_cuts"));
  const noText = toRecording(t("work.no_text"));
  const notYet = h("div.nb-work-none", {}, h("p", {}, t("work.not_yet")),
    button({ label: t("work.transcribe"), icon: "text", showLabel: true, primary: true, onclick: transcribe }));
  tabs.pages.recording.append(slots.upload.element, start.element, slots.waveform.element);
  tabs.pages.cuts.append(noCuts, slots.tuner.element);
  tabs.pages.transcript.append(noText, notYet, slots.reader.element);
  tabs.pages.models.append(slots.models.element);

  // -- What is shown ----------------------------------------------------------------------------

  let shown = "";

  function update() {
    const { desk } = state;
    const panels = state.get("panels") ?? {};
    const tab = state.get("tab");
    if (shown && tab !== shown) hush(tabs.pages[shown]);
    shown = tab;
    const of = (name) => (desk ? panels[`${desk.key}/${name}`] : undefined);
    mounts.keep(Object.values(panels));
    tabs.show(tab, details(desk));
    const some = (state.get("desks") ?? []).length > 0;
    const began = start.element.matches(":focus-within"); // what has the focus is about to go
    start.show(!some);
    tabs.pages.recording.classList.toggle("nb-work-some", some);
    // What is not seen is not made: a canvas without a size draws nothing.
    if (tab === "recording") {
      slots.upload.show(panels.upload);
      slots.waveform.show(of("waveform"));
    } else if (tab === "cuts") slots.tuner.show(of("tuner"));
    else if (tab === "transcript") slots.reader.show(of("reader"));
    else slots.models.show(panels.models);
    noCuts.hidden = noText.hidden = desk !== null;
    const text = desk && (desk.lines !== null || isActive(desk.job) || of("reader"));
    notYet.hidden = !desk || Boolean(text);
    tabs.pages.transcript.classList.toggle("nb-work-reading", Boolean(of("reader")));
    bar.update();
    run.update();
    if (began && some) bar.begin.focus();
    lookSoon(desk);
  }

  function details(desk) {
    if (!desk) return {};
    const { job, lines, edits } = desk;
    const text = isActive(job) ? t("work.detail_busy")
      : edits ? t(edits === 1 ? "work.edits_one" : "work.edits", { count: edits })
        : lines !== null ? t(lines === 1 ? "work.lines_one" : "work.lines", { count: lines }) : "";
    return {
      recording: clockText(desk.duration, 0),
      cuts: t(desk.chunks === 1 ? "work.detail_chunks_one" : "work.detail_chunks", { count: desk.chunks }),
      transcript: text,
    };
  }

  // -- What could be done ---------------------------------------------------------------------------

  let lookedAt = "";
  let looking = 0;
  signal.addEventListener("abort", () => clearTimeout(looking));

  /** Ask what there is to choose from, and what a run will take, when that may have changed. */
  function lookSoon(desk) {
    if (!desk) return;
    const models = state.get("tab") === "models" ? "there" : "";
    const now = [desk.key, desk.chunks, desk.job?.state, state.get("model"), state.get("precision"), models].join(" ");
    if (now === lookedAt) return;
    lookedAt = now;
    clearTimeout(looking);
    looking = setTimeout(guard(look), LOOK_MS);
  }

  link.on("look", () => { // models came or went
    lookedAt = "";
    lookSoon(state.desk);
  });

  async function look() {
    const asked = lookedAt;
    const { data } = await link.ask("look", { language: t.language }, { aside: true });
    if (asked !== lookedAt) return;
    bar.offer(data);
    run.forecast(data.forecast ?? null);
  }

  // -- Files dropped beside the panel that takes them -------------------------------------------------

  const brings = (event) => !event.defaultPrevented && event.dataTransfer?.types.includes("Files");
  frame.root.addEventListener("dragover", (event) => brings(event) && event.preventDefault(), { signal });
  frame.root.addEventListener("drop", (event) => {
    if (!brings(event)) return;
    event.preventDefault(); // else the browser would leave the notebook for the file
    show("recording");
    const taker = frame.root.querySelector(".nbasr-upload");
    taker?.dispatchEvent(new DragEvent("drop", { dataTransfer: event.dataTransfer, cancelable: true }));
  }, { signal });

  frame.body.append(tabs.element, bar.element, run.element, ...Object.values(tabs.pages));
  state.on(update);
  state.tell();
  guard(start.load)();
  frame.root.nbWorkbench = { state, mounts }; // to look into, for tests too
  return frame.end;
}

export default { render };
