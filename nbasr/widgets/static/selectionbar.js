// The row under a waveform: what is selected, to the hundredth, and what can be done with it.

import { button, h } from "./dom.js";
import { clockField } from "./clockfield.js";
import { zoomToSelection } from "./wavekeys.js";

/**
 * @param {{play: () => void, mark?: () => void, hint: string}} options `mark` makes the selection a
 *   region; `hint` is shown while nothing is selected
 * @returns {{element: HTMLElement}}
 */
export function createSelectionBar(frame, view, { play, mark = null, hint: told }) {
  const { t } = frame;
  const hint = h("span.nb-dim.nb-hint", {}, told);
  const { shortest, duration } = view;
  const start = clockField({
    label: t("wave.selection_start"), value: 0, most: duration - shortest, t,
    onchange: (to) => view.selection && view.select(to, Math.max(view.selection.stop, to + shortest), "field"),
  });
  const stop = clockField({
    label: t("wave.selection_stop"), value: 0, least: shortest, most: duration, t,
    onchange: (to) => view.selection && view.select(Math.min(view.selection.start, to - shortest), to, "field"),
  });
  const length = h("span.nb-time.nb-dim");
  const zoom = button({ label: t("wave.zoom_selection"), icon: "zoomin", keys: "Z", onclick: () => zoomToSelection(view) });
  const clear = button({ label: t("wave.clear"), icon: "close", keys: "Esc", onclick: clearIt });
  const region = mark && button({ label: t("wave.mark"), icon: "plus", keys: "R", showLabel: true, onclick: mark });
  const playIt = button({ label: t("play.selection"), icon: "play", keys: "Enter", onclick: play });
  const some = h("div.nb-row", {},
    h("span", {}, t("wave.selection")), start.element, h("span.nb-dim", {}, "–"), stop.element, length,
    playIt, zoom, region, clear);
  const element = h("div.nb-row.nb-selection", { role: "group", "aria-label": t("wave.selection") }, hint, some);

  function clearIt() {
    view.select(null);
    view.focus();
  }

  function update() {
    const { selection } = view;
    const lost = selection === null && some.matches(":focus-within");
    hint.hidden = selection !== null;
    some.hidden = selection === null;
    if (lost) view.focus(); // the next key would be the notebook's: D D deletes the cell
    if (!selection) return;
    start.value = selection.start;
    stop.value = selection.stop;
    length.textContent = t("wave.length", { seconds: (selection.stop - selection.start).toFixed(2) });
  }

  view.on("selection", update);
  update();
  return { element };
}
