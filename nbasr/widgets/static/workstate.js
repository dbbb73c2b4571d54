// What the kernel tells of a workbench: its traits, and who wants to know when they change.

const TRAITS = ["tab", "model", "precision", "timestamps", "desks", "chosen", "panels"];
const ACTIVE = ["waiting", "loading", "running"];

/**
 * @param {{model}} context anywidget's
 * @param frame of the panel
 * @returns {{get: (name: string) => any, set: (name: string, value) => void, desk: object|null,
 *   busy: boolean, on: (listener: () => void) => void}} `desk` is the chosen recording: {key, name,
 *   duration, chunks, lines, complete, edits, job}
 */
export function createWorkState({ model }, { signal, guard }) {
  const listeners = new Set();
  let pending = 0;
  const tell = guard(() => {
    pending = 0;
    for (const listener of listeners) listener();
  });
  // Several traits change at once: one look at all of them will do.
  const later = () => (pending ||= requestAnimationFrame(tell));
  for (const name of TRAITS) model.on(`change:${name}`, later);
  signal.addEventListener("abort", () => {
    cancelAnimationFrame(pending);
    for (const name of TRAITS) model.off(`change:${name}`, later);
  });
  return {
    get: (name) => model.get(name),
    set(name, value) {
      if (model.get(name) === value) return;
      model.set(name, value);
      model.save_changes();
    },
    get desk() {
      const chosen = model.get("chosen");
      return (model.get("desks") ?? []).find((desk) => desk.key === chosen) ?? null;
    },
    get busy() {
      return ACTIVE.includes(this.desk?.job?.state);
    },
    on: (listener) => listeners.add(listener),
    /** Tell the listeners what is. */
    tell,
  };
}

/** Whether a job is at work, or waits to be. */
export function isActive(job) {
  return ACTIVE.includes(job?.state);
}
