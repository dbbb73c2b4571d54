// Where nobody speaks: shaded under the waveform, and places for edges to snap to.

/** @param view the wave view that it belongs to */
export function createShading(view) {
  let pairs = new Float32Array(0);

  /** Index of the first pair that ends after a time. */
  function firstAfter(time) {
    let low = 0;
    let high = pairs.length / 2;
    while (low < high) {
      const at = (low + high) >> 1;
      if (pairs[2 * at + 1] <= time) low = at + 1;
      else high = at;
    }
    return low;
  }

  return {
    get pairs() {
      return pairs;
    },
    set(to) {
      pairs = to ?? new Float32Array(0);
    },
    draw(ctx, colours) {
      const { start, stop } = view.visible;
      ctx.fillStyle = colours.silence;
      for (let at = firstAfter(start); 2 * at < pairs.length && pairs[2 * at] < stop; at += 1) {
        const left = Math.max(view.x(pairs[2 * at]), 0);
        const right = Math.min(view.x(pairs[2 * at + 1]), view.width);
        ctx.fillRect(left, 0, right - left, view.waveHeight); // as wide as it is: many narrow ones stay pale
      }
    },
    /** The pause that a time lies in, or null. */
    around(time) {
      const at = firstAfter(time);
      if (2 * at >= pairs.length || pairs[2 * at] > time) return null;
      return { start: pairs[2 * at], stop: pairs[2 * at + 1] };
    },
    /** Edges of the pauses beside a time. */
    edgesNear(time) {
      const at = 2 * firstAfter(time);
      return [...pairs.subarray(Math.max(at - 2, 0), at + 4)];
    },
  };
}
