// A recording's waveform with all that belongs to it; panels that build on it add theirs.

import { h } from "./dom.js";
import { createPlayer } from "./player.js";
import { createRegions } from "./regions.js";
import { createSamples } from "./samples.js";
import { createSelectionBar } from "./selectionbar.js";
import { loadSound } from "./sound.js";
import { createSpectrogram } from "./spectrogram.js";
import { silenceBetween, speechSpans } from "./speech.js";
import { createTransport } from "./transport.js";
import { createViewTools } from "./viewtools.js";
import { createHead } from "./wavehead.js";
import { syncWave } from "./wavesync.js";
import { createWaveView } from "./waveview.js";

const MIN_PAUSE = 0.2; // s; what nbasr.chunking takes for a pause where nothing is said of it

/**
 * Make the parts of a waveform panel, wired together; the caller puts them up.
 * @param frame of the panel
 * @param context anywidget's
 * @param {{regions?: boolean, hint?: string}} options `hint`: what the mouse does, in place of the
 *   usual sentence
 * @returns {Promise<{sound, samples, player, view, transport, spectrogram, head: HTMLElement,
 *   tools: HTMLElement, selection: HTMLElement, regions: {element: HTMLElement}|null}>}
 */
export async function createWavePanel(frame, context, { regions = true, hint = "" } = {}) {
  const { model } = context;
  const { t } = frame;
  frame.root.classList.add("nbasr-with-wave");
  const sound = await loadSound(frame, context);
  frame.signal.throwIfAborted(); // what is made for a view that is gone would never be taken away
  const about = model.get("about");
  const samples = createSamples(frame.link, sound);
  const view = createWaveView(frame, sound, {
    samples, height: model.get("height"), name: about.name,
  });
  const player = createPlayer({ samples, sound, signal: frame.signal });
  const transport = createTransport(frame, sound, player, view);
  const spectrogram = createSpectrogram(frame, sound, view);
  const marks = regions ? createRegions(frame, context, view, player) : null;
  const viewTools = createViewTools(frame, view, spectrogram.button);
  const head = createHead(frame, sound, about);
  const selection = createSelectionBar(frame, view, {
    play: () => transport.playSelection(),
    mark: marks && (() => marks.add()),
    hint: hint || t("wave.select_hint"),
  });

  for (const { keys } of [transport, spectrogram, viewTools, ...(marks ? [marks] : [])]) view.addKeys(keys);
  view.setDescribed(head.described);
  const speech = speechSpans(sound, { mode: "auto", value: 0, minPause: MIN_PAUSE });
  view.setSilence(silenceBetween(speech, sound.duration));
  syncWave(context, frame, { view, player });
  return {
    sound, samples, player, view, transport, spectrogram,
    head: head.element,
    tools: h("div", {}, h("div.nb-row.nb-tools", {}, transport.element, h("span.nb-spacer"), viewTools.element), viewTools.list),
    selection: selection.element,
    regions: marks,
  };
}
