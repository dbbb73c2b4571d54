// What all panels of a page share: each has these modules anew, so a module's own state is not enough.

/**
 * Return what is shared under a name; made by who asks first.
 * @template T
 * @param {string} name
 * @param {() => T} make
 * @returns {T}
 */
export function pageWide(name, make) {
  const key = Symbol.for(`nbasr.1.${name}`); // another number where the shape of a value changes
  globalThis[key] ??= make();
  return globalThis[key];
}

/**
 * A map that forgets what was not used for the longest time.
 * @param {number} most how much it keeps
 * @param {(value) => number} weigh how much a value is
 */
export function createRecent(most, weigh = () => 1) {
  const kept = new Map(); // a Map remembers the order in which keys came
  let total = 0;
  return {
    has: (key) => kept.has(key),
    get(key) {
      const value = kept.get(key);
      if (value !== undefined) {
        kept.delete(key);
        kept.set(key, value);
      }
      return value;
    },
    set(key, value) {
      if (kept.has(key)) total -= weigh(kept.get(key));
      kept.delete(key);
      kept.set(key, value);
      total += weigh(value);
      for (const [oldest, its] of kept) {
        if (total <= most || oldest === key) break;
        kept.delete(oldest);
        total -= weigh(its);
      }
    },
    get size() {
      return kept.size;
    },
  };
}
