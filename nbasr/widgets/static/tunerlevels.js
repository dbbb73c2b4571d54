// The level over time with the threshold across it: what the slider means, and a line to drag.

import { levelDb } from "./sound.js";
import { spanAfter } from "./speech.js";

const HEIGHT = 58; // CSS px
const GRIP = 7; // px around the line that take hold of it

/**
 * @param frame the panel's
 * @param view the wave view that it is a strip of
 * @param sound of `loadSound`
 * @param {(mode: string, value: number) => void} onthreshold called while the line is dragged
 */
export function createLevelStrip(frame, view, sound, onthreshold) {
  const { t } = frame;
  const floor = sound.noiseFloorDb;
  const low = Math.max(Math.min(floor - 8, -40), -100);
  const high = Math.min(Math.max(sound.loudDb + 8, low + 20), 0);
  const y = (db) => 4 + ((high - db) / (high - low)) * (HEIGHT - 8);
  const dbAt = (at) => high - ((at - 4) / (HEIGHT - 8)) * (high - low);
  let threshold = { mode: "auto", value: 0, known: true };
  let spans = new Float32Array(0);
  let held = false;
  let top = view.waveHeight; // px; other strips may come and go above this one

  // The slider does the same, with a label and by keyboard: nothing here needs to be told.
  const strip = view.addStrip({ height: HEIGHT, draw });
  view.addHandle({
    hit: (x, y) => (isNear(x, y - top) ? { cursor: "ns-resize" } : null),
    press() {
      held = true;
      const before = { ...threshold };
      const end = () => {
        held = false;
        strip.redraw();
      };
      return { edge: false, move: (time, event) => drag(time, event), end, cancel: () => {
        end();
        onthreshold(before.mode, before.value);
      } };
    },
  });

  function isNear(x, at) {
    if (!threshold.known || at < 0 || at > HEIGHT) return false;
    return Math.abs(y(thresholdAt(view.timeAt(x))) - at) <= GRIP;
  }

  function drag(time, event) {
    const db = dbAt(event.clientY - view.canvas.getBoundingClientRect().top - top);
    if (threshold.mode === "absolute") onthreshold("absolute", db);
    else onthreshold("above_floor", db - floorAt(time));
  }

  function draw(ctx, _, colours) {
    const { width } = view;
    const { a: scale, f: offset } = ctx.getTransform();
    top = offset / scale;
    ctx.fillStyle = colours.raised;
    ctx.fillRect(0, 0, width, HEIGHT);
    ctx.font = colours.font;
    const columns = columnsOf(width);
    drawScale(ctx, colours, width);
    const spoken = spokenColumns(columns.length);
    for (const is of [0, 1]) {
      ctx.fillStyle = is ? colours.wave : colours.edge;
      ctx.globalAlpha = is ? 1 : 0.5;
      for (let column = 0; column < columns.length; column += 1) {
        const at = Math.min(y(columns[column]), HEIGHT - 1);
        if (spoken[column] === is) ctx.fillRect(column, at, 1, HEIGHT - at);
      }
    }
    ctx.globalAlpha = 1;
    if (threshold.known) drawThreshold(ctx, colours, width);
  }

  let columns = { of: null, width: 0, found: null }; // of what was seen last: only the line moves

  /** The loudest frame of each column, in dBFS. */
  function columnsOf(width) {
    if (columns.of === view.visible && columns.width === width) return columns.found;
    const count = Math.max(Math.ceil(width), 1);
    const { start, stop } = view.visible;
    const scale = (stop - start) / width / sound.frameSeconds;
    const first = start / sound.frameSeconds;
    const found = new Float32Array(count);
    for (let column = 0; column < count; column += 1) {
      const from = Math.floor(first + column * scale);
      const to = Math.min(Math.max(Math.floor(first + (column + 1) * scale), from + 1), sound.levels.length);
      let most = 0;
      for (let at = Math.max(from, 0); at < to; at += 1) if (sound.levels[at] > most) most = sound.levels[at];
      found[column] = levelDb(most);
    }
    columns = { of: view.visible, width, found };
    return found;
  }

  /** Whether somebody speaks in the better part of each column. */
  function spokenColumns(count) {
    const { start, stop } = view.visible;
    const seconds = (stop - start) / count;
    const shares = new Float32Array(count);
    for (let at = 2 * spanAfter(spans, start); at < spans.length && spans[at] < stop; at += 2) {
      const from = Math.max((spans[at] - start) / seconds, 0);
      const to = Math.min((spans[at + 1] - start) / seconds, count);
      for (let column = Math.floor(from); column < to; column += 1) {
        shares[column] += Math.min(to, column + 1) - Math.max(from, column);
      }
    }
    return Uint8Array.from(shares, (share) => (share >= 0.5 ? 1 : 0));
  }

  function drawScale(ctx, colours, width) {
    ctx.strokeStyle = colours.line;
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (let db = Math.floor(high / 20) * 20; db > low; db -= 20) {
      ctx.moveTo(0, Math.round(y(db)) + 0.5);
      ctx.lineTo(width, Math.round(y(db)) + 0.5);
    }
    ctx.stroke();
  }

  /** The background's level at a time, in dBFS. */
  function floorAt(time) {
    const at = Math.min(Math.max(Math.floor(time / sound.frameSeconds), 0), sound.levels.length - 1);
    return at < 0 ? floor : levelDb(sound.levels[at]) - sound.excess[at];
  }

  const aboveFloor = () => (threshold.mode === "auto" ? sound.autoAboveDb : threshold.value);
  const thresholdAt = (time) => (threshold.mode === "absolute" ? threshold.value : floorAt(time) + aboveFloor());

  function line(ctx, width, levelAt) {
    ctx.beginPath();
    for (let x = 0; x <= width; x += 4) {
      const at = Math.min(Math.max(y(levelAt(view.timeAt(x))), 1), HEIGHT - 1);
      if (x) ctx.lineTo(x, at);
      else ctx.moveTo(x, at);
    }
  }

  function drawThreshold(ctx, colours, width) {
    if (threshold.mode !== "absolute") {
      ctx.setLineDash([3, 3]);
      ctx.strokeStyle = colours.dim;
      ctx.lineWidth = 1;
      line(ctx, width, floorAt);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    line(ctx, width, thresholdAt);
    ctx.lineJoin = "round";
    ctx.strokeStyle = colours.surface;
    ctx.lineWidth = 4;
    ctx.stroke();
    ctx.strokeStyle = colours.accent;
    ctx.lineWidth = held ? 2.5 : 1.75;
    ctx.stroke();
    const text = threshold.mode === "absolute"
      ? t("tuner.line_absolute", { db: number(threshold.value) })
      : t("tuner.line_above", { db: number(aboveFloor()) });
    const at = y(thresholdAt(view.timeAt(width - 20)));
    ctx.textAlign = "right";
    ctx.lineWidth = 4;
    ctx.strokeStyle = colours.surface;
    const baseline = at > 18 ? at - 5 : at + 14;
    ctx.strokeText(text, width - 8, baseline);
    ctx.fillStyle = colours.text;
    ctx.fillText(text, width - 8, baseline);
    ctx.textAlign = "left";
  }

  return {
    /** Show a threshold and what it makes of the sound; `known: false` for strategies without. */
    show(next, speech) {
      threshold = next;
      spans = speech;
      strip.redraw();
    },
  };
}

function number(value) {
  return Number(value.toFixed(1)).toString().replace("-", "−");
}
