// When the current line begins and ends: typed, nudged by arrow keys, or taken from the playhead.

import { clockField } from "./clockfield.js";
import { button, disable, h } from "./dom.js";

const SETTLED_MS = 400; // nudges that come in a row are one edit

/**
 * @param frame of the panel
 * @param {{store, lines, view, player}} parts
 * @returns {{element: HTMLElement, show: () => void, take: (part: "start"|"stop") => void}}
 */
export function createLineTimes(frame, { store, lines, view, player }) {
  const { t, guard } = frame;
  const { shortest, duration } = view;
  let line = null; // {id, start, stop} as shown
  let changed = false;
  let timer = 0;

  const field = (part) => clockField({
    label: t(`edit.${part}`), value: 0, most: duration, t,
    onchange: (to) => line && change({ ...line, [part]: to }, field_[part].element),
  });
  const field_ = { start: null, stop: null };
  field_.start = field("start");
  field_.stop = field("stop");
  const length = h("span.nb-time.nb-dim.nb-line-length");
  const told = h("span.nb-bad", { role: "alert", hidden: true });
  const fromHead = {
    start: button({ label: t("edit.start_here"), icon: "setstart", keys: "[", onclick: () => take("start") }),
    stop: button({ label: t("edit.stop_here"), icon: "setstop", keys: "]", onclick: () => take("stop") }),
  };
  const element = h("span.nb-row.nb-linetimes", { role: "group", "aria-label": t("edit.times") },
    h("span.nb-group", {}, fromHead.start), field_.start.element, h("span.nb-dim", {}, "–"), field_.stop.element,
    h("span.nb-group", {}, fromHead.stop), length, told);

  /** Show the line that is current now. */
  function show() {
    const segment = lines.current >= 0 && lines.current < store.count ? store.at(lines.current) : null;
    if (changed && segment?.id === line?.id) return; // what was typed is on its way
    if (changed) flush();
    line = segment && { id: segment.id, start: segment.start, stop: segment.stop };
    const off = !line || !store.editable;
    for (const part of ["start", "stop"]) {
      disable(field_[part].element, off, lines);
      disable(fromHead[part], off, lines);
    }
    told.hidden = true;
    if (line) fill();
  }

  function fill() {
    field_.start.value = line.start;
    field_.stop.value = line.stop;
    length.textContent = t("wave.length", { seconds: Math.max(line.stop - line.start, 0).toFixed(2) });
  }

  function change(to, element_) {
    line = to;
    length.textContent = t("wave.length", { seconds: (to.stop - to.start).toFixed(2) });
    clearTimeout(timer);
    if (to.stop - to.start < shortest) return refuse(t("edit.times_order"), element_);
    for (const part of ["start", "stop"]) field_[part].element.removeAttribute("aria-invalid");
    told.hidden = true;
    changed = true;
    timer = setTimeout(flush, SETTLED_MS);
    return undefined;
  }

  function refuse(text, element_) {
    changed = false;
    told.textContent = text;
    told.hidden = false;
    element_?.setAttribute("aria-invalid", "true");
  }

  const flush = guard(async () => {
    clearTimeout(timer);
    if (!changed) return;
    changed = false;
    const { id, start, stop } = line;
    try {
      await store.edit("times", { id, start, stop });
      if (line?.id === id && !changed && told.hidden) show(); // what was refused meanwhile stays
    } catch (error) {
      if (line?.id !== id) throw error;
      refuse(error.message, null);
    }
  });

  /** Let the line begin or end where the playhead is. */
  function take(part) {
    if (!line || !store.editable) return;
    const time = Math.round(player.time() * 1000) / 1000;
    const to = { ...line, [part]: time };
    field_[part].value = time;
    change(to, field_[part].element);
    if (changed) flush();
    frame.say(`${t(`edit.${part}`)} ${field_[part].element.value}`);
  }

  element.addEventListener("focusout", (event) => {
    if (element.contains(event.relatedTarget)) return;
    if (changed) flush();
    else if (!told.hidden) show(); // what is impossible goes when it is left
  });
  frame.signal.addEventListener("abort", () => clearTimeout(timer));

  return { element, show, take };
}
