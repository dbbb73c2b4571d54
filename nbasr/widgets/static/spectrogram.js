// The spectrogram under a waveform: tiles from the kernel for what is seen, kept for all panels.

import { colourMap } from "./colourmap.js";
import { button } from "./dom.js";
import { createRecent, pageWide } from "./pagewide.js";
import { askUntilAnswered } from "./patience.js";

/** Columns of a tile; a tile lasts 2**zoom seconds. */
export const TILE_COLUMNS = 256;
const MELS = 80;
const FINEST = -1; // zoom: 2 ms a column, while a column hears 25 ms
const COARSEST = 14; // 4.5 h
const FINE_ENOUGH = 0.75; // columns per pixel of the screen
const KEPT = 300; // tiles of all recordings of the page, 100 kB each
const AT_ONCE = 3;
const SETTLED_MS = 60; // a view that still moves asks for nothing
const QUIETER = 20; // dB; a band of noise has that much less than all bands together
const LEAST_RANGE = 30; // dB between noise and loud parts; a steady tone has none
const MARKS = [500, 1000, 2000, 4000]; // Hz

/**
 * Make the spectrogram of a view; hidden at first.
 * @param frame of a panel that answers "mel"
 * @param {{fingerprint: string, duration: number, noiseFloorDb: number, loudDb: number}} sound
 * @param view of `createWaveView`
 * @param {{height?: number}} options
 * @returns {{visible: boolean, toggle: () => void, setHeight: (px: number) => void,
 *   button: HTMLButtonElement, keys: (event: KeyboardEvent) => boolean}} `keys` is for
 *   `view.addKeys`
 */
