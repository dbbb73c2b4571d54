// The waveform that all panels share: what is seen, selected and played, with layers on top.

import { timeDigits } from "./axis.js";
import { h } from "./dom.js";
import { createGestures } from "./gestures.js";
import { createOverview } from "./overview.js";
import { createPainter } from "./painter.js";
import { RATE } from "./pyramid.js";
import { createShading } from "./shading.js";
import { clockText } from "./texts.js";
import { takesKey, waveKeys } from "./wavekeys.js";
import { createWaveLayers } from "./wavelayers.js";

const RULER = 20; // px
const OVERVIEW = 34; // px
const HEADROOM = 0.95; // of the height is what the loudest takes
const QUIETEST = 10 ** (-60 / 20); // a recording quieter than this is not blown up any further
const SETTLED_MS = 400; // a playhead that stands this long is told to screen readers

/**
 * @typedef {{z: number, draw: (ctx, view, colours) => void,
 *   drawOverview?: (ctx, width: number, height: number, colours) => void}} Layer
 * Below 20 it is under the waveform, above it over it; measures are CSS px. `remove()` is added.
 *
 * @typedef {{hit: (x: number, y: number) => {cursor?: string}|null,
 *   press?: (hit, time: number, event) => {move: (time, event) => void, end: () => void, cancel: () => void}|null,
 *   doubleClick?: (hit, time: number, event) => boolean|void}} Handle
 */

/**
 * Make the view of a sound.
 * @param frame of the panel
 * @param sound what `loadSound` gave
 * @param {{samples?: object, height?: number, name?: string}} options `samples` of `createSamples`;
 *   `name` of the recording
 */
