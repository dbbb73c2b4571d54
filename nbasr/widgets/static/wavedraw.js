// Draws a stretch of waveform: outline and loudness from the pyramid, single samples when deep in.

import { amplitudeShare } from "./axis.js";
import { envelope, RATE } from "./pyramid.js";

export const RAW_BELOW = 128; // samples per px: from here on the samples themselves are drawn
const CURVE_BELOW = 2; // samples per column: from here on as a curve
const DOTS_ABOVE = 6; // px per sample: from here on each has a dot
const CORE_ABOVE = 0.005; // s per px: finer than that, loudness says no more than the outline

/**
 * @typedef {{sound, samples: object|null, start: number, stop: number, width: number,
 *   height: number, dpr: number, scale: "linear"|"decibel", top: number, colours: object,
 *   onready?: () => void, onfail?: (error: Error) => void}} Drawing `onready` is called when samples
 *   have come that were missing
 */

/** Draw a waveform over a canvas of CSS pixels. @param {Drawing} drawing */
export function drawWave(ctx, drawing) {
  const { sound, start, stop, width, height, dpr, scale, top, colours } = drawing;
  const half = height / 2;
  const share = amplitudeShare(scale, top);
  const y = (amplitude) => half - share(amplitude) * (half - 1);
  const columns = Math.max(Math.round(width * dpr), 1);
  const perColumn = ((stop - start) * RATE) / columns;
  const raw = ((stop - start) * RATE) / width < RAW_BELOW ? rawSamples(drawing) : null;
  ctx.fillStyle = colours.wave;
  ctx.strokeStyle = colours.wave;
  if (raw && perColumn < CURVE_BELOW) return drawCurve(ctx, drawing, raw, y);
  const drawn = raw ? rawEnvelope(raw, start, perColumn, columns) : envelope(sound.pyramid, start, stop, columns);
  const end = Math.min(Math.ceil(((sound.duration - start) / (stop - start)) * columns), columns);
  fillBetween(ctx, drawn, Math.max(end, 0), dpr, y, 1 / dpr);
  if ((stop - start) / width < CORE_ABOVE) return undefined;
  ctx.fillStyle = colours["wave-core"];
  fillBetween(ctx, loudness(sound, start, stop, drawn), Math.max(end, 0), dpr, y, 0);
  return undefined;
}

/** Fill each column from its lowest to its highest, at least `least` px thick. */
function fillBetween(ctx, drawn, columns, dpr, y, least) {
  if (!columns) return;
  const bottoms = new Float32Array(columns);
  ctx.beginPath();
  for (let column = 0; column < columns; column += 1) {
    let high = y(drawn[2 * column + 1]);
    let low = y(drawn[2 * column]);
    if (low - high < least) {
      const middle = (low + high) / 2;
      high = middle - least / 2;
      low = middle + least / 2;
    }
    bottoms[column] = low;
    ctx.lineTo(column / dpr, high); // in steps: a slope would cut the tips off
    ctx.lineTo((column + 1) / dpr, high);
  }
  for (let column = columns - 1; column >= 0; column -= 1) {
    ctx.lineTo((column + 1) / dpr, bottoms[column]);
    ctx.lineTo(column / dpr, bottoms[column]);
  }
  ctx.fill();
}

/** Root of the mean power per column, both ways from zero as far as the outline goes. */
function loudness(sound, start, stop, outline) {
  const columns = outline.length / 2;
  const drawn = new Float32Array(outline.length);
  const frames = (stop - start) / sound.frameSeconds / columns;
  const first = start / sound.frameSeconds;
  for (let column = 0; column < columns; column += 1) {
    const from = Math.floor(first + column * frames);
    const to = Math.max(Math.floor(first + (column + 1) * frames), from + 1);
    const rms = Math.sqrt(sound.power(from, to));
    drawn[2 * column] = Math.max(-rms, outline[2 * column]);
    drawn[2 * column + 1] = Math.min(rms, outline[2 * column + 1]);
  }
  return drawn;
}

/** The samples of a stretch and one on each side; null while they are on their way. */
function rawSamples({ sound, samples, start, stop, onready, onfail }) {
  if (!samples) return null;
  const first = Math.max(Math.floor(start * RATE) - 1, 0);
  const count = Math.min(Math.ceil(stop * RATE) + 2, sound.samples) - first;
  if (count <= 0) return null;
  const values = samples.peek(first, count);
  if (!values) samples.read(first, count).then(onready, onfail); // until then the outline
  return values ? { first, values } : null;
}

function rawEnvelope({ first, values }, start, perColumn, columns) {
  const drawn = new Float32Array(2 * columns);
  for (let column = 0; column < columns; column += 1) {
    const left = start * RATE + column * perColumn - first;
    const from = Math.max(Math.floor(left), 0);
    // One sample more than the column has: the outlines of neighbours meet, as the sound does.
    const to = Math.min(Math.floor(left + perColumn) + 1, values.length);
    if (from >= to) continue;
    let low = 32767;
    let high = -32768;
    for (let at = from; at < to; at += 1) {
      if (values[at] < low) low = values[at];
      if (values[at] > high) high = values[at];
    }
    drawn[2 * column] = low / 32768;
    drawn[2 * column + 1] = high / 32768;
  }
  return drawn;
}

function drawCurve(ctx, { start, stop, width }, { first, values }, y) {
  const perSample = width / ((stop - start) * RATE);
  const x = (at) => (first + at - start * RATE) * perSample;
  ctx.lineWidth = 1.5;
  ctx.lineJoin = "round";
  ctx.beginPath();
  for (let at = 0; at < values.length; at += 1) ctx.lineTo(x(at), y(values[at] / 32768));
  ctx.stroke();
  if (perSample < DOTS_ABOVE) return;
  ctx.beginPath();
  for (let at = 0; at < values.length; at += 1) {
    ctx.moveTo(x(at) + 2, y(values[at] / 32768));
    ctx.arc(x(at), y(values[at] / 32768), 2, 0, 2 * Math.PI);
  }
  ctx.fill();
}
