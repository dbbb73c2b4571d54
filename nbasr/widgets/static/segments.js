// The transcript as the kernel has it: its segments, kept in step by versions, and how to change them.

import { askUntilAnswered } from "./patience.js";
import { lastWordAt, unpackSegments } from "./segmentdata.js";

const PATIENCE_MS = 10000; // until a question, or its answer, is taken for lost
const DOUBTFUL_BELOW = 0.4;
const CHANGING = ["edit", "undo", "redo", "discard", "revert"];
const FACTS = ["name", "model", "machine_model", "language", "duration"];
const OVER = ["finished", "stopped", "failed"]; // states of a job that writes no more
const TOLD = ["edits", "can_undo", "can_redo", "saved", "job", "complete", "taken_up", "notes"];

/**
 * Make the store of a panel's segments.
 * @param frame of the panel
 * @returns what rows are drawn of: `ready` (a promise), `count`, `version`, `about`, `state`,
 *   `editable`, `at(i)`, `indexOf(id)`, `indexAt(time)`, `wordAt(i, time)`, `doubtful`, `speakers`,
 *   `hasScores`; `edit(action, values)`, `undo()`, `redo()`, `discard()`, `revert(id)`;
 *   `on("change" | "state", listener)`, which returns a function that takes the listener off
 */
export function createSegments(frame) {
  const { link, signal } = frame;
  /** @type {import("./segmentdata.js").Segment[]} in order */
  let segments = [];
  let version = -1;
  let about = {};
  let state = { edits: 0, can_undo: false, can_redo: false, saved: { state: "none", at: null, problem: "" }, job: null, complete: true };
  let known = {}; // what was worked out of the segments, until they change
  let asking = null; // the question for all, while it is under way
  const early = new Map(); // version → a change that came before the one that it builds on
  const listeners = { change: new Set(), state: new Set() };

  function tell(event, value) {
    for (const listener of [...listeners[event]]) listener(value);
  }

  /** Take over the part of what came that says how things are. */
  function settle(data) {
    const next = { ...state };
    for (const key of TOLD) if (data[key] !== undefined) next[key] = data[key];
    state = next;
    if (FACTS.some((key) => data[key] !== undefined && data[key] !== about[key])) {
      about = { ...about, ...Object.fromEntries(FACTS.filter((key) => key in data).map((key) => [key, data[key]])) };
    }
  }

  function splice(first, removed, added) {
    if (first === segments.length && !removed) segments.push(...added);
    else if (removed === segments.length) segments = added;
    else segments = [...segments.slice(0, first), ...added, ...segments.slice(first + removed)];
    known = {};
  }

  // -- What comes -------------------------------------------------------------------------------

  function loaded({ data, buffers }) {
    if (data.version < version) return;
    const removed = segments.length;
    about = data;
    version = data.version;
    splice(0, removed, unpackSegments(buffers, data.doubtful_below ?? DOUBTFUL_BELOW));
    settle(data);
    tell("change", { first: 0, removed, added: segments.length });
    tell("state", state);
    if (data.notices?.length) frame.fail(data.notices.join(" "));
    catchUp();
  }

  /** Take over a change, in its turn. */
  function changed({ data, buffers }) {
    if (data?.version === undefined || data.version < version) return;
    if (version < 0 || data.version > version + 1) {
      early.set(data.version, { data, buffers });
      load().catch(frame.fail); // what lies between was lost
      return;
    }
    const fresh = data.version === version + 1;
    if (fresh) {
      const added = unpackSegments(buffers, about.doubtful_below ?? DOUBTFUL_BELOW);
      version = data.version;
      splice(data.first, data.removed, added);
      settle(data);
      tell("change", { first: data.first, removed: data.removed, added: added.length, focus: data.focus ?? -1 });
    } else settle(data); // heard before, or nothing changed
    tell("state", state);
    if (fresh) catchUp();
  }

  function catchUp() {
    for (const one of early.keys()) if (one <= version) early.delete(one);
    const next = early.get(version + 1);
    if (next) changed(next);
  }

  /** Ask for all of it; once at a time. */
  function load() {
    asking ??= askUntilAnswered(() => link.ask("segments"), PATIENCE_MS).then(loaded).finally(() => (asking = null));
    return asking;
  }

  link.on("changed", (content, buffers) => changed({ data: content, buffers }));
  link.on("job", (content) => {
    const { event: _, ...job } = content;
    settle({ job: OVER.includes(job.state) ? null : job });
    tell("state", state);
    if (job.state === "failed" && job.error) frame.fail(job.error);
  });
  link.on("saved", ({ state: now, at, problem }) => {
    settle({ saved: { state: now, at, problem } });
    tell("state", state);
  });
  for (const kind of CHANGING) link.overhear(kind, changed);

  // -- What is asked for ------------------------------------------------------------------------

  /** Ask for a change; resolved once it is taken over here. `wanted`: whether it still is, if it gets lost. */
  async function change(kind, values = {}, wanted = () => true) {
    await ready;
    const token = Math.random().toString(36).slice(2); // the kernel does it once, however often it is asked
    const asked = { ...values, version, token };
    const ask = async () => {
      if (!wanted()) throw new DOMException("A later change replaced it", "AbortError");
      return link.ask(kind, asked);
    };
    const answer = await askUntilAnswered(ask, PATIENCE_MS);
    signal.throwIfAborted();
    changed(answer);
    if (asking) await asking;
    return answer.data;
  }

  const ready = load();
  ready.catch(() => {}); // who waits for it is told

  function once(name, make) {
    known[name] ??= make();
    return known[name];
  }

  return {
    ready,
    get count() {
      return segments.length;
    },
    get version() {
      return version;
    },
    /** What came with all segments: name, model, language, duration, machine_model … */
    get about() {
      return about;
    },
    /** What came last of edits, can_undo, can_redo, saved, job, complete, taken_up, notes. */
    get state() {
      return state;
    },
    /** Whether the text can be changed: no job writes it. */
    get editable() {
      return !state.job;
    },
    /** @type {(index: number) => import("./segmentdata.js").Segment} */
    at: (index) => segments[index],
    indexOf: (id) => once("indexes", () => new Map(segments.map((one, at) => [one.id, at]))).get(id) ?? -1,
    /** The last segment that begins at or before a time; -1 before the first. */
    indexAt(time) {
      let [low, high] = [0, segments.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (segments[middle].start <= time) low = middle + 1;
        else high = middle;
      }
      return low - 1;
    },
    /** The last word of a segment that begins at or before a time; -1 if there is none. */
    wordAt(index, time) {
      const words = segments[index]?.words;
      return words ? lastWordAt(words, time) : -1;
    },
    /** Indices of doubtful segments. */
    get doubtful() {
      return once("doubtful", () => segments.flatMap((one, at) => (one.doubtful ? [at] : [])));
    },
    get speakers() {
      return once("speakers", () => [...new Set(segments.map((one) => one.speaker).filter(Boolean))]);
    },
    get hasScores() {
      return once("scores", () => ({ has: segments.some((one) => one.score !== null || someScore(one.words)) })).has;
    },
    /** @param {string} action text, times, speaker, split, merge, delete, insert, replace … */
    edit: (action, values, wanted) => change("edit", { action, ...values }, wanted),
    undo: () => change("undo"),
    redo: () => change("redo"),
    discard: () => change("discard"),
    revert: (id) => change("revert", { id }),
    on(event, listener) {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
  };
}

function someScore(words) {
  for (let k = 0; k < (words?.count ?? 0); k += 1) if (words.score(k) !== null) return true;
  return false;
}
