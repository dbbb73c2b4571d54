// Which line is current and which are selected, kept to the same lines while others come and go.

/**
 * @param store of `createSegments`
 * @param {{reveal: Function}} list shows lines
 * @returns {{current: number, selection: {first: number, last: number}|null, anchor: number,
 *   select: Function, change: Function, on: Function}}
 */
export function createLineChoice(store, list) {
  let current = -1;
  let anchor = -1; // where a selection of several lines began
  let chosen = null; // id of the current line
  const listeners = { current: new Set(), selection: new Set() };

  const tell = (event, value) => listeners[event].forEach((listener) => listener(value));

  function put(from, to) {
    const before = [current, anchor];
    anchor = from;
    current = to;
    chosen = current < 0 ? null : store.at(current).id;
    if (before[0] !== current) tell("current", current);
    if (before[0] !== current || before[1] !== anchor) tell("selection", choice.selection);
  }

  const choice = {
    get current() {
      return current;
    },
    get anchor() {
      return anchor;
    },
    get selection() {
      return current < 0 ? null : { first: Math.min(anchor, current), last: Math.max(anchor, current) };
    },
    /**
     * @param {number} index where the selection begins; -1 for none
     * @param {{to?: number, reveal?: boolean|"center"}} options `to`: where it ends, which is current
     */
    select(index, { to = index, reveal = true } = {}) {
      const within = (one) => Math.min(Math.max(one, Math.min(store.count, 1) - 1), store.count - 1);
      put(within(index), within(to));
      if (reveal && current >= 0) list.reveal(current, { block: reveal === "center" ? "center" : "nearest" });
    },
    /** Stay with the same lines after lines before them came or went. */
    change({ first, removed, added }) {
      const moved = (index) => {
        if (index < first) return index;
        if (index >= first + removed) return index + added - removed;
        return Math.min(index, first + Math.max(added - 1, 0));
      };
      const same = chosen === null ? -1 : store.indexOf(chosen);
      const last = store.count - 1;
      const one = anchor === current;
      const to = Math.min(same >= 0 ? same : moved(current), last);
      const before = current;
      const from = one ? to : Math.min(moved(anchor), last);
      current = -2; // told in any case: what the line holds may have changed
      put(from, before < 0 ? -1 : to);
    },
    on(event, listener) {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
  };
  return choice;
}