export function createWaveView(frame, sound, { samples = null, height: waveHeight = 160, name = "" } = {}) {
  const { t, signal } = frame;
  const duration = Math.max(sound.duration, 1 / RATE);
  const shortest = Math.min(0.004, duration);
  const top = Math.max(sound.peak, QUIETEST) / HEADROOM;
  const listeners = { visible: new Set(), selection: new Set(), seek: new Set(), silence: new Set(), playhead: new Set() };
  const handles = [];
  const keys = [];
  const descriptions = [];
  const snaps = [];
  const help = new Map([[t("wave.view"), [
    ["← →", t("wave.key_move")], ["Shift ← →", t("wave.key_extend")], ["Ctrl ← →", t("wave.key_screen")],
    ["Home End", t("wave.key_ends")], ["+ −", t("wave.key_zoom")], ["0", t("wave.key_fit")],
    ["Z", t("wave.key_zoom_selection")], ["Esc", t("wave.key_clear")], ["Alt", t("wave.key_alt")],
  ]]]);
  let visible = { start: 0, stop: duration };
  let selection = null;
  let playhead = 0;
  let scale = "linear";
  let settling = 0;

  const ruler = h("canvas.nb-ruler", { style: { height: `${RULER}px` } });
  const canvas = h("canvas.nb-detail", { style: { height: `${waveHeight}px` } });
  const head = h("div.nb-head");
  const hover = h("div.nb-hover", { hidden: true }, h("span.nb-time"));
  const stage = h("div.nb-stage", {
    tabindex: 0, role: "slider", "aria-label": "", "aria-valuemin": 0, "aria-valuenow": 0,
    "aria-valuemax": duration.toFixed(3), "aria-orientation": "horizontal",
  }, ruler, canvas, hover, head);
  const described = h("span.nb-unseen", { id: `nb-wave-${Math.random().toString(36).slice(2, 8)}` });
  stage.setAttribute("aria-describedby", described.id);

  const painter = createPainter(frame, {
    stage, ruler, canvas, rulerHeight: RULER, waveHeight, view: () => view, overview: () => overview,
    after: () => placeHead(),
  });
  const view = {
    duration,
    shortest,
    /** Of the waveform alone, in CSS px. */
    waveHeight,
    /** Of the whole drawing: waveform and what lies under it. */
    get height() {
      return painter.height();
    },
    /** @type {"linear"|"decibel"} */
    get scale() {
      return scale;
    },
    set scale(to) {
      scale = to;
      view.redraw();
    },
    get width() {
      return painter.width;
    },
    get visible() {
      return visible;
    },
    get selection() {
      return selection;
    },
    get playhead() {
      return playhead;
    },
    set playhead(time) {
      playhead = within(time);
      placeHead();
      tell("playhead", playhead);
      clearTimeout(settling); // while it moves, nobody wants to be told ten times a second
      settling = setTimeout(describe, SETTLED_MS);
    },
    /** CSS px from the left edge of the drawing. */
    x: (time) => ((time - visible.start) / (visible.stop - visible.start)) * painter.width,
    timeAt: (x) => visible.start + (x / painter.width) * (visible.stop - visible.start),
    /** See from `start` to `stop`, moved or shortened where the recording ends. */
    show(start, stop) {
      const span = Math.min(Math.max(stop - start, shortest), duration);
      const from = Math.min(Math.max(start, 0), duration - span);
      if (!Number.isFinite(from) || (from === visible.start && from + span === visible.stop)) return;
      visible = { start: from, stop: from + span };
      painter.schedule("detail");
      overview.place();
      placeHead();
      stage.classList.toggle("nb-zoomed", span < duration * 0.999);
      tell("visible", visible);
    },
    /** Zoom in (above 1) or out, keeping a time where it is. */
    zoomBy(factor, atTime = middle()) {
      const span = Math.min(Math.max((visible.stop - visible.start) / factor, shortest), duration);
      const share = (atTime - visible.start) / (visible.stop - visible.start);
      view.show(atTime - share * span, atTime + (1 - share) * span);
    },
    fit: () => view.show(0, duration),
    /** Move on until a time is seen, if it is not. */
    reveal(time, margin = 0.1) {
      const span = visible.stop - visible.start;
      if (time >= visible.start && time <= visible.stop) return;
      if (time > visible.stop) view.show(time - margin * span, time + (1 - margin) * span);
      else view.show(time - (1 - margin) * span, time + margin * span);
    },
    /** Select a stretch, to the sample, as the kernel does; `null` for none. `by` tells listeners who did it. */
    select(start, stop, by = "") {
      const next = start === null ? null : { start: toSample(Math.min(start, stop)), stop: toSample(Math.max(start, stop)) };
      const same = next?.start === selection?.start && next?.stop === selection?.stop;
      selection = next && next.stop > next.start ? next : null;
      if (same) return;
      painter.schedule("detail");
      clearTimeout(settling);
      settling = setTimeout(describe, 50);
      tell("selection", selection, by);
    },
    /** Put the playhead somewhere and say so to the player. */
    seek(time) {
      view.playhead = time;
      tell("seek", playhead);
    },
    /** The nearest place worth stopping at: an edge of a pause, or what layers offer. */
    snap(time, event = null, reach = 8, except = []) {
      if (event?.altKey) return time;
      const most = (reach * (visible.stop - visible.start)) / painter.width;
      let best = time;
      let nearest = most;
      for (const offer of snaps) {
        for (const candidate of offer(time)) {
          if (except.includes(candidate)) continue;
          const distance = Math.abs(candidate - time);
          if (distance < nearest) [best, nearest] = [candidate, distance];
        }
      }
      return best;
    },
    addSnap: (offer) => snaps.push(offer),
    /** @type {(layer: Layer) => {remove: () => void}} */
    addLayer: painter.addLayer,
    /** @param {Handle} handle asked before the selection, the last added first */
    addHandle: (handle) => handles.unshift(handle),
    /** Be asked for keys while the wave has the focus, the last added first; true: handled. */
    addKeys: (handler) => keys.unshift(handler),
    /** Add rows to the list of keys: [keys, what they do]. */
    /** Add rows [keys, what they do] to the list of keys, under a title. */
    addHelp: (title, rows) => help.set(title, [...help.get(title) ?? [], ...rows]),
    /** The list of keys: titles with their rows, the last added first, as they are the panel's own. */
    help: () => [...help].reverse(),
    /** Add a sentence to what is said of the view. */
    addDescription(describer) {
      descriptions.push(describer);
      describe();
    },
    /**
     * Make room for another drawing under the waveform, in the same canvas: selection, playhead and
     * layers go through it. Its own zero is its upper edge; time is along it as above.
     * @type {(strip: {height: number, draw: (ctx, view, colours, height: number) => void,
     *   hidden?: boolean}) => {visible: boolean, height: number, redraw: () => void}}
     */
    addStrip: painter.addStrip,
    /** Draw at once what waits to be drawn: for measurements. */
    paint: painter.paint,
    /** Draw all anew in the next frame. */
    redraw: painter.redraw,
    on(event, listener) {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
    /** Shade where nobody speaks: start and stop in seconds by turns; `null` for nothing. */
    setSilence(pairs) {
      shading.set(pairs);
      painter.schedule("detail");
      tell("silence", pairs);
    },
    silence: () => shading.pairs,
    silenceAt: (time) => shading.around(time),
    colours: painter.colours,
    describe,
    /** Say what the recording is like, for those who do not see it. */
    setDescribed: (text) => (described.textContent = text),
    focus: () => stage.focus({ preventScroll: true }),
    stage,
    canvas,
    samples,
  };

  stage.nbView = view; // to look into from the console, and from tests
  const shading = createShading(view);
  const { layers, drawing } = createWaveLayers(frame, view, {
    sound, samples, top, shading, schedule: painter.schedule,
  });
  const overview = createOverview(view, { height: OVERVIEW, signal, drawing: () => drawing("overview") });
  layers.forEach(painter.addLayer);
  view.element = h("div.nb-wave", {}, overview.element, stage, described);
  view.addSnap((time) => shading.edgesNear(time));

  function within(time) {
    return Math.min(Math.max(time, 0), duration);
  }

  function toSample(time) {
    return within(Math.round(time * RATE) / RATE);
  }

  function middle() {
    const seen = playhead >= visible.start && playhead <= visible.stop;
    return seen ? playhead : (visible.start + visible.stop) / 2;
  }

  function tell(event, ...values) {
    for (const listener of listeners[event]) listener(...values);
  }

  function placeHead() {
    const x = view.x(playhead);
    head.hidden = x < -1 || x > painter.width + 1;
    head.style.transform = `translateX(${x}px)`;
    overview.placeHead(playhead);
  }

  function describe() {
    const digits = timeDigits((visible.stop - visible.start) / Math.max(painter.width, 1));
    const clock = (time) => clockText(time, Math.max(digits, 1));
    const parts = [t("wave.at", { time: clock(playhead), duration: clock(duration) })];
    parts.push(t("wave.showing", { start: clock(visible.start), stop: clock(visible.stop) }));
    if (selection) {
      const length = (selection.stop - selection.start).toFixed(2);
      parts.push(t("wave.selected", { start: clock(selection.start), stop: clock(selection.stop), length }));
    }
    for (const describer of descriptions) parts.push(describer());
    stage.setAttribute("aria-valuenow", playhead.toFixed(3));
    stage.setAttribute("aria-valuetext", parts.filter(Boolean).join(" "));
  }

  stage.setAttribute("aria-label", t("wave.label", { name }));
  const own = waveKeys(view);
  // Keys work wherever the focus is in the panel, unless what has it has a use for them itself.
  frame.root.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || takesKey(event)) return;
    const handled = keys.some((handler) => handler(event)) || own(event);
    if (!handled) return;
    event.preventDefault();
    describe();
  }, { signal });
  createGestures(view, { stage, canvas, hover, handles, signal, select: view.select });

  signal.addEventListener("abort", () => clearTimeout(settling));
  overview.place();
  describe();
  view.redraw();
  return view;
}
