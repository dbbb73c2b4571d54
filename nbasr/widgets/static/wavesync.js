// Selection, playhead and commands between a waveform and Python; nothing while only sound plays.

import { pageWide } from "./pagewide.js";

const SOON_MS = 120; // a selection that is dragged is told this often
const LATEST_MS = 1000; // a playhead is told when it rests, and at least this often: each word to the
// kernel makes the notebook draw how busy it is, which costs more than all else that a key moves

/** Keep the panel's traits and its view the same. */
export function syncWave({ model }, frame, { view, player }) {
  const { signal } = frame;
  const timers = new Map();
  let moving = 0; // since when the playhead is moved
  const telling = pageWide("telling", () => ({ now: false })); // while a view speaks, others of its panel hear it
  const stood = []; // where we told the kernel that the playhead stands, the last few
  const on = (event, handler) => {
    const guarded = frame.guard(handler);
    model.on(event, guarded);
    signal.addEventListener("abort", () => model.off(event, guarded));
  };

  /** What was about to be told is out of date: the kernel's word came later. */
  function forget(name) {
    clearTimeout(timers.get(name));
    timers.delete(name);
  }

  function tell(name, value) {
    forget(name);
    if (signal.aborted || JSON.stringify(model.get(name)) === JSON.stringify(value)) return;
    telling.now = true;
    try {
      model.set(name, value);
    } finally {
      telling.now = false;
    }
    model.save_changes();
  }

  /** Tell in a moment, with the value of then. */
  function soon(name, value) {
    if (!timers.has(name)) timers.set(name, setTimeout(() => tell(name, value()), SOON_MS));
  }

  /** Tell where the playhead is once it rests. */
  function rested() {
    const now = performance.now();
    if (!timers.has("playhead")) moving = now;
    if (now - moving < LATEST_MS) forget("playhead");
    soon("playhead", () => {
      if (player.playing) return model.get("playhead"); // on again meanwhile
      stood.push(player.time());
      stood.splice(0, stood.length - 5);
      return player.time();
    });
  }

  const selection = () => (view.selection ? [view.selection.start, view.selection.stop] : null);
  const select = (to) => (to ? view.select(to[0], to[1], "kernel") : view.select(null, null, "kernel"));
  view.on("selection", (_, by) => by !== "kernel" && soon("selection", selection));
  on("change:selection", () => {
    const to = model.get("selection");
    if (JSON.stringify(to) === JSON.stringify(selection())) return;
    forget("selection");
    select(to);
  });

  player.on("state", () => player.playing || rested());
  on("change:playhead", () => {
    const to = model.get("playhead");
    if (telling.now && player.playing) return; // another view has stopped as this one began to sound
    // What comes back of ours, as after a reconnect, is no wish of Python's.
    const ours = player.playing ? stood.includes(to) : to === stood.at(-1);
    if (timers.has("playhead") || ours || Math.abs(to - player.time()) < 1e-6) return;
    view.seek(to);
    view.reveal(to);
    forget("playhead"); // the kernel knows; what it says next counts at once
  });

  const shown = () => model.get("shown")?.length && view.show(...model.get("shown"));
  on("change:shown", shown);
  frame.link.on("play", frame.guard(({ start, stop }) => {
    player.play({ start: start ?? null, stop: stop ?? null });
    view.reveal(player.time());
  }));
  frame.link.on("pause", () => player.pause());
  signal.addEventListener("abort", () => timers.forEach((timer) => clearTimeout(timer)));

  select(model.get("selection"));
  if (model.get("playhead")) view.seek(model.get("playhead"));
  shown();
}
