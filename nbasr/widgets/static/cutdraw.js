// Draws a plan over the waveform: chunks as bands, what is left out hatched, cuts as lines.

const SHORT_PAUSE = 0.2 - 1e-6; // s; as nbasr.chunking tells them

const BAD = 3; // px, width of a cut that may have hit a word
const PIN = 5; // px, half the width of the mark at the top of a cut
const PINS_APART = 14; // px between cuts from which on they have marks
const CROWDED = 3; // px between cuts below which only the bad ones are drawn: the sound stays seen
const LEAST_LABEL = 20; // px of a chunk below which nothing can be written on it
const SCALE = 34; // px at the right edge that the dB scale takes

/**
 * @typedef {{chunks: Float64Array, cuts: [number, number, number][], too_long: number[],
 *   max_seconds: number}} Plan cuts are [seconds, pause, locked]
 */

/** Whether a cut in such a pause may have hit a word. */
export function isBad(pause) {
  return pause < SHORT_PAUSE;
}

/** Chunks as alternating bands with their numbers, left-out stretches hatched. */
export function drawBands(ctx, view, colours, plan, held) {
  const first = firstAfter(plan.chunks, view.visible.start);
  const seen = firstAfter(plan.chunks, view.visible.stop) - first;
  if (seen * CROWDED > view.width) {
    ctx.fillStyle = colours["chunk-a"];
    ctx.fillRect(0, 0, view.width, view.waveHeight);
    return;
  }
  let end = first > 0 ? plan.chunks[2 * first - 1] : 0;
  for (const { index, from, to } of chunksSeen(view, plan, held)) {
    hatch(ctx, view, colours, end, from);
    end = to;
    ctx.fillStyle = colours[index % 2 ? "chunk-b" : "chunk-a"];
    ctx.fillRect(view.x(from), 0, view.x(to) - view.x(from), view.waveHeight);
  }
  const next = firstAfter(plan.chunks, end);
  if (end < view.visible.stop) hatch(ctx, view, colours, end, plan.chunks[2 * next] ?? view.duration);
}

/** Numbers and lengths of chunks, where there is room; too long ones are told from the others. */
export function drawLabels(ctx, view, colours, plan, { t, ...held }) {
  const tooLong = new Set(plan.too_long);
  ctx.font = colours.font;
  ctx.textBaseline = "alphabetic";
  for (const { index, from, to } of chunksSeen(view, plan, held)) {
    const left = view.x(from);
    const width = view.x(to) - left;
    const moves = held.moved !== null && (index === held.dragged || index === held.dragged + 1);
    const isLong = moves ? to - from > plan.max_seconds + 1e-6 : tooLong.has(index);
    if (isLong) {
      ctx.fillStyle = colours["cut-bad"];
      ctx.fillRect(left, view.waveHeight - 4, width, 4);
    }
    if (width >= LEAST_LABEL) label(ctx, view, colours, { left, width, index, seconds: to - from, isLong, plan, t });
  }
}

/** The chunks that are seen, with the edges that a cut in motion gives them. */
function* chunksSeen(view, { chunks }, { dragged, moved }) {
  for (let index = firstAfter(chunks, view.visible.start); index < chunks.length / 2; index += 1) {
    let from = chunks[2 * index];
    let to = chunks[2 * index + 1];
    if (from > view.visible.stop) return;
    if (moved !== null && index === dragged) to = moved;
    if (moved !== null && index === dragged + 1) from = moved;
    yield { index, from, to };
  }
}

/** Cuts as lines with a mark to take hold of; bad ones red and thick, locked ones with a lock. */
export function drawCuts(ctx, view, colours, plan, { focused, dragged, moved, pause }) {
  const { start, stop } = view.visible;
  const { cuts } = plan;
  const margin = (10 * (stop - start)) / view.width;
  const first = cutAfter(cuts, start - margin);
  const last = cutAfter(cuts, stop + margin);
  const apart = view.width / Math.max(last - first, 1); // px between cuts, on average
  const roomy = pinsFit(view, cuts, first, last);
  for (let index = first; index < last; index += 1) {
    if (index === dragged || index === focused) continue;
    const bad = isBad(cuts[index][1]);
    if (apart < CROWDED && !bad) continue;
    if (apart < CROWDED || (!roomy && !bad)) ctx.globalAlpha = 0.5;
    drawCut(ctx, view, colours, cuts[index], {
      pin: roomy, focused: false, most: apart / 5, height: apart < CROWDED ? view.waveHeight : view.height,
    });
    ctx.globalAlpha = 1;
  }
  const above = dragged >= 0 ? dragged : focused;
  const cut = cuts[above];
  if (!cut) return;
  if (dragged >= 0 && moved !== null) {
    ctx.globalAlpha = 0.35;
    drawCut(ctx, view, colours, cut, { pin: false, focused: false });
    ctx.globalAlpha = 1;
    drawCut(ctx, view, colours, [moved, pause, 1], { pin: true, focused: true });
  } else drawCut(ctx, view, colours, cut, { pin: true, focused: true });
}

