// Lowest and highest samples at every zoom: coarser levels over the one that the kernel sends.

export const RATE = 16000; // samples per second of every decoded recording
export const BIN = 256; // samples in a bin of the finest level
const STEP = 4; // bins of one level in a bin of the next
const FEWEST = 256; // a level with no more bins than this is the last

/**
 * Build the coarser levels.
 * @param {Int8Array} finest lowest and highest value of each bin, by turns
 * @param {number} peak amplitude that the value 127 stands for
 * @param {number} samples in the recording
 */
export function createPyramid(finest, peak, samples) {
  const levels = [finest];
  while (levels.at(-1).length / 2 > FEWEST) levels.push(coarser(levels.at(-1)));
  const amplitude = new Float32Array(256); // by value + 128
  for (let value = -128; value < 128; value += 1) {
    amplitude[value + 128] = Math.sign(value) * peak * (value / 127) ** 2;
  }
  return { levels, amplitude, samples, peak };
}

function coarser(level) {
  const bins = level.length / 2;
  const above = new Int8Array(2 * Math.ceil(bins / STEP));
  for (let bin = 0, to = 0; bin < bins; bin += STEP, to += 2) {
    let low = 127;
    let high = -128;
    const end = 2 * Math.min(bin + STEP, bins);
    for (let at = 2 * bin; at < end; at += 2) {
      if (level[at] < low) low = level[at];
      if (level[at + 1] > high) high = level[at + 1];
    }
    above[to] = low;
    above[to + 1] = high;
  }
  return above;
}

/**
 * Lowest and highest amplitude per column of a drawing, as `Levels.envelope` of the kernel.
 * @param {number} start seconds; what lies outside the recording is drawn as 0
 * @param {number} stop
 * @param {number} columns
 * @returns {Float32Array} lowest and highest by turns, -1..1
 */
export function envelope(pyramid, start, stop, columns) {
  const { levels, amplitude, samples } = pyramid;
  const drawn = new Float32Array(2 * Math.max(columns, 0));
  const width = ((stop - start) * RATE) / Math.max(columns, 1); // samples in a column
  if (!(columns > 0 && width > 0 && samples)) return drawn;
  let chosen = 0;
  while (chosen + 1 < levels.length && 2 * BIN * STEP ** (chosen + 1) <= width) chosen += 1;
  const peaks = levels[chosen];
  const bins = peaks.length / 2;
  const size = BIN * STEP ** chosen;
  const first = start * RATE;
  for (let column = 0; column < columns; column += 1) {
    const left = first + column * width;
    const from = Math.floor(left / size);
    const to = Math.floor((first + (column + 1) * width) / size);
    if (from >= bins || to < 0 || left >= samples) continue;
    const begin = Math.max(from, 0);
    const end = Math.max(Math.min(to, bins), begin + 1);
    let low = 127;
    let high = -128;
    for (let at = 2 * begin; at < 2 * end; at += 2) {
      if (peaks[at] < low) low = peaks[at];
      if (peaks[at + 1] > high) high = peaks[at + 1];
    }
    drawn[2 * column] = amplitude[low + 128];
    drawn[2 * column + 1] = amplitude[high + 128];
  }
  return drawn;
}
