// The two axes of a drawn waveform: round times along it, decibels across it.

import { clockText } from "./texts.js";

const STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
];
const APART = 76; // px between labels at least
const FINEST = 7; // px between ticks at least
export const RANGE_DB = 60; // what the decibel scale shows below the loudest

/** Seconds between labels, and between ticks, at a zoom. */
export function timeSteps(secondsPerPixel) {
  const label = STEPS.find((step) => step >= APART * secondsPerPixel) ?? 3600 * Math.ceil((APART * secondsPerPixel) / 3600);
  const finer = STEPS.filter((step) => step >= FINEST * secondsPerPixel && step < label && isWhole(label / step));
  return { label, tick: finer[0] ?? label };
}

/** Digits after the second that tell times apart at a zoom. */
export function timeDigits(secondsPerPixel) {
  return Math.min(Math.max(Math.ceil(-Math.log10(secondsPerPixel * 10)), 0), 4);
}

/** Draw ticks and times on a strip. */
export function drawRuler(ctx, view, height, colours) {
  const { start, stop } = view.visible;
  const { label, tick } = timeSteps((stop - start) / view.width);
  const digits = Math.max(0, Math.ceil(-Math.log10(label) - 1e-9));
  ctx.strokeStyle = colours.line;
  ctx.lineWidth = 1;
  ctx.beginPath();
  const last = Math.floor(stop / tick + 1e-6);
  for (let at = Math.ceil(start / tick - 1e-6); at <= last; at += 1) {
    const x = Math.round(view.x(at * tick)) + 0.5;
    const main = isWhole((at * tick) / label);
    ctx.moveTo(x, main ? height - 9 : height - 4);
    ctx.lineTo(x, height);
  }
  ctx.stroke();
  ctx.fillStyle = colours.dim;
  ctx.font = colours.font;
  ctx.textBaseline = "middle";
  for (let at = Math.ceil(start / label - 1e-6); at * label <= stop + 1e-9; at += 1) {
    const text = clockText(at * label, digits);
    const x = view.x(at * label) + 4;
    if (x + ctx.measureText(text).width < view.width + 2) ctx.fillText(text, x, height / 2 - 1);
  }
}

/**
 * Share of the half height that an amplitude takes.
 * @param {"linear"|"decibel"} scale
 * @param {number} top amplitude at the edge
 */
export function amplitudeShare(scale, top) {
  if (scale === "linear") return (amplitude) => Math.min(Math.max(amplitude / top, -1), 1);
  return (amplitude) => {
    const size = Math.abs(amplitude);
    if (!(size > 0)) return 0;
    const share = 1 + (20 * Math.log10(size / top)) / RANGE_DB;
    return share <= 0 ? 0 : Math.sign(amplitude) * Math.min(share, 1);
  };
}

/** Levels worth a line at a scale, the loudest first: decibels, and px from the middle. */
function levelLines(view, scale, top) {
  const share = amplitudeShare(scale, top);
  const half = view.waveHeight / 2;
  const lines = [];
  let taken = Infinity;
  for (const db of levelMarks(scale, 20 * Math.log10(top))) {
    const offset = share(10 ** (db / 20)) * (half - 1);
    if (offset < 14 || taken - offset < 15 || half - offset < 7) continue;
    taken = offset;
    lines.push({ db, offset });
  }
  return lines;
}

/** Draw faint lines at round levels, both ways from the middle. */
export function drawLevels(ctx, view, scale, top, colours) {
  const half = view.waveHeight / 2;
  ctx.strokeStyle = colours.line;
  ctx.globalAlpha = 0.5;
  ctx.beginPath();
  for (const { offset } of levelLines(view, scale, top)) {
    for (const y of [half - offset, half + offset]) {
      ctx.moveTo(0, Math.round(y) + 0.5);
      ctx.lineTo(view.width, Math.round(y) + 0.5);
    }
  }
  ctx.stroke();
}

/** Draw their decibels at the right edge, readable over any waveform. */
export function drawLevelTexts(ctx, view, scale, top, colours) {
  const half = view.waveHeight / 2;
  ctx.font = colours.small;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  ctx.lineJoin = "round";
  ctx.lineWidth = 3;
  ctx.strokeStyle = colours.surface;
  ctx.fillStyle = colours.dim;
  levelLines(view, scale, top).forEach(({ db, offset }, at) => {
    const text = `${db}`.replace("-", "−") + (at ? "" : " dB");
    ctx.strokeText(text, view.width - 4, half - offset);
    ctx.fillText(text, view.width - 4, half - offset);
  });
}

function levelMarks(scale, topDb) {
  if (scale === "decibel") {
    const marks = [];
    for (let db = Math.floor(topDb / 12) * 12; db > topDb - RANGE_DB; db -= 12) marks.push(db);
    return marks;
  }
  const first = Math.floor(topDb / 3 + 1e-6) * 3;
  return [first, first - 6, first - 12, first - 18];
}

function isWhole(value) {
  return Math.abs(value - Math.round(value)) < 1e-6;
}
