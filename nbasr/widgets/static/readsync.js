// Which lines are selected, between the list and Python; nothing while only sound plays.

const SOON_MS = 150; // a selection is told when it rests

/** Keep the panel's trait `selected` and its list the same. */
export function syncLines({ model }, frame, { store, lines, player }) {
  const { signal, guard } = frame;
  let timer = 0;

  const now = () => (lines.selection ? [lines.selection.first, lines.selection.last] : null);
  const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

  function tell() {
    if (signal.aborted || player.playing || same(model.get("selected"), now())) return;
    model.set("selected", now());
    model.save_changes();
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(tell, SOON_MS);
  }

  const take = guard(() => {
    const to = model.get("selected");
    if (!to || same(to, now()) || to[1] >= store.count) return;
    clearTimeout(timer); // what we were about to tell is out of date
    lines.select(to[0], { to: to[1] });
  });
  lines.on("selection", soon);
  player.on("state", () => player.playing || soon());
  model.on("change:selected", take);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    model.off("change:selected", take);
  });
}
