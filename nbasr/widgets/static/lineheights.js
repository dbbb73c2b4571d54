// How high the rows of a long list are, and where each of them begins: measured, or guessed at first.

/**
 * Heights of rows in CSS px.
 * @returns where rows are: `offset(index)`, `at(y)` → index, `total`, `count`; `set(index, height)` →
 *   whether that changed anything; `splice(first, removed, heights)`
 */
export function createLineHeights() {
  let heights = new Float64Array(0);
  let offsets = new Float64Array(1);
  let right = 0; // offsets up to this one are right

  function settle() {
    for (let index = right; index < heights.length; index += 1) offsets[index + 1] = offsets[index] + heights[index];
    right = heights.length;
  }

  return {
    get count() {
      return heights.length;
    },
    get total() {
      settle();
      return offsets[heights.length];
    },
    height: (index) => heights[index],
    offset(index) {
      if (index > right) settle();
      return offsets[index];
    },
    /** The row at a height; the last one below the end. */
    at(y) {
      settle();
      let [low, high] = [0, heights.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (offsets[middle] <= y) low = middle;
        else high = middle - 1;
      }
      return Math.max(low, 0);
    },
    set(index, height) {
      if (Math.abs(heights[index] - height) < 0.01) return false;
      heights[index] = height;
      right = Math.min(right, index);
      return true;
    },
    splice(first, removed, added) {
      const next = new Float64Array(heights.length - removed + added.length);
      next.set(heights.subarray(0, first));
      next.set(added, first);
      next.set(heights.subarray(first + removed), first + added.length);
      heights = next;
      const longer = new Float64Array(heights.length + 1);
      longer.set(offsets.subarray(0, Math.min(first, right) + 1));
      offsets = longer;
      right = Math.min(right, first);
    },
  };
}

/**
 * Guess how high a text will be: most guesses are right to the line, so that hardly anything moves
 * when rows are measured.
 * @param {{width: number, letter: number, wide: number, line: number, rest: number}} font widths in px
 *   of the column, of a letter, of a Chinese character; heights of a line and of what is around them
 */
export function guessHeight(text, { width, letter, wide, line, rest }) {
  let wides = 0;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) >= 0x2e80) wides += 1;
  const long = wides * wide + (text.length - wides) * letter;
  return rest + line * Math.max(1, Math.ceil(long / Math.max(width, 1)));
}
