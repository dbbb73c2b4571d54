// Mouse, pen, touch and wheel on a waveform: pan, zoom, seek, scrub, select, and what handles do.

import { timeDigits } from "./axis.js";
import { clockText } from "./texts.js";

const DRAG = 4; // px that a press may move and still be a click
const EDGE = 6; // px around an edge of the selection that take hold of it
const LONG_PRESS_MS = 450; // a finger that rests this long selects instead of panning
const WHEEL_GAP_MS = 200; // turns of the wheel that are closer belong together

/**
 * @param view the wave view
 * @param {{stage: HTMLElement, canvas: HTMLElement, hover: HTMLElement, handles: object[],
 *   signal: AbortSignal}} parts
 */
export function createGestures(view, { stage, canvas, hover, handles, signal }) {
  const fingers = new Map();
  let action = null; // what the pressed pointer does: {move, end, cancel}
  let pinch = null;
  let edging = 0;
  let last = null;

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const within = (time) => Math.min(Math.max(time, 0), view.duration);
  const timeOf = (event) => within(view.timeAt(at(event).x));

  /** The first handle under a point, with what it says is there. */
  function handleAt({ x, y }) {
    for (const handle of [...handles, edges]) {
      const hit = handle.hit(x, y);
      if (hit) return { handle, hit };
    }
    return null;
  }

  /** The edges of the selection are handles too; those of panels go first. */
  const edges = {
    hit(x, y) {
      const { selection } = view;
      if (!selection || y < 0) return null;
      const [left, right] = [view.x(selection.start), view.x(selection.stop)];
      if (Math.abs(x - right) <= EDGE && x > (left + right) / 2) return { cursor: "ew-resize", anchor: selection.start };
      if (Math.abs(x - left) <= EDGE) return { cursor: "ew-resize", anchor: selection.stop };
      return null;
    },
    press: ({ anchor }) => selecting(anchor),
  };

  function selecting(anchor) {
    const before = view.selection;
    return {
      edge: true,
      move: (time, event) => view.select(anchor, view.snap(time, event), "pointer"),
      end: () => {},
      cancel: () => (before ? view.select(before.start, before.stop) : view.select(null)),
    };
  }

  /** A press on the waveform: a click seeks, a drag selects. */
  function pressing(event) {
    const from = at(event).x;
    const begun = timeOf(event);
    let drag = null;
    return {
      edge: true,
      move(time, moved) {
        if (!drag && Math.abs(at(moved).x - from) < DRAG) return;
        drag ??= selecting(view.snap(begun, event));
        drag.move(time, moved);
      },
      end() {
        if (drag) return;
        const { selection } = view;
        if (selection && (begun < selection.start || begun > selection.stop)) view.select(null);
        view.seek(begun);
      },
      cancel: () => drag?.cancel(),
    };
  }

  function scrubbing(event) {
    view.seek(timeOf(event));
    return { edge: true, move: (time) => view.seek(time), end: () => {}, cancel: () => {} };
  }

  function panning(event) {
    const from = at(event).x;
    const begun = timeOf(event);
    const { start, stop } = view.visible;
    let moved = false;
    const timer = setTimeout(() => {
      if (moved || action !== self) return;
      action = selecting(begun);
      stage.classList.add("nb-selecting"); // a finger hides what is under it: the frame tells
      navigator.vibrate?.(10);
    }, LONG_PRESS_MS);
    const self = {
      move(_, event) {
        const by = at(event).x - from;
        if (!moved && Math.abs(by) < DRAG * 2) return;
        moved = true;
        const shift = (-by / view.width) * (stop - start);
        view.show(start + shift, stop + shift);
      },
      end() {
        clearTimeout(timer);
        if (!moved) view.seek(begun);
      },
      cancel: () => clearTimeout(timer),
    };
    return self;
  }

  function begin(event) {
    const point = at(event);
    if (point.y < 0) return scrubbing(event);
    const found = handleAt(point);
    const pressed = found?.handle.press?.(found.hit, timeOf(event), event);
    if (pressed) return { edge: true, ...pressed };
    return event.pointerType === "touch" ? panning(event) : pressing(event);
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    view.focus();
    fingers.set(event.pointerId, event);
    stage.setPointerCapture(event.pointerId);
    if (fingers.size === 2) {
      action?.cancel();
      action = null;
      pinch = pinched();
      return;
    }
    if (fingers.size > 2) return;
    event.preventDefault();
    action = begin(event);
    last = event;
  }, { signal });

  stage.addEventListener("pointermove", (event) => {
    showHover(event);
    if (!fingers.has(event.pointerId)) {
      stage.style.cursor = cursorAt(at(event));
      return;
    }
    fingers.set(event.pointerId, event);
    last = event;
    if (pinch) return pinching();
    action?.move(timeOf(event), event);
    if (action?.edge) carryOn();
  }, { signal });

  const finish = (how) => (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (pinch) {
      if (fingers.size < 2) pinch = null;
      return;
    }
    const ended = action;
    action = null;
    stopEdging();
    stage.classList.remove("nb-selecting");
    ended?.[how]();
    view.describe();
  };
  stage.addEventListener("pointerup", finish("end"), { signal });
  stage.addEventListener("pointercancel", finish("cancel"), { signal });
  stage.addEventListener("lostpointercapture", finish("end"), { signal });
  stage.addEventListener("pointerleave", () => (hover.hidden = true), { signal });
  stage.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !action) return;
    const given = action;
    action = null;
    stopEdging();
    given.cancel();
    event.stopImmediatePropagation();
    event.preventDefault();
  }, { signal, capture: true });

  stage.addEventListener("dblclick", (event) => {
    const point = at(event);
    const time = timeOf(event);
    const found = handleAt(point);
    if (found?.handle.doubleClick && found.handle.doubleClick(found.hit, time, event) !== false) return;
    const stretch = stretchAt(view, time);
    if (stretch) view.select(stretch.start, stretch.stop, "pointer");
  }, { signal });

  function cursorAt(point) {
    if (point.y < 0) return "text";
    return handleAt(point)?.hit.cursor ?? "text";
  }

  function showHover(event) {
    const { x } = at(event);
    hover.hidden = event.pointerType === "touch" || x < 0 || x > view.width;
    if (hover.hidden) return;
    const label = hover.firstChild;
    label.textContent = clockText(within(view.timeAt(x)), Math.max(timeDigits((view.visible.stop - view.visible.start) / view.width), 1));
    hover.style.transform = `translateX(${x}px)`;
    hover.classList.toggle("nb-left", x > view.width - 70);
  }

  /** While a drag is held beyond an edge, what is seen moves on. */
  function carryOn() {
    const beyond = () => {
      const { x } = at(last);
      return x < 0 ? x : x > view.width ? x - view.width : 0;
    };
    if (!beyond() || edging) return;
    const step = () => {
      edging = 0;
      const by = action ? beyond() : 0;
      if (!by) return;
      const { start, stop } = view.visible;
      const shift = (Math.min(Math.max(by / 100, -1), 1) * (stop - start)) / 20;
      view.show(start + shift, stop + shift);
      action.move(timeOf(last), last);
      edging = requestAnimationFrame(step);
    };
    edging = requestAnimationFrame(step);
  }

  function stopEdging() {
    cancelAnimationFrame(edging);
    edging = 0;
  }

  function pinched() {
    const [a, b] = [...fingers.values()].map((finger) => at(finger).x);
    return { distance: Math.max(Math.abs(a - b), 20), time: view.timeAt((a + b) / 2), span: view.visible.stop - view.visible.start };
  }

  function pinching() {
    const [a, b] = [...fingers.values()].map((finger) => at(finger).x);
    const span = (pinch.span * pinch.distance) / Math.max(Math.abs(a - b), 20);
    const share = (a + b) / 2 / view.width;
    view.show(pinch.time - share * span, pinch.time + (1 - share) * span);
  }

  signal.addEventListener("abort", () => {
    action = null;
    stopEdging();
  });

  const wheels = { last: 0, ours: false };
  // Whoever scrolls the page over a waveform wants to scroll the page: a turn that began elsewhere
  // goes on there.
  window.addEventListener("wheel", (event) => {
    if (event.timeStamp - wheels.last > WHEEL_GAP_MS) wheels.ours = event.composedPath().includes(stage);
    wheels.last = event.timeStamp;
  }, { signal, capture: true, passive: true });

  stage.addEventListener("wheel", (event) => {
    const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    const [dx, dy] = [event.deltaX * lines, event.deltaY * lines];
    if (event.ctrlKey || event.metaKey) {
      // A pinch on a trackpad comes as small steps with Ctrl, a wheel in steps of about 100.
      view.zoomBy(Math.exp(-dy * (Math.abs(dy) < 50 ? 0.01 : 0.003)), timeOf(event));
      event.preventDefault();
      return;
    }
    const sideways = Math.abs(dx) > Math.abs(dy) || event.shiftKey;
    if (!wheels.ours && !sideways) return;
    const { start, stop } = view.visible;
    const by = ((Math.abs(dx) > Math.abs(dy) ? dx : dy) / view.width) * (stop - start);
    view.show(start + by, stop + by);
    if (sideways || view.visible.start !== start) event.preventDefault();
  }, { signal, passive: false });
}

/** The stretch of speech, or the pause, that a time lies in. */
function stretchAt(view, time) {
  const pause = view.silenceAt(time);
  if (pause) return pause;
  const pairs = view.silence();
  if (!pairs.length) return null;
  let start = 0;
  let stop = view.duration;
  for (let at = 0; at < pairs.length; at += 2) {
    if (pairs[at + 1] <= time) start = pairs[at + 1];
    else {
      stop = pairs[at];
      break;
    }
  }
  return { start, stop };
}
