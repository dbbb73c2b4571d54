// The uploads of a page: each waits, is sent, is gone on with; what the kernel says of its rows.

import { askUntilAnswered } from "./patience.js";
import { askSurely, sendSource, sumBefore } from "./sender.js";

const AT_ONCE = 2; // files that are sent at once
const SLOTS = 4; // slices on their way, of all of them: what the server must hold in memory
const RATE_OVER_MS = 3000;
const QUIET_MS = 5000; // without a word for so long, a row is asked after
const BROKEN_OFF_MS = 11000; // what a page of before was sending counts as broken off by then

/**
 * @typedef {object} Entry one row: what the kernel says of it, and what is done with it here
 * @property {object} row
 * @property {object|null} source what it is sent from; null where another page does that, or nobody
 * @property {AbortController|null} sending
 * @property {number} rate bytes a second; 0 while unknown
 * @property {boolean} stalled no answer is coming at the moment
 * @property {boolean} comparing what had arrived is being compared
 * @property {number} heard when the kernel last said something of it
 * @property {{problem: string, again: boolean}|null} broken what went wrong here, unknown to the kernel
 */

/**
 * @param frame the panel's
 * @param {{changed: (entry: Entry, before: string) => void, removed: (entry: Entry) => void}} view
 */
export function createQueue({ link, t, signal }, { changed, removed }) {
  /** @type {Map<string, Entry>} by id of the row, or by what we call it before it has one */
  const entries = new Map();
  const waiting = [];
  const cancelled = new Set(); // before the kernel had a row for them
  let active = 0;
  let numbers = 0;
  let looking = null; // the question for all rows that is on its way
  const nonce = Math.random().toString(36).slice(2);

  const stateOf = (entry) => {
    if (entry.row.state !== "sending" || entry.source) return entry.row.state;
    return performance.now() - entry.heard > QUIET_MS ? "interrupted" : "sending";
  };

  function put(entry) {
    if (entry.gone) return; // answers to its last slices still come
    const state = stateOf(entry);
    const before = entry.shown;
    entry.shown = state;
    changed(entry, before);
  }

  /** Take over what the kernel says of a row. */
  function told(row) {
    let entry = entries.get(row.id);
    const mine = entries.get(row.client);
    if (row.state === "gone") {
      if (entry) {
        entry.sending?.abort(); // another view has taken it off
        forget(entry);
      }
      return null;
    }
    if (cancelled.delete(row.client)) {
      link.ask("remove", { row: row.id }, { aside: true }).catch(() => {}); // the view is gone, too
      return null;
    }
    if (mine && entry && mine !== entry) {
      // The same file was begun before: its old row goes on.
      entry.source = mine.source;
      entry.sending = mine.sending;
      entry.broken = null;
      forget(mine);
    } else if (mine) {
      entries.delete(row.client);
      entry = mine;
    }
    entry ??= { source: null, sending: null, rate: 0, stalled: false, comparing: false, marks: [], broken: null };
    if (row.state !== "sending") entry.broken = null;
    else if (entry.broken) row = { ...row, ...entry.broken, state: "problem", note: null };
    const ours = entry.source && row.state === "sending" && entry.row?.id === row.id;
    if (ours) row.received = Math.max(row.received, entry.row.received); // we know it sooner
    entry.row = row;
    entry.heard = performance.now() - row.quiet * 1000;
    entries.set(row.id, entry);
    put(entry);
    return entry;
  }

  function forget(entry) {
    entry.gone = true;
    for (const [key, other] of entries) if (other === entry) entries.delete(key);
    const place = waiting.indexOf(entry);
    if (place >= 0) waiting.splice(place, 1);
    removed(entry);
  }

  /** Line up a source: `{name, size, modified, kind, ended, read}`. */
  function add(source) {
    const twin = [...entries.values()].find(
      (entry) =>
        entry.source && entry.source.size === source.size && source.kind === "file" &&
        entry.source.name === source.name && entry.source.modified === source.modified &&
        ["waiting", "sending"].includes(entry.row.state),
    );
    if (twin) return twin; // dropped twice
    const id = `${nonce}-${(numbers += 1)}`;
    const size = source.ended ? source.size : null;
    const entry = { source, sending: null, rate: 0, stalled: false, comparing: false, marks: [], broken: null, heard: performance.now() };
    entry.row = { id, kind: source.kind, name: source.name, size, received: 0, state: "waiting", problem: "", note: null, again: true, recording: null };
    entries.set(id, entry);
    line(entry);
    return entry;
  }

  function line(entry) {
    entry.row = { ...entry.row, state: "waiting", problem: "", note: null };
    entry.broken = null;
    put(entry);
    // What is being said now cannot wait.
    if (entry.source.kind === "microphone") send(entry);
    else {
      waiting.push(entry);
      next();
    }
  }

  function next() {
    while (active < AT_ONCE && waiting.length) send(waiting.shift());
  }

  async function send(entry) {
    active += 1;
    const controller = new AbortController();
    const stop = () => controller.abort();
    signal.addEventListener("abort", stop);
    entry.sending = controller;
    try {
      await transfer(entry, controller.signal);
    } catch (error) {
      if (!controller.signal.aborted && !error.settled) failed(entry, error);
    } finally {
      signal.removeEventListener("abort", stop);
      active -= 1;
      next();
    }
  }

  /** The entry of a source: it may have become that of an older row. */
  const entryOf = (source) => [...entries.values()].find((entry) => entry.source === source);

  async function transfer(begun, stopped) {
    const { source } = begun;
    const client = begun.row.id;
    const known = client.startsWith(nonce) ? "" : client;
    const values = {
      name: source.name, size: source.kind === "microphone" ? null : source.size, modified: source.modified,
      kind: source.kind, row: known, client: known ? "" : client,
    };
    const { data } = await askSurely(link, "begin", values, stopped);
    const entry = told(data.row);
    if (!entry || data.row.state !== "sending") return;
    const row = data.row.id;
    let { offset } = data;
    if (offset > 0) {
      entry.comparing = true;
      put(entry);
      const same = (await sumBefore(source, offset, stopped)) === data.crc32;
      entry.comparing = false;
      if (!same) {
        await askSurely(link, "restart", { row }, stopped);
        offset = 0;
      }
    }
    entry.marks = [];
    entry.row.received = offset;
    const sum = await sendSource(link, {
      row, source, offset, sum: offset ? data.crc32 : 0, signal: stopped,
      slots: () => Math.max(1, Math.floor(SLOTS / active)),
      onprogress: (received, stalled) => progressed(entry, received, stalled),
    });
    await askSurely(link, "finish", { row, size: source.size, crc32: sum }, stopped);
  }

  function progressed(entry, received, stalled) {
    if (entry.row.state !== "sending") return;
    const now = performance.now();
    entry.row.received = received;
    entry.stalled = stalled;
    entry.heard = now;
    entry.marks.push([now, received]);
    while (entry.marks.length > 2 && now - entry.marks[1][0] > RATE_OVER_MS) entry.marks.shift();
    const [since, from] = entry.marks[0];
    entry.rate = now - since > 300 ? ((received - from) / (now - since)) * 1000 : 0;
    put(entry);
  }

  /** Something failed here, not in the kernel, which tells its own troubles. */
  function failed(given, error) {
    const entry = entryOf(given.source) ?? given;
    if (!["waiting", "sending"].includes(entry.row.state)) return; // it has come further, or says why not
    const unreadable = ["NotReadableError", "NotFoundError"].includes(error?.name);
    const why = unreadable
      ? t("upload.unreadable", { name: entry.row.name, why: error.message })
      : String(error?.message ?? error);
    entry.broken = { problem: why, again: !unreadable };
    entry.row = { ...entry.row, ...entry.broken, state: "problem", note: null };
    put(entry);
  }

  async function remove(entry) {
    const begun = entry.sending !== null;
    entry.sending?.abort();
    forget(entry);
    if (entry.row.id.startsWith(nonce)) {
      if (begun) cancelled.add(entry.row.id);
    } else await link.ask("remove", { row: entry.row.id }, { aside: true });
  }

  function retry(entry) {
    if (!entry.source || entry.row.kept) return link.ask("retry", { row: entry.row.id });
    return line(entry);
  }

  /** Ask for all rows: at first, and when something may have been missed. */
  function refresh() {
    looking ??= askUntilAnswered(() => link.ask("rows", {}, { aside: true }))
      .then(taken)
      .finally(() => (looking = null));
    return looking;
  }

  function taken({ data }) {
    const ids = new Set(data.rows.map((row) => row.id));
    for (const entry of [...entries.values()]) {
      if (!entry.row.id.startsWith(nonce) && !ids.has(entry.row.id)) forget(entry);
    }
    data.rows.forEach(told);
    return data;
  }

  const moving = ["sending", "fetching", "checking", "opening"];
  const timer = setInterval(() => {
    const now = performance.now();
    const missed = [...entries.values()].filter(
      (entry) => moving.includes(entry.row.state) && stateOf(entry) !== "interrupted" && now - entry.heard > QUIET_MS - 1000,
    );
    if (missed.length) refresh().catch(() => {});
    for (const entry of entries.values()) if (stateOf(entry) !== entry.shown) put(entry);
  }, 1500);
  const later = setTimeout(() => refresh().catch(() => {}), BROKEN_OFF_MS);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    clearTimeout(later);
  });
  link.on("row", ({ row }) => told(row));

  return { add, remove, retry, refresh, keep: (entry) => link.ask("keep", { row: entry.row.id }, { aside: true }), entries, stateOf };
}
