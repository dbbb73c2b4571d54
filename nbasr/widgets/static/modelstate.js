// How things are in the kernel: memory, loaded models, jobs, a load; told only while it can be seen.

const BEAT_MS = 60000; // how often a view that can be seen says so again

/** The columns of a moment, as the kernel sends them. */
export const MEMORY_COLUMNS = ["at", "models", "work", "reserve", "others", "free", "budget"];

/** A moment as an object: bytes by part; `budget` is -1 where there is none. */
export function memorySpot(row) {
  return Object.fromEntries(MEMORY_COLUMNS.map((name, at) => [name, row[at]]));
}

/**
 * @param frame the panel's
 * @returns {{now: object|null, device: string, spot: object|null, on, apply, refresh, choose}}
 *   `now` as the kernel's `_state`
 */
export function createModelState(frame, model) {
  const { link, t, signal, root, guard } = frame;
  const listeners = { change: new Set(), load: new Set(), report: new Set(), device: new Set() };
  const view = Math.random().toString(36).slice(2);
  let now = null;
  let shown = false;
  let beat = 0;

  const tell = (event, ...given) => listeners[event].forEach((listener) => listener(...given));

  function apply(state) {
    now = state;
    tell("change");
    tell("load", state.load);
  }

  /** Ask for how things are now, and say that this view can be seen. */
  async function refresh() {
    const { data } = await link.ask("watch", { view, shown: true, language: t.language }, { aside: true });
    if (shown && data.devices) apply(data);
  }

  function setShown(is) {
    if (is === shown) return;
    shown = is;
    clearInterval(beat);
    if (is) {
      guard(refresh)();
      beat = setInterval(() => link.ask("watch", { view, shown: true, language: t.language }, { aside: true }).then(
        ({ data }) => shown && data.devices && apply(data), () => {}), BEAT_MS);
    } else link.ask("watch", { view, shown: false }, { aside: true }).catch(() => {});
  }

  let inView = false;
  const look = () => setShown(inView && document.visibilityState === "visible");
  const observer = new IntersectionObserver((entries) => {
    inView = entries.at(-1).isIntersecting;
    look();
  });
  observer.observe(root);
  document.addEventListener("visibilitychange", look, { signal });
  signal.addEventListener("abort", () => {
    observer.disconnect();
    clearInterval(beat);
  });
  link.on("state", apply);
  link.on("load", ({ load }) => {
    if (now) now.load = load;
    tell("load", load);
  });
  link.on("report", (report) => tell("report", report));
  model.on("change:device", () => {
    tell("device");
    tell("change");
  });

  /** Whether two names mean one device: "cuda" is "cuda:0". */
  const isOf = (device, name) => device === name || device.split(":")[0] === name;

  return {
    apply,
    refresh,
    isOf,
    get now() {
      return now;
    },
    /** Whether this view can be seen. */
    get shown() {
      return shown;
    },
    /** The device whose memory is shown: {device, name, room, spot, total}. */
    get device() {
      const wanted = model.get("device") || now?.where;
      return now?.devices.find(({ device }) => isOf(device, wanted)) ?? now?.devices[0] ?? null;
    },
    /** The moment that was seen last, by part. */
    get spot() {
      return this.device ? memorySpot(this.device.spot) : null;
    },
    /** The models that are loaded on the device that is shown. */
    get here() {
      return now ? now.loaded.filter((one) => isOf(this.device.device, one.device)) : [];
    },
    choose(device) {
      model.set("device", device);
      model.save_changes();
    },
    on: (event, listener) => listeners[event].add(listener),
  };
}
