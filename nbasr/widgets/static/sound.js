// A recording in the browser: peaks and levels, sent once and shared by all panels of the page.

import { bytesOf } from "./link.js";
import { pageWide } from "./pagewide.js";
import { askUntilAnswered } from "./patience.js";
import { createPyramid } from "./pyramid.js";

const FRAME = 160; // samples in a frame of levels
const GROUP = 10; // frames that share a background
const LOWEST_DB = -100;

/**
 * Return the sound of a panel's recording.
 * @returns {Promise<{fingerprint: string, duration: number, samples: number,
 *   peak: number, pyramid, levels: Uint8Array, frameSeconds: number, floorNodes: Float32Array,
 *   excess: Float32Array, power: (first: number, last: number) => number, autoAboveDb: number,
 *   noiseFloorDb: number, loudDb: number}>}
 */
export async function loadSound(frame, context) {
  const { get, bytes } = await sent(frame, context);
  const sounds = pageWide("sounds", () => new Map());
  const known = sounds.get(get("fingerprint"))?.deref();
  if (known) return known;
  const sound = createSound(get, bytes);
  sounds.set(sound.fingerprint, new WeakRef(sound)); // goes with the last panel that shows it
  return sound;
}

/** What the kernel sent: through the shared model, or asked for where the host has none to give. */
async function sent(frame, context) {
  const found = await sharedModel(context).catch(() => null);
  if (found?.get("fingerprint")) {
    return { get: (name) => found.get(name), bytes: (name) => bytesOf(found.get(name)) };
  }
  const { data, buffers } = await askUntilAnswered(() => frame.link.ask("sound"));
  const parts = { peaks: buffers[0], levels: buffers[1], floor_nodes: buffers[2] };
  return { get: (name) => data[name], bytes: (name) => parts[name] };
}

/** The model of `Sound`; hosts differ in how, and in whether, one panel can see another's model. */
async function sharedModel({ model, host }) {
  const reference = model.get("sound");
  if (host?.getModel) return host.getModel(reference);
  return model.widget_manager?.get_model?.(reference.replace(/^anywidget:/, ""));
}

/**
 * Make a sound of what was sent.
 * @param {(name: string) => any} get
 * @param {(name: string) => Uint8Array} bytes
 */
export function createSound(get, bytes) {
  const peaks = bytes("peaks");
  const levels = bytes("levels");
  const samples = get("samples");
  const nodes = bytes("floor_nodes").slice(); // aligned, as floats want to be
  const floorNodes = new Float32Array(nodes.buffer);
  const sums = powerSums(levels);
  let excess = null;
  return {
    fingerprint: get("fingerprint"),
    duration: get("duration"),
    samples,
    peak: get("peak"),
    pyramid: createPyramid(new Int8Array(peaks.buffer, peaks.byteOffset, peaks.length), get("peak"), samples),
    levels,
    frameSeconds: FRAME / 16000,
    floorNodes,
    /** Decibels above the noise floor per frame, as `Levels.excess_db`. */
    get excess() {
      excess ??= excessOf(levels, floorNodes);
      return excess;
    },
    /** Mean power of frames `first` to `last`, 1 for full scale. */
    power(first, last) {
      const from = Math.min(Math.max(first, 0), levels.length);
      const to = Math.min(Math.max(last, from), levels.length);
      return to > from ? Math.max(sums[to] - sums[from], 0) / (to - from) : 0;
    },
    autoAboveDb: get("auto_above_db"),
    noiseFloorDb: get("noise_floor_db"),
    loudDb: get("loud_db"),
  };
}

/** The level that a byte stands for, in dBFS. */
export function levelDb(byte) {
  return byte / 2.55 + LOWEST_DB;
}

function powerSums(levels) {
  const power = Float64Array.from({ length: 256 }, (_, byte) => (byte ? 10 ** (levelDb(byte) / 10) : 0));
  const sums = new Float64Array(levels.length + 1);
  for (let at = 0; at < levels.length; at += 1) sums[at + 1] = sums[at] + power[levels[at]];
  return sums;
}

/** Subtract the background: on straight lines between nodes, one value per group of frames. */
function excessOf(levels, nodes) {
  const above = new Float32Array(levels.length);
  const decibels = Float64Array.from({ length: 256 }, (_, byte) => levelDb(byte));
  const whole = Math.floor(levels.length / GROUP) * GROUP;
  const last = nodes.length / 2 - 1;
  let node = 0;
  let floor = nodes[1];
  for (let first = 0; first < levels.length; first += GROUP) {
    if (last > 0 && first < whole) {
      while (node < last && nodes[2 * node + 2] <= first) node += 1;
      const at = (first - nodes[2 * node]) / (nodes[2 * node + 2] - nodes[2 * node]);
      const rises = node < last && at > 0;
      floor = nodes[2 * node + 1] + (rises ? at * (nodes[2 * node + 3] - nodes[2 * node + 1]) : 0);
    }
    const end = Math.min(first + GROUP, levels.length);
    for (let frame = first; frame < end; frame += 1) above[frame] = decibels[levels[frame]] - floor;
  }
  return above;
}
