// Segments as the kernel sends them, in columns, unpacked into what rows show.

const UNKNOWN = 255; // a score that nobody knows

/**
 * @typedef {{count: number, start: (k: number) => number, stop: (k: number) => number,
 *   score: (k: number) => number|null, from: (k: number) => number, to: (k: number) => number}} Words
 * `from` and `to`: where the word stands in the text; scores are 0…100
 *
 * @typedef {{id: number, start: number, stop: number, text: string, speaker: string|null,
 *   language: string|null, score: number|null, flags: string[], edited: boolean, checked: boolean,
 *   doubtful: boolean, words: Words|null}} Segment
 */

/** Numbers that came at any offset, as an array of their kind wants them. */
function aligned(bytes, Kind) {
  return new Kind(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/**
 * Unpack segments.
 * @param {Uint8Array[]} buffers times, scores, rows as JSON, first word of each, word times, word
 *   scores, word spans
 * @param {number} below a score (0…1) under which a place is doubtful
 * @returns {Segment[]}
 */
export function unpackSegments(buffers, below) {
  if (!buffers.length) return [];
  const times = aligned(buffers[0], Float64Array);
  const scores = buffers[1];
  const rows = JSON.parse(new TextDecoder().decode(buffers[2]));
  const firsts = aligned(buffers[3], Uint32Array);
  const words = {
    times: aligned(buffers[4], Float64Array),
    scores: buffers[5],
    spans: aligned(buffers[6], Uint32Array),
  };
  const least = 100 * below;
  return rows.map(([id, text, speaker, language, flags, edited, checked = 0], at) => {
    const [first, last] = [firsts[at], firsts[at + 1]];
    const segment = {
      id,
      start: times[2 * at],
      stop: times[2 * at + 1],
      text,
      speaker,
      language,
      score: scores[at] === UNKNOWN ? null : scores[at],
      flags,
      edited: Boolean(edited),
      checked: Boolean(checked),
      doubtful: false,
      words: last > first ? wordsOf(words, first, last - first) : null,
    };
    segment.doubtful = !checked && isDoubtful(segment, least);
    return segment;
  });
}

function wordsOf({ times, scores, spans }, first, count) {
  return {
    count,
    start: (k) => times[2 * (first + k)],
    stop: (k) => times[2 * (first + k) + 1],
    score: (k) => (scores[first + k] === UNKNOWN ? null : scores[first + k]),
    from: (k) => spans[2 * (first + k)],
    to: (k) => spans[2 * (first + k) + 1],
  };
}

function isDoubtful({ flags, score, words }, least) {
  if (flags.length || (score !== null && score < least)) return true;
  for (let k = 0; k < (words?.count ?? 0); k += 1) {
    const sure = words.score(k);
    if (sure !== null && sure < least) return true;
  }
  return false;
}

/** The last word that begins at or before a time; -1 before the first. */
export function lastWordAt(words, time) {
  let [low, high] = [0, words.count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words.start(middle) <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
