// Where somebody speaks, found in the browser while a slider moves; as nbasr.chunking.speech does.

const HYSTERESIS_DB = 3;
const LEAST_LOUD = 5; // frames above the threshold without which a sound is a click

/**
 * Find stretches of speech by level.
 * @param {{levels: Uint8Array, excess: Float32Array, frameSeconds: number, duration: number,
 *   autoAboveDb: number}} sound
 * @param {{mode: "auto"|"above_floor"|"absolute", value: number, minPause: number}} threshold
 *   `value` in dB above the noise floor or in dBFS; seconds
 * @returns {Float32Array} start, stop, start, stop … in seconds
 */
export function speechSpans(sound, { mode, value, minPause }) {
  const shortestGap = Math.max(roundHalfEven(minPause / sound.frameSeconds), 1);
  const rate = Math.round(1 / sound.frameSeconds);
  const frames =
    mode === "absolute"
      ? runs(sound.levels, firstAbove(value), firstAbove(value - HYSTERESIS_DB), shortestGap)
      : aboveFloor(sound, mode === "auto" ? sound.autoAboveDb : value, shortestGap);
  return Float32Array.from(frames, (frame) => Math.min(frame / rate, sound.duration));
}

/** What spans of speech leave of a recording: start, stop, … in seconds. */
export function silenceBetween(spans, duration) {
  const edges = new Float32Array(spans.length + 2);
  edges.set(spans, 1);
  edges[edges.length - 1] = duration;
  let to = 0;
  for (let at = 0; at < edges.length; at += 2) {
    if (edges[at + 1] <= edges[at]) continue;
    edges[to] = edges[at];
    edges[to + 1] = edges[at + 1];
    to += 2;
  }
  return edges.slice(0, to);
}

/** Index into pairs of the first span that stops after `time`. */
export function spanAfter(spans, time) {
  let low = 0;
  let high = spans.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[2 * middle + 1] > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

function aboveFloor(sound, above, shortestGap) {
  const leave = Math.fround(above - Math.min(HYSTERESIS_DB, above / 2));
  return runs(sound.excess, nextAbove(Math.fround(above)), nextAbove(leave), shortestGap);
}

/**
 * Frames of the stretches: a run at or above `leave` that holds something at or above `enter`;
 * joined where they are near, dropped where they are clicks.
 */
function runs(values, enter, leave, shortestGap) {
  const found = [];
  let [first, last, loud] = [-1, -1, 0]; // of the stretch that may still grow
  const flush = () => {
    if (loud >= LEAST_LOUD) found.push(first, last);
  };
  const frames = values.length;
  for (let at = 0; at < frames; at += 1) {
    if (values[at] < leave) continue;
    const start = at;
    let above = 0;
    for (; at < frames && values[at] >= leave; at += 1) above += values[at] >= enter ? 1 : 0;
    if (!above) continue;
    if (first >= 0 && start - last < shortestGap) {
      last = at;
      loud += above;
      continue;
    }
    flush();
    [first, last, loud] = [start, at, above];
  }
  flush();
  return found;
}

/** The lowest byte of a level above so many dBFS; bytes are round((dB + 100) * 2.55). */
function firstAbove(db) {
  const limit = Math.fround(db);
  for (let byte = 0; byte < 256; byte += 1) {
    if (Math.fround(byte / 2.55 - 100) > limit) return byte;
  }
  return 256;
}

const bits = new DataView(new ArrayBuffer(4));

/** The next greater float32: `x >= nextAbove(y)` is `x > y`. */
function nextAbove(value) {
  if (value === 0) return 1.401298464324817e-45;
  bits.setFloat32(0, value);
  bits.setInt32(0, bits.getInt32(0) + (value > 0 ? 1 : -1));
  return bits.getFloat32(0);
}

/** As Python rounds. */
function roundHalfEven(value) {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 ? down + 1 : down;
}