function drawCut(ctx, view, colours, [time, pause, locked], { pin, focused, most = BAD, height = view.height }) {
  const bad = isBad(pause);
  const x = view.x(time);
  if (focused) {
    ctx.fillStyle = colours.accent;
    ctx.globalAlpha *= 0.28;
    ctx.fillRect(x - 6, 0, 12, view.height);
    ctx.globalAlpha = 1;
  }
  const colour = bad ? colours["cut-bad"] : locked ? colours["cut-locked"] : colours.cut;
  const width = Math.min(bad ? BAD : focused ? 2 : 1.25, Math.max(most, 1));
  ctx.fillStyle = colour;
  ctx.fillRect(x - width / 2, 0, width, height);
  if (!pin) return;
  const size = focused ? PIN + 2 : PIN;
  ctx.beginPath();
  ctx.moveTo(x - size, 0);
  ctx.lineTo(x + size, 0);
  ctx.lineTo(x + size, size);
  ctx.lineTo(x, 2.1 * size);
  ctx.lineTo(x - size, size);
  ctx.closePath();
  ctx.fillStyle = focused ? colours.accent : colour;
  ctx.fill();
  if (locked) drawLock(ctx, x, view.waveHeight - 9, colours);
}

/** A padlock of 11 × 13 px around x, y. */
function drawLock(ctx, x, y, colours) {
  ctx.lineWidth = 3;
  ctx.strokeStyle = colours.surface;
  ctx.fillStyle = colours["cut-locked"];
  for (const colour of [colours.surface, colours["cut-locked"]]) {
    ctx.strokeStyle = colour;
    ctx.beginPath();
    ctx.arc(x, y - 2, 3, Math.PI, 0);
    ctx.stroke();
    if (colour === colours.surface) {
      ctx.lineWidth = 2.5;
      ctx.strokeRect(x - 4.5, y - 2, 9, 7.5);
      ctx.lineWidth = 1.5;
    }
  }
  ctx.fillRect(x - 4.5, y - 2, 9, 7.5);
}

function label(ctx, view, colours, { left, width, index, seconds, isLong, plan, t }) {
  const before = index ? view.x(plan.cuts[index - 1][0]) : left; // where chunks overlap, its mark is inside
  const from = Math.max(left, before, 0) + 7;
  const room = Math.min(left + width - 7, view.width - SCALE) - from;
  const number = String(index + 1);
  if (room < ctx.measureText(number).width + 2) return;
  const length = `${seconds.toFixed(1)} s`;
  const texts = isLong
    ? [t("tuner.too_long", { number, length, max: plan.max_seconds }), `${number} · ${length} ⚠`, `${number} ⚠`, number]
    : [`${number} · ${length}`, number];
  const text = texts.find((one) => ctx.measureText(one).width <= room);
  if (!text) return;
  ctx.lineWidth = 3;
  ctx.lineJoin = "round";
  ctx.strokeStyle = colours.surface;
  ctx.strokeText(text, from, 13);
  ctx.fillStyle = isLong ? colours["cut-bad"] : colours.text;
  ctx.fillText(text, from, 13);
}

/** Diagonal lines over what no chunk holds. */
function hatch(ctx, view, colours, from, to) {
  const left = Math.max(view.x(from), 0);
  const right = Math.min(view.x(to), view.width);
  if (right - left < 1.5) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, 0, right - left, view.waveHeight);
  ctx.clip();
  ctx.strokeStyle = colours.edge;
  ctx.globalAlpha = 0.4;
  ctx.lineWidth = 1;
  ctx.beginPath();
  const offset = view.x(0) % 8; // the lines stay with the sound
  const tall = view.waveHeight;
  for (let x = left - tall + ((offset - left + tall) % 8) - 8; x < right; x += 8) {
    ctx.moveTo(x, tall);
    ctx.lineTo(x + tall, 0);
  }
  ctx.stroke();
  ctx.restore();
}

/** Lines of bad cuts over the whole recording, so that they are found from afar. */
export function drawCutsFromAfar(ctx, width, height, colours, plan, duration) {
  const scale = width / duration;
  const apart = width / plan.cuts.length;
  const most = Math.min(Math.max(apart / 5, 0.75), 2);
  for (const [time, pause] of plan.cuts) {
    const bad = isBad(pause);
    if (apart < CROWDED && !bad) continue;
    ctx.fillStyle = bad ? colours["cut-bad"] : colours.cut;
    ctx.globalAlpha = bad && apart >= CROWDED ? 1 : 0.5;
    ctx.fillRect(time * scale - (bad ? most : 1) / 2, 0, bad ? most : 1, height);
  }
  ctx.globalAlpha = 1;
}

function pinsFit(view, cuts, first, last) {
  let before = -Infinity;
  for (let index = first; index < last; index += 1) {
    const x = view.x(cuts[index][0]);
    if (x - before < PINS_APART) return false;
    before = x;
  }
  return true;
}

/** Index of the first chunk that stops after a time; chunks in order, two numbers each. */
export function firstAfter(chunks, time) {
  let low = 0;
  let high = chunks.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (chunks[2 * middle + 1] > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Index of the first cut at or after a time. */
export function cutAfter(cuts, time) {
  let low = 0;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cuts[middle][0] >= time) high = middle;
    else low = middle + 1;
  }
  return low;
}