export function createSpectrogram(frame, sound, view, { height = 96 } = {}) {
  const { t, signal } = frame;
  const tiles = pageWide("mel", () => createRecent(KEPT)); // key → {bytes, drawn: {theme → canvas}}
  const coming = new Set();
  const failed = new Set();
  const loud = Math.max(sound.loudDb, -60);
  const lowest = share(Math.min(Math.max(sound.noiseFloorDb, -90), loud - LEAST_RANGE) - QUIETER);
  const highest = share(loud);
  const maps = {};
  let wanted = []; // keys of what is seen and not here, the middle first
  let settling = 0;
  const strip = view.addStrip({ height, hidden: true, draw });
  const toggler = button({
    label: t("mel.show"), icon: "spectrogram", keys: "S", pressed: false, onclick: () => toggle(),
  });

  function toggle(is = !strip.visible) {
    strip.visible = is;
    if (!is) wanted = []; // what nobody sees is not asked for
    failed.clear(); // somebody who asks again means it
    toggler.setAttribute("aria-pressed", String(is));
    frame.say(t(is ? "mel.shown" : "mel.hidden"));
  }

  function keyOf(zoom, index) {
    return `${sound.fingerprint}:${zoom}:${index}`;
  }

  // -- Drawing ----------------------------------------------------------------------------------

  function draw(ctx, _, colours, high) {
    const theme = frame.root.dataset.theme === "dark" ? "dark" : "light";
    const dpr = window.devicePixelRatio || 1;
    const { start, stop } = view.visible;
    const zoom = zoomOf((view.width * dpr) / (stop - start));
    const seconds = 2 ** zoom;
    const first = Math.floor(start / seconds);
    const last = Math.floor(Math.min(stop, sound.duration - 1e-6) / seconds);
    const missing = [];
    let drawn = false;
    ctx.fillStyle = colours.raised;
    ctx.fillRect(0, 0, view.width, high);
    ctx.imageSmoothingQuality = "medium";
    for (let index = first; index <= last; index += 1) {
      const key = keyOf(zoom, index);
      if (!tiles.has(key)) missing.push({ key, zoom, index });
      drawn = drawTile(ctx, zoom, index, { theme, high, dpr }) || drawn;
    }
    if (!drawn) drawNote(ctx, colours, high);
    drawMarks(ctx, colours, high);
    wanted = missing;
    const middle = (first + last) / 2;
    wanted.sort((a, b) => Math.abs(a.index - middle) - Math.abs(b.index - middle));
    clearTimeout(settling);
    if (wanted.length) settling = setTimeout(askNext, SETTLED_MS);
  }

  /** Draw a tile; one that is on its way is a part of a coarser one meanwhile. True if there is one. */
  function drawTile(ctx, zoom, index, { theme, high, dpr }) {
    const from = index * 2 ** zoom;
    const to = Math.min(from + 2 ** zoom, sound.duration);
    const edge = (time) => Math.round(view.x(time) * dpr) / dpr; // no seams between tiles
    for (let coarser = zoom; coarser <= Math.min(zoom + 6, COARSEST); coarser += 1) {
      const seconds = 2 ** coarser;
      const at = Math.floor(from / seconds);
      const tile = tiles.get(keyOf(coarser, at));
      if (!tile) continue;
      const column = (time) => ((time - at * seconds) / seconds) * TILE_COLUMNS;
      const [x, left] = [edge(from), column(from)];
      ctx.drawImage(picture(tile, theme), left, 0, column(to) - left, MELS, x, 0, edge(to) - x, high);
      return true;
    }
    return false;
  }

  function drawNote(ctx, colours, high) {
    ctx.font = colours.font;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillStyle = colours.dim;
    ctx.fillText(t("mel.waiting"), view.width / 2, high / 2);
    ctx.textAlign = "left";
  }

  function picture(tile, theme) {
    if (tile.drawn[theme]) return tile.drawn[theme];
    const map = (maps[theme] ??= colourMap(theme, lowest, highest));
    const canvas = document.createElement("canvas");
    canvas.width = TILE_COLUMNS;
    canvas.height = MELS;
    const ctx = canvas.getContext("2d");
    const image = ctx.createImageData(TILE_COLUMNS, MELS);
    const pixels = new Uint32Array(image.data.buffer);
    for (let band = 0; band < MELS; band += 1) {
      const row = (MELS - 1 - band) * TILE_COLUMNS; // low bands are at the bottom
      for (let column = 0; column < TILE_COLUMNS; column += 1) {
        pixels[row + column] = map[tile.bytes[band * TILE_COLUMNS + column]];
      }
    }
    ctx.putImageData(image, 0, 0);
    tile.drawn[theme] = canvas;
    return canvas;
  }

  function drawMarks(ctx, colours, high) {
    ctx.font = colours.font;
    ctx.textBaseline = "middle";
    for (const hz of MARKS) {
      const y = Math.round(high * (1 - melShare(hz)));
      const text = hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`;
      ctx.fillStyle = colours.surface;
      ctx.globalAlpha = 0.75;
      ctx.fillRect(0, y - 7, ctx.measureText(text).width + 12, 14);
      ctx.globalAlpha = 1;
      ctx.fillStyle = colours.text;
      ctx.fillRect(0, y, 5, 1);
      ctx.fillText(text, 8, y + 0.5);
    }
  }

  // -- Tiles ------------------------------------------------------------------------------------

  function askNext() {
    for (const tile of wanted) {
      if (coming.size >= AT_ONCE) return;
      if (!coming.has(tile.key) && !failed.has(tile.key) && !tiles.has(tile.key)) ask(tile);
    }
  }

  async function ask({ key, zoom, index }) {
    coming.add(key);
    const seconds = 2 ** zoom;
    try {
      const values = { start: index * seconds, seconds, columns: TILE_COLUMNS };
      const { buffers: [bytes] } = await askUntilAnswered(() => frame.link.ask("mel", values, { aside: true }));
      const own = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength).slice();
      tiles.set(key, { bytes: own, drawn: {} });
    } catch (error) {
      if (signal.aborted) return;
      failed.add(key); // not for each frame again
      if (strip.visible) toggle(false);
      frame.fail(error);
    } finally {
      coming.delete(key);
    }
    strip.redraw();
    askNext();
  }

  signal.addEventListener("abort", () => clearTimeout(settling));
  view.addDescription(() => (strip.visible ? t("mel.described") : ""));
  view.addHelp?.(t("wave.view"), [["S", t("mel.show")]]);

  return {
    get visible() {
      return strip.visible;
    },
    set visible(is) {
      if (is !== strip.visible) toggle(is);
    },
    toggle: () => toggle(),
    setHeight(px) {
      strip.height = px;
    },
    button: toggler,
    keys(event) {
      if (event.key.toLowerCase() !== "s" || event.ctrlKey || event.metaKey || event.altKey) return false;
      if (!event.repeat) toggle();
      return true;
    },
  };
}

/** The zoom whose columns are about as wide as pixels; `pixels` per second. */
function zoomOf(pixels) {
  const zoom = Math.floor(Math.log2(TILE_COLUMNS / (FINE_ENOUGH * pixels)));
  return Math.min(Math.max(zoom, FINEST), COARSEST);
}

/** How far up a frequency is, 0..1 to 8 kHz: Slaney's mel scale, as librosa has it. */
export function melShare(hz) {
  const mel = (f) => (f < 1000 ? (3 * f) / 200 : 15 + (27 * Math.log(f / 1000)) / Math.log(6.4));
  return mel(hz) / mel(8000);
}

/** Decibels as a share of the bytes' range. */
function share(db) {
  return (db + 100) / 100;
}
