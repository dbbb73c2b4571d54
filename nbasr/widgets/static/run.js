// One run of sound: from where it starts until it is stopped, every sample laid out on the audio clock.

import { SAMPLES_WINDOW } from "./samples.js";
import { createStretch } from "./stretch.js";

const RATE = 16000;
const SLICE = 3200; // samples laid out at once: 0.2 s
const AHEAD = 1.5 * RATE; // laid out ahead of the clock: timers of a hidden page fire once a second
const FETCHED_AHEAD = 30 * RATE; // here before they are needed
const LEAD = 0.03; // s between laying out the first slice and hearing it
const FADE = 0.004; // s; a start or stop in the middle of a word is no click
const LOOK_MS = 50;

/**
 * Start a run.
 * @param {{context: AudioContext, output: AudioNode, samples, at: number, start: number,
 *   stop: number, loop: boolean, speed: number, scheduled: number[][],
 *   on: {ended: Function, waiting: (is: boolean) => void, problem: (error: Error) => void}}} given
 *   `at`, `start` and `stop` in samples; [first, count] of what is laid out is added to `scheduled`
 * @returns {{time: () => number, stop: () => void}} `time` in samples: what is heard now
 */
export function startRun({ context, output, samples, at, start, stop, loop, speed, scheduled, on }) {
  const gain = context.createGain();
  gain.connect(output);
  const sources = new Set();
  const pieces = []; // of the time line: {when, count, from}, `when` and `count` on the audio clock
  let cursor = at; // next sample to lay out
  let pass = null; // of stretched sound: its stretch, where it began, how much came out
  let when = -1; // where on the audio clock the next piece goes, in samples; -1: as soon as possible
  let finished = false;
  let waiting = false;
  let stopped = false;
  let fetchedTo = -1; // window

  const timer = setInterval(lookAhead, LOOK_MS);
  lookAhead();

  function lookAhead() {
    if (stopped || waiting) return;
    fetchAhead();
    while (!finished && when - context.currentTime * RATE < AHEAD) {
      const room = SAMPLES_WINDOW - (cursor % SAMPLES_WINDOW); // the next window may not be here yet
      const count = Math.min(Math.round(SLICE * speed), stop - cursor, room);
      const pcm = samples.peek(cursor, count);
      if (!pcm) {
        wait(count);
        return;
      }
      layOut(pcm);
    }
    const last = pieces.at(-1);
    if (finished && (!last || heard() >= last.when + last.count)) {
      finish();
      on.ended();
    }
  }

  function layOut(pcm) {
    scheduled.push([cursor, pcm.length]);
    if (speed === 1) {
      const sound = Float32Array.from(pcm, (value) => value / 32768);
      lay(sound, cursor);
    } else {
      pass ??= { stretch: createStretch(speed), from: cursor, out: 0 };
      layStretched(pass.stretch.push(pcm));
    }
    cursor += pcm.length;
    if (cursor < stop) return;
    if (pass) layStretched(pass.stretch.flush());
    pass = null;
    cursor = start;
    finished = !loop;
  }

  function layStretched(sound) {
    if (!sound.length) return;
    lay(sound, pass.from + pass.out * speed);
    pass.out += sound.length;
  }

  function lay(sound, from) {
    const soonest = Math.ceil((context.currentTime + LEAD) * RATE);
    if (when < soonest - LEAD * RATE) {
      when = soonest;
      gain.gain.setValueAtTime(0, 0);
      gain.gain.setValueAtTime(0, when / RATE);
      gain.gain.linearRampToValueAtTime(1, when / RATE + FADE);
    }
    const buffer = context.createBuffer(1, sound.length, RATE);
    buffer.copyToChannel(sound, 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(gain);
    source.onended = () => {
      sources.delete(source);
      source.disconnect();
      if (stopped && !sources.size) gain.disconnect();
    };
    source.start(when / RATE);
    sources.add(source);
    pieces.push({ when, count: sound.length, from });
    when += sound.length;
    const now = heard();
    while (pieces.length > 1 && pieces[1].when <= now) pieces.shift();
  }

  function wait(count) {
    waiting = true;
    on.waiting(true);
    samples.read(cursor, count).then(
      () => {
        if (stopped) return;
        waiting = false;
        on.waiting(false);
        lookAhead();
      },
      (error) => {
        if (stopped) return;
        on.problem(error);
      },
    );
  }

  function fetchAhead() {
    const ahead = Math.min(cursor + FETCHED_AHEAD * speed, stop) - 1;
    const last = Math.floor(ahead / SAMPLES_WINDOW);
    const first = Math.max(fetchedTo + 1, Math.floor(cursor / SAMPLES_WINDOW));
    for (let window = first; window <= last; window += 1) {
      // One that fails is asked for again when it is needed, and is told then.
      samples.read(window * SAMPLES_WINDOW, 1).catch(() => {});
      fetchedTo = window;
    }
  }

  /** What is heard now, on the audio clock in samples: sound takes its time to the loudspeaker. */
  function heard() {
    return (context.currentTime - (context.outputLatency || 0)) * RATE;
  }

  function finish() {
    stopped = true;
    clearInterval(timer);
    if (!sources.size) gain.disconnect();
  }

  return {
    time() {
      const now = heard();
      let piece = pieces[0];
      for (const later of pieces) {
        if (later.when > now) break;
        piece = later;
      }
      if (!piece) return at;
      return piece.from + Math.max(0, Math.min(now - piece.when, piece.count)) * speed;
    },
    stop() {
      if (stopped) return;
      finish();
      const now = context.currentTime;
      gain.gain.cancelScheduledValues(now);
      gain.gain.setTargetAtTime(0, now, FADE);
      for (const source of sources) source.stop(now + 8 * FADE);
    },
  };
}
