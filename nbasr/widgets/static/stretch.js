// Another speed at the same pitch, by WSOLA, as the sound comes.
//
// Verhelst, W., Roelands, M. (1993): An overlap-add technique based on waveform similarity (WSOLA)
// for high quality time-scale modification of speech. ICASSP-93, vol. 2, 554-557.
// Windows of the input are laid over each other at half their length. Each is taken from near where
// the speed wants it: there where it continues the one before best.

const HOP = 256; // samples between windows in the output, half a window: 16 ms of 16 kHz
const REACH = 160; // how far from its place a window may be taken: 10 ms, a period of 50 Hz in all
const FADE = Float32Array.from({ length: HOP }, (_, at) => 0.5 - 0.5 * Math.cos((Math.PI * (at + 0.5)) / HOP));

/**
 * @param {number} speed of the result; 2 is twice as fast
 * @returns {{push: (pcm: Int16Array) => Float32Array, flush: () => Float32Array}} what can be heard
 *   so far, in -1..1; after `flush` it is all out, input samples / speed of them
 */
export function createStretch(speed) {
  let input = new Float32Array(0); // what may still be needed …
  let base = 0; // … and where in the whole input it begins
  let taken = 0; // samples of input so far
  let given = 0; // samples of output so far
  let next = 0; // where the input goes on as the ear has heard it last: the end of the last window's half

  function push(pcm) {
    const grown = new Float32Array(input.length + pcm.length);
    grown.set(input);
    for (let at = 0; at < pcm.length; at += 1) grown[input.length + at] = pcm[at] / 32768;
    input = grown;
    taken += pcm.length;
    return windows(taken);
  }

  function flush() {
    const left = Math.round(taken / speed) - given;
    if (left <= 0) return new Float32Array(0);
    const padded = new Float32Array(input.length + 4 * HOP + 2 * REACH + Math.ceil(left * speed));
    padded.set(input);
    input = padded;
    return windows(Infinity).subarray(0, left);
  }

  /** Return the output of all windows for which the input is here; it stands for `most` of it. */
  function windows(most) {
    const parts = [];
    for (;;) {
      const wanted = Math.round(given * speed); // where the next window should begin
      const end = Math.max(wanted + REACH, next) + 2 * HOP;
      if (end > base + input.length || (given + HOP) * speed > most) break;
      const start = nearest(wanted);
      const part = new Float32Array(HOP);
      for (let at = 0; at < HOP; at += 1) {
        part[at] = input[next - base + at] * (1 - FADE[at]) + input[start - base + at] * FADE[at];
      }
      parts.push(part);
      given += HOP;
      next = start + HOP;
    }
    const unused = Math.max(0, Math.min(next, Math.round(given * speed) - REACH) - base);
    input = input.slice(unused);
    base += unused;
    const result = new Float32Array(parts.length * HOP);
    parts.forEach((part, at) => result.set(part, at * HOP));
    return result;
  }

  /** Where near `wanted` the input is most like what follows the last window. */
  function nearest(wanted) {
    const from = Math.max(wanted - REACH, base);
    const heard = next - base;
    let best = wanted;
    let highest = -Infinity;
    let energy = 0;
    for (let at = 0; at < HOP; at += 1) energy += input[from - base + at] ** 2;
    for (let start = from; start <= wanted + REACH; start += 1) {
      const offset = start - base;
      let product = 0;
      for (let at = 0; at < HOP; at += 1) product += input[heard + at] * input[offset + at];
      const likeness = product / Math.sqrt(energy + 1e-6); // the loudest place is not the most alike
      if (likeness > highest || (likeness === highest && Math.abs(start - wanted) < Math.abs(best - wanted))) {
        highest = likeness;
        best = start;
      }
      energy = Math.max(0, energy - input[offset] ** 2 + input[offset + HOP] ** 2);
    }
    return best;
  }

  return { push, flush };
}
