// Sends a file to the kernel in slices that are acknowledged; goes back where one was lost.

import { crc32 } from "./crc.js";
import { askUntilAnswered } from "./patience.js";

const SLICE = 4 * 1024 * 1024; // a websocket message of Jupyter's takes 10 MiB at most
const PATIENCE_MS = 4000; // without an answer for so long, slices may have been lost

/**
 * What a file of the browser gives to a sender.
 * @param {File} file
 * @param {string} name with its folders, where it came in one: they tell two of one name apart
 */
export function fileSource(file, name = file.name) {
  return {
    name,
    size: file.size,
    modified: file.lastModified,
    kind: "file",
    ended: true,
    read: async (at, length) => new Uint8Array(await file.slice(at, at + length).arrayBuffer()),
  };
}

/**
 * Send what a source has from `offset` on.
 * @param link the panel's
 * @param {{row: string, source, offset: number, sum: number, slots: () => number,
 *   onprogress: (received: number, stalled: boolean) => void, signal: AbortSignal}} options
 *   `source`: `{size, ended, read(at, length), ongrowth?}`; it may grow until it has ended.
 *   `sum`: CRC-32 of what lies before `offset`. `slots`: how many slices may be on their way.
 * @returns {Promise<number>} the CRC-32 of all, once the kernel has all of it
 */
export async function sendSource(link, { row, source, offset, sum, slots, onprogress, signal }) {
  let received = offset; // what the kernel has
  let next = offset; // what is sent next
  let summed = offset; // what the sum stands for
  let flying = 0;
  let round = 0; // answers to slices of an earlier round say nothing any more
  let heard = performance.now();
  let failure = null;
  let stir = () => {};

  const stirred = () =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS);
      stir = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  signal.addEventListener("abort", () => stir());
  source.ongrowth?.(() => stir());

  const goOnFrom = (there) => {
    round += 1;
    flying = 0;
    received = next = there;
  };

  // Not always what is sent next: another page may send the same file.
  const sumUpTo = async (end) => {
    while (summed < end) {
      const bytes = await source.read(summed, Math.min(SLICE, end - summed));
      signal.throwIfAborted();
      sum = crc32(bytes, sum);
      summed += bytes.length;
    }
  };

  const launch = (at, bytes) => {
    const mine = round;
    flying += 1;
    const answered = ({ data }) => {
      if (mine !== round) return;
      flying -= 1;
      heard = performance.now();
      if (data.received < at + bytes.length) goOnFrom(data.received);
      else received = Math.max(received, data.received);
      next = Math.max(next, received);
      onprogress(received, false);
      stir();
    };
    const failed = (error) => {
      if (mine === round) failure = error;
      stir();
    };
    link.ask("slice", { row, offset: at }, { buffers: [bytes.buffer], aside: true }).then(answered, failed);
  };

  for (;;) {
    signal.throwIfAborted();
    if (failure) throw failure;
    if (source.ended && received === source.size) {
      await sumUpTo(source.size);
      return sum;
    }
    if (next < source.size && flying < slots()) {
      const at = next;
      const mine = round;
      const bytes = await source.read(at, Math.min(SLICE, source.size - at));
      if (mine !== round || signal.aborted) continue;
      await sumUpTo(at);
      if (mine !== round) continue;
      if (at + bytes.length > summed) {
        sum = crc32(bytes.subarray(summed - at), sum);
        summed = at + bytes.length;
      }
      next = at + bytes.length;
      if (flying === 0) heard = performance.now();
      launch(at, bytes);
      continue;
    }
    await stirred();
    if (flying > 0 && performance.now() - heard >= PATIENCE_MS) {
      onprogress(received, true);
      const { data } = await askSurely(link, "where", { row }, signal);
      if (data.state !== "sending") throw Object.assign(new Error(data.state), { settled: true });
      goOnFrom(data.received);
      onprogress(received, false);
    }
  }
}

/** CRC-32 of what a source has before `end`. */
export async function sumBefore(source, end, signal) {
  let sum = 0;
  for (let at = 0; at < end; at += SLICE) {
    signal.throwIfAborted();
    sum = crc32(await source.read(at, Math.min(SLICE, end - at)), sum);
  }
  return sum;
}

/** Ask what may be asked twice: again when the question or its answer may have been lost. */
export async function askSurely(link, kind, values, signal) {
  const answer = await askUntilAnswered(() => {
    signal.throwIfAborted();
    return link.ask(kind, values, { aside: true });
  }, PATIENCE_MS);
  signal.throwIfAborted();
  return answer;
}
