// Draws the canvases of a waveform: at most once per frame, and only those that have changed.

import { drawRuler } from "./axis.js";
import { themeColours } from "./theme.js";

const COLOURS = [
  "text", "dim", "surface", "raised", "line", "edge", "accent", "on-accent", "wave", "wave-core", "silence",
  "select", "chunk-a", "chunk-b", "cut", "cut-bad", "cut-locked", "playhead", "region", "region-edge",
  "region-tab", "region-text", "good", "warn", "bad", "line-band",
];

/**
 * @param frame of the panel
 * @param {{stage: HTMLElement, ruler: HTMLCanvasElement, canvas: HTMLCanvasElement,
 *   rulerHeight: number, waveHeight: number, overview: () => {draw: (layers) => void},
 *   view: () => object, after: () => void}} parts `after` is called when all is drawn
 */
export function createPainter(frame, { stage, ruler, canvas, rulerHeight, waveHeight, overview, view, after }) {
  const { signal } = frame;
  const layers = [];
  const strips = [];
  let width = 0;
  let colours = null;
  let pending = 0;
  let stale = { detail: true, overview: true };

  function schedule(what) {
    stale[what] = true;
    pending ||= requestAnimationFrame(paint);
  }

  function redraw() {
    schedule("detail");
    schedule("overview");
  }

  function height() {
    return strips.reduce((sum, strip) => sum + (strip.hidden ? 0 : strip.height), waveHeight);
  }

  function resize() {
    canvas.style.height = `${height()}px`;
    schedule("detail");
  }

  function prepare(target, high) {
    const dpr = window.devicePixelRatio || 1;
    const [wide, tall] = [Math.round(width * dpr), Math.round(high * dpr)];
    if (target.width !== wide) target.width = wide;
    if (target.height !== tall) target.height = tall;
    const ctx = target.getContext("2d");
    ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
    ctx.clearRect(0, 0, width, high);
    return ctx;
  }

  function paint() {
    pending = 0;
    if (signal.aborted) return;
    width = stage.clientWidth;
    if (!width) return; // nobody sees it; the size observer calls again
    const todo = stale;
    stale = { detail: false, overview: false };
    if (todo.overview) overview().draw(layers);
    if (!todo.detail) return;
    const now = theirs();
    drawRuler(prepare(ruler, rulerHeight), view(), rulerHeight, now);
    const ctx = prepare(canvas, height());
    let y = waveHeight;
    for (const strip of strips.filter(({ hidden }) => !hidden)) {
      ctx.save();
      ctx.translate(0, y);
      strip.draw(ctx, view(), now, strip.height);
      ctx.restore();
      y += strip.height;
    }
    for (const layer of layers) {
      ctx.save();
      layer.draw(ctx, view(), now);
      ctx.restore();
    }
    after();
  }

  function theirs() {
    colours ??= {
      ...themeColours(frame.root, COLOURS),
      font: `11px ${getComputedStyle(frame.root).fontFamily}`,
      small: `10px ${getComputedStyle(frame.root).fontFamily}`,
    };
    return colours;
  }

  const sizes = new ResizeObserver(() => {
    if (stage.clientWidth !== width) redraw();
  });
  sizes.observe(stage);
  signal.addEventListener("abort", () => {
    sizes.disconnect();
    cancelAnimationFrame(pending);
  });
  /** Another screen has other pixels: draw for them. */
  function followPixels() {
    const now = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    now.addEventListener("change", () => {
      redraw();
      followPixels();
    }, { signal, once: true });
  }
  followPixels();
  frame.onrestyle(() => {
    colours = null;
    redraw();
  });

  return {
    schedule,
    redraw,
    paint,
    height,
    colours: theirs,
    get width() {
      return width;
    },
    addLayer(layer) {
      layers.push(layer);
      layers.sort((a, b) => a.z - b.z);
      redraw();
      return { ...layer, remove: () => (layers.splice(layers.indexOf(layer), 1), redraw()) };
    },
    addStrip({ height: tall, draw, hidden = false }) {
      const strip = { height: tall, draw, hidden };
      strips.push(strip);
      resize();
      return {
        get visible() {
          return !strip.hidden;
        },
        set visible(is) {
          strip.hidden = !is;
          resize();
        },
        get height() {
          return strip.height;
        },
        set height(to) {
          strip.height = to;
          resize();
        },
        redraw: () => schedule("detail"),
      };
    },
  };
}
