// Samples of a recording, fetched from the kernel in windows as they are needed, kept for a while.

import { createRecent, pageWide } from "./pagewide.js";
import { askUntilAnswered, within } from "./patience.js";

/** Samples in a window: 16 s, 512 kB. */
export const SAMPLES_WINDOW = 2 ** 18;

const MOST_BYTES = 64e6; // of all recordings of the page

/**
 * @param {{ask: Function}} link to a panel that answers "samples"
 * @param {{fingerprint: string, samples: number}} sound
 * @param {{patience?: number}} options ms until a window is asked for again
 * @returns {{read: (first: number, count: number) => Promise<Int16Array>,
 *   peek: (first: number, count: number) => Int16Array|null}}
 */
export function createSamples(link, sound, { patience = 10000 } = {}) {
  const { windows, coming } = pageWide("samples", () => ({
    windows: createRecent(MOST_BYTES, (window) => window.byteLength),
    coming: new Map(),
  }));

  const keyOf = (index) => `${sound.fingerprint}:${index}`;

  function ask(index) {
    const key = keyOf(index);
    const first = index * SAMPLES_WINDOW;
    const count = Math.min(SAMPLES_WINDOW, sound.samples - first);
    const answer = askUntilAnswered(() => link.ask("samples", { first, count }), patience);
    const asked = answer.then(({ buffers: [bytes] }) => {
      // Messages put buffers at any offset; an array of 16 bits wants an even one.
      const window = new Int16Array(
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 2 * count),
      );
      windows.set(key, window);
      return window;
    });
    coming.set(key, asked);
    const gone = () => {
      if (coming.get(key) === asked) coming.delete(key);
    };
    asked.then(gone, gone);
    return asked;
  }

  async function fetched(index) {
    const key = keyOf(index);
    for (;;) {
      const kept = windows.get(key);
      if (kept) return kept;
      const others = coming.get(key);
      if (!others) return ask(index);
      // Another panel has asked; it may be gone meanwhile, or its kernel: then we ask ourselves.
      const found = await within(patience, others.catch(() => null));
      if (found) return found;
      if (coming.get(key) === others) return ask(index);
    }
  }

  function bounds(first, count) {
    const start = Math.max(0, Math.min(Math.round(first), sound.samples));
    return [start, Math.max(start, Math.min(Math.round(first + count), sound.samples))];
  }

  function joined(start, stop, windowOf) {
    const result = new Int16Array(stop - start);
    for (let at = start; at < stop; ) {
      const index = Math.floor(at / SAMPLES_WINDOW);
      const window = windowOf(index);
      if (!window) return null;
      const end = Math.min(stop, (index + 1) * SAMPLES_WINDOW);
      const offset = index * SAMPLES_WINDOW;
      result.set(window.subarray(at - offset, end - offset), at - start);
      at = end;
    }
    return result;
  }

  return {
    /** Return samples, fetched if need be; what lies outside the recording is left out. */
    async read(first, count) {
      const [start, stop] = bounds(first, count);
      if (start === stop) return new Int16Array(0);
      const from = Math.floor(start / SAMPLES_WINDOW);
      const indexes = Array.from(
        { length: Math.floor((stop - 1) / SAMPLES_WINDOW) - from + 1 },
        (_, step) => from + step,
      );
      const found = await Promise.all(indexes.map(fetched));
      return joined(start, stop, (index) => found[index - from]);
    },
    /** Return samples if all are here already, else null. */
    peek(first, count) {
      const [start, stop] = bounds(first, count);
      return joined(start, stop, (index) => windows.get(keyOf(index)));
    },
  };
}
