// Plays a recording on the audio clock: seek, loop, speed with the pitch kept; one panel at a time.

import { pageWide } from "./pagewide.js";
import { RATE } from "./pyramid.js";
import { startRun } from "./run.js";

const PATIENCE_MS = 1500; // a browser that has not let sound through by then does not want to
const IDLE_MS = 30000; // an audio clock that runs for nothing drains a battery
const SHORTEST_LOOP = 0.05; // s
const REMEMBERED = 4096; // of what was laid out

/**
 * Make a player.
 * @param {{samples: {read: Function, peek: Function}, sound: {samples: number, duration: number},
 *   signal: AbortSignal}} given `signal` ends with the view, and the sound with it
 * @returns what plays: `play({start, stop, loop, at})` in seconds (`at`: where inside to begin),
 *   `pause()`, `prepare()`, `seek(time)`, `time()`, `playing`, `waiting` (for samples), `region`, `speed`,
 *   `volume` (1 is as recorded), `on("state" | "ended" | "problem", listener)`, `scheduled`:
 *   [first, count] of the samples that were laid out
 */
export function createPlayer({ samples, sound, signal }) {
  const page = pageWide("audio", () => ({ context: null, sounding: null, idle: 0 }));
  const listeners = new Map();
  const scheduled = [];
  let output = null; // volume, of the context it was made in
  let run = null;
  let waiting = false;
  let position = 0; // s, while there is no run
  let region = null; // {start, stop, loop} in s, of the last play
  let speed = 1;
  let volume = 1;

  function emit(event, value) {
    for (const listener of listeners.get(event) ?? []) listener(value);
  }

  function fail(key) {
    emit("problem", Object.assign(new Error(key), { key }));
  }

  /** The page's audio clock; made at the first play, as browsers want a click or key before it. */
  function audible() {
    clearTimeout(page.idle);
    if (!page.context || page.context.state === "closed") {
      if (typeof AudioContext === "undefined") throw new Error("no AudioContext");
      // Its rate is the samples': each is heard as it is, and slices join without a seam.
      page.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    }
    if (output?.context !== page.context) {
      output = page.context.createGain();
      output.gain.value = volume;
      output.connect(page.context.destination);
    }
    if (page.context.state !== "running") page.context.resume().catch(() => {});
    return page.context;
  }

  function end() {
    run?.stop();
    run = null;
    waiting = false;
    if (page.sounding === player) page.sounding = null;
    clearTimeout(page.idle);
    if (page.sounding || !page.context) return;
    page.idle = setTimeout(() => page.sounding || page.context.suspend(), IDLE_MS);
  }

  function begin(from) {
    if (signal.aborted) return;
    const start = Math.round(region.start * RATE);
    const stop = Math.min(Math.round(region.stop * RATE), sound.samples);
    const at = Math.max(start, Math.round(from * RATE));
    if (page.sounding !== player) page.sounding?.pause();
    end();
    if (at >= stop) {
      position = stop / RATE;
      emit("state");
      return;
    }
    position = at / RATE;
    if (scheduled.length > REMEMBERED) scheduled.splice(0, scheduled.length - REMEMBERED);
    let context;
    try {
      context = audible();
    } catch {
      emit("state");
      fail("play.no_audio"); // there is none, or not one more
      return;
    }
    page.sounding = player;
    const on = {
      ended() {
        if (run !== mine) return;
        end();
        position = stop / RATE;
        emit("state");
        emit("ended");
      },
      waiting(is) {
        waiting = is;
        if (run) emit("state");
      },
      problem(error) {
        if (run !== mine) return;
        pause();
        emit("problem", error);
      },
    };
    const mine = startRun({
      context, output, samples, at, start, stop, loop: region.loop, speed, scheduled, on,
    });
    run = mine;
    emit("state");
    if (context.state === "running") return;
    setTimeout(() => {
      if (run !== mine || context.state === "running") return;
      pause();
      fail("play.refused");
    }, PATIENCE_MS);
  }

  function time() {
    return run ? run.time() / RATE : position;
  }

  function pause() {
    if (!run) return;
    position = time();
    end();
    emit("state");
  }

  const player = {
    play({ start = null, stop = null, loop = false, at = null } = {}) {
      const last = Math.min(stop ?? sound.duration, sound.duration);
      let from = at ?? start ?? time();
      if (start === null && from >= last - 0.001) from = 0; // at the end: once more
      const first = Math.max(0, start ?? (loop ? 0 : from));
      region = { start: first, stop: last, loop: loop && last - first >= SHORTEST_LOOP };
      begin(from >= first && from < last ? from : first);
    },
    pause,
    /** Make the audio clock, which takes a tenth of a second the first time; after a first gesture. */
    prepare() {
      if (signal.aborted || page.context) return;
      try {
        audible();
        end();
      } catch {
        // Told when something is to be played.
      }
    },
    seek(to) {
      const wanted = Math.min(Math.max(to, 0), sound.duration);
      if (!run) {
        position = wanted;
        emit("state");
        return;
      }
      const inside = wanted >= region.start && wanted < region.stop;
      if (!inside) region = { start: wanted, stop: sound.duration, loop: false };
      begin(wanted);
    },
    time,
    get playing() {
      return run !== null;
    },
    get waiting() {
      return waiting;
    },
    get region() {
      return region;
    },
    get speed() {
      return speed;
    },
    set speed(to) {
      if (to === speed) return;
      const now = time();
      speed = to;
      if (run) begin(now);
      else emit("state");
    },
    get volume() {
      return volume;
    },
    set volume(to) {
      volume = Math.max(0, to);
      output?.gain.setTargetAtTime(volume, output.context.currentTime, 0.01);
      emit("state");
    },
    scheduled,
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    },
  };

  signal.addEventListener("abort", () => {
    listeners.clear();
    end();
    output?.disconnect();
  });
  return player;
}
