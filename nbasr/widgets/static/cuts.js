// Cuts to work with: one has the focus, is dragged, moved by keys, locked, added and taken away.

import { cutAfter, isBad, drawBands, drawCuts, drawCutsFromAfar, drawLabels, firstAfter } from "./cutdraw.js";
import { spanAfter } from "./speech.js";
import { clockText } from "./texts.js";

const NEAR = 6; // px beside a cut that take hold of it
const MAGNET = 10; // px around a pause from which a dragged cut goes into it
const INSET = 0.1; // s that a dragged cut stays away from speech, where the pause is wide enough
const APART = 0.1; // s that stay of each chunk
const SAME = 1e-4; // s by which two plans may tell the same cut differently
const FAR = 0.05; // s in a pixel from which a cut cannot be told from what is around it
const AROUND = 10; // s shown on either side then
const STEP = 0.01; // s that a cut is moved by a key; ten times that with Shift

/**
 * @param frame the panel's
 * @param view the wave view that they are in
 * @param {{edit: (what: object) => Promise<void>, hear: (time: number) => void,
 *   onfocus: () => void}} options
 */
export function createCuts(frame, view, { edit, hear, onfocus }) {
  const { t, say } = frame;
  let plan = null;
  let speech = new Float64Array(0);
  let focused = -1;
  let drag = null; // {index, from, time}: which cut is moved, from where and to where
  let nudge = null; // the same, moved by keys and not yet told to the kernel

  const held = () => drag ?? nudge;
  const motion = () => ({ dragged: held()?.index ?? -1, moved: held()?.time ?? null });
  view.addLayer({
    z: 2,
    draw: (ctx, of, colours) => plan && drawBands(ctx, of, colours, plan, motion()),
  });
  view.addLayer({
    z: 40,
    draw: (ctx, of, colours) => {
      if (!plan) return;
      drawLabels(ctx, of, colours, plan, { ...motion(), t });
      drawCuts(ctx, of, colours, plan, { ...motion(), focused, pause: held() ? pauseAt(held().time) : 0 });
    },
    drawOverview: (ctx, width, height, colours) =>
      plan && drawCutsFromAfar(ctx, width, height, colours, plan, view.duration),
  });
  view.addHandle({
    hit(x) {
      const index = plan ? nearest(view.timeAt(x)) : -1;
      if (index < 0 || Math.abs(view.x(plan.cuts[index][0]) - x) > NEAR) return null;
      return { index, cursor: "ew-resize" };
    },
    press({ index }, time) {
      settle();
      focus(index);
      const from = plan.cuts[index][0];
      const stop = () => {
        const moved = drag;
        drag = null;
        onfocus();
        view.redraw();
        return moved;
      };
      return {
        move(at, event) {
          if (!drag && Math.abs(view.x(at) - view.x(time)) < 3) return; // a click, so far
          const now = indexAt(from);
          if (now < 0) return void stop(); // another plan came, without it
          drag = { index: now, from, time: placed(at + from - time, now, !event.altKey) };
          onfocus();
          view.redraw();
        },
        end() {
          const moved = stop();
          if (moved) move(moved);
        },
        cancel: stop,
      };
    },
  });

  /** Where a dragged cut goes: between its neighbours, into a pause if one is near. */
  function placed(time, index, snaps) {
    const low = (plan.cuts[index - 1]?.[0] ?? plan.chunks[0]) + APART;
    const high = (plan.cuts[index + 1]?.[0] ?? plan.chunks.at(-1)) - APART;
    const inside = (at) => Math.min(Math.max(at, low), high);
    return inside(snaps ? intoPause(time) : time);
  }

  function intoPause(time) {
    const reach = view.timeAt(MAGNET) - view.timeAt(0);
    const after = spanAfter(speech, time); // the stretch that holds the time, or follows it
    const stretches = speech.length / 2;
    const begins = (at) => (at < stretches ? speech[2 * at] : view.duration);
    const ends = (at) => (at > 0 ? speech[2 * at - 1] : 0);
    const near = [after, after + 1] // the pauses before and after
      .filter((at) => at <= stretches)
      .map((at) => [ends(at), begins(at)])
      .filter(([start, stop]) => stop > start && time > start - reach && time < stop + reach)
      .sort((one, other) => gap(one, time) - gap(other, time))[0];
    if (!near) return time;
    const inset = Math.min(INSET, (near[1] - near[0]) / 2);
    return Math.min(Math.max(time, near[0] + inset), near[1] - inset);
  }

  /** Length of the pause around a time, 0 inside speech. */
  function pauseAt(time) {
    const after = spanAfter(speech, time);
    const start = after < speech.length / 2 ? speech[2 * after] : view.duration;
    if (time > start) return 0;
    return start - (after > 0 ? speech[2 * after - 1] : 0);
  }

  function nearest(time) {
    const after = cutAfter(plan.cuts, time);
    const before = after - 1;
    if (after >= plan.cuts.length) return before;
    if (before < 0) return after;
    return time - plan.cuts[before][0] < plan.cuts[after][0] - time ? before : after;
  }

  /** Index of the cut at a time, -1 where there is none. */
  function indexAt(time) {
    const near = nearest(time);
    return near >= 0 && Math.abs(plan.cuts[near][0] - time) < SAME ? near : -1;
  }

  /** What is being moved, in another plan; null where that does not have it. */
  function kept(moving) {
    const index = moving ? indexAt(moving.from) : -1;
    return index >= 0 ? { ...moving, index } : null;
  }

  function focus(index) {
    focused = plan && index >= 0 && index < plan.cuts.length ? index : -1;
    onfocus();
    view.redraw();
    if (focused >= 0) say(described());
  }

  /** The focused cut in words. */
  function described() {
    if (!plan?.cuts.length) return t("tuner.no_cuts");
    if (focused < 0) return t(plan.cuts.length > 1 ? "tuner.no_focus" : "tuner.no_focus_one", { count: plan.cuts.length });
    const [time, pause, locked] = held()
      ? [held().time, pauseAt(held().time), 1]
      : plan.cuts[focused];
    return [
      t("tuner.cut_at", { number: focused + 1, count: plan.cuts.length, time: clockText(time, 2) }),
      pause ? t("tuner.cut_pause", { seconds: pause.toFixed(2) }) : t("tuner.cut_speech"),
      ...(locked ? [t("tuner.cut_locked")] : []),
    ].join(" · ");
  }

  // The kernel is told where the cut was: its plan may be another one by then.
  const move = ({ index, from, time }) => edit({ do: "move", index, at: from, time });
  const change = (what) => edit({ do: what, index: focused, at: plan.cuts[focused][0] });

  /** Bring a time into view, near enough to see what is around it. */
  function approach(time) {
    const { start, stop } = view.visible;
    if ((stop - start) / view.width <= FAR) view.reveal(time);
    else view.show(time - AROUND, time + AROUND);
  }

  /** Go to the cut before or after the focused one, or else the playhead. */
  function step(by) {
    if (!plan?.cuts.length) return say(t("tuner.no_cuts"));
    settle();
    const at = cutAfter(plan.cuts, view.playhead + (by > 0 ? 1e-6 : 0));
    const next = focused >= 0 ? focused + by : by > 0 ? at : at - 1;
    const index = Math.min(Math.max(next, 0), plan.cuts.length - 1);
    approach(plan.cuts[index][0]);
    return focus(index);
  }

  /** Go to a cut that may have hit a word, from the last on to the first. */
  function stepBad(by) {
    const bad = (plan?.cuts ?? []).flatMap(([, pause], index) => (isBad(pause) ? [index] : []));
    if (!bad.length) return say(t("tuner.no_bad"));
    settle();
    const here = focused >= 0 ? focused : cutAfter(plan.cuts, view.playhead) - (by > 0 ? 1 : 0);
    const index = by > 0 ? bad.find((at) => at > here) ?? bad[0] : bad.findLast((at) => at < here) ?? bad.at(-1);
    approach(plan.cuts[index][0]);
    return focus(index);
  }

  function nudged(by) {
    if (focused < 0) return say(described());
    const from = nudge?.time ?? plan.cuts[focused][0];
    nudge = { index: focused, from: plan.cuts[focused][0], time: placed(from + by, focused, false) };
    view.reveal(nudge.time);
    clearTimeout(settling);
    settling = setTimeout(settle, 350); // a held key is one edit
    onfocus();
    return view.redraw();
  }

  let settling = 0;
  function settle() {
    clearTimeout(settling);
    const moved = nudge;
    nudge = null;
    if (moved) move(moved);
  }

  const some = (action) => (focused < 0 ? say(described()) : action());
  const actions = {
    previous: () => step(-1),
    next: () => step(1),
    previousBad: () => stepBad(-1),
    nextBad: () => stepBad(1),
    add: () => edit({ do: "add", time: view.playhead }),
    remove: () => some(() => change("remove")),
    lock: () => some(() => change(plan.cuts[focused][2] ? "unlock" : "lock")),
    hear: () => some(() => hear(held()?.time ?? plan.cuts[focused][0])),
    undo: () => edit({ do: "undo" }).then(() => say(described())),
    redo: () => edit({ do: "redo" }).then(() => say(described())),
  };

  function keyed(event) {
    const isTyped = event.getModifierState("AltGraph"); // as [ is on many keyboards; it looks like Ctrl+Alt
    const command = (event.ctrlKey || event.metaKey) && !isTyped;
    if (command && event.key.toLowerCase() === "z") return (event.shiftKey ? actions.redo : actions.undo)(), true;
    if (command && event.key.toLowerCase() === "y") return actions.redo(), true;
    if (command) return false;
    if (event.altKey && !isTyped) {
      const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!sign) return false;
      nudged(sign * STEP * (event.shiftKey ? 10 : 1));
      return true;
    }
    const action = {
      "[": "previous", "]": "next", "{": "previousBad", "}": "nextBad", c: "add", k: "lock", h: "hear", Delete: "remove", Backspace: "remove",
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return false;
    if (action === "remove" && focused < 0) return false; // a region may have the focus
    if (event.repeat && !/^(previous|next)/.test(action)) return true;
    actions[action]();
    return true;
  }

  /** A double click hears the cut under it, or cuts there. */
  function doubleClicked(event) {
    const box = view.canvas.getBoundingClientRect();
    if (!plan || event.clientY < box.top) return false;
    const time = view.timeAt(event.clientX - box.left);
    const near = nearest(time);
    if (near >= 0 && Math.abs(view.x(plan.cuts[near][0]) - view.x(time)) <= NEAR) hear(plan.cuts[near][0]);
    else edit({ do: "add", time: event.altKey ? time : intoPause(time) });
    return true;
  }

  return {
    actions,
    keyed,
    doubleClicked,
    described,
    /** Show another plan; `index` is the cut to stay with, else the one at the same place is. */
    show(next, spoken, index = null) {
      const was = plan?.cuts[focused]?.[0];
      plan = next;
      speech = spoken;
      drag = kept(drag);
      nudge = kept(nudge);
      if (index !== null) focused = Math.min(index, plan.cuts.length - 1);
      else if (was !== undefined) {
        const near = nearest(was);
        focused = near >= 0 && Math.abs(plan.cuts[near][0] - was) < 0.02 ? near : -1;
      }
      onfocus();
      view.redraw();
      if (index !== null) say(described());
    },
    focus,
    get focused() {
      return focused;
    },
    get locked() {
      return focused >= 0 && Boolean(plan.cuts[focused][2]);
    },
    get count() {
      return plan?.cuts.length ?? 0;
    },
    /** Which chunk holds a time, or comes next where it is left out; -1 if there is none. */
    chunkAt(time) {
      const count = plan ? plan.chunks.length / 2 : 0;
      return Math.min(firstAfter(plan?.chunks ?? [], time), count - 1);
    },
  };
}

function gap([start, stop], time) {
  return Math.max(start - time, time - stop, 0);
}
