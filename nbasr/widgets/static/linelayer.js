// The lines of a transcript under the waveform, with their text, and the edges of the current one.

import { h } from "./dom.js";

const STRIP = 22; // px
const EDGE = 5; // px around an edge that take hold of it
const NARROW = 3; // px; lines that are narrower on average are drawn as one band
const SHORTEST = 0.02; // s
const DRAG = 3; // px
const WIDE = 12; // px that the current line must have for its edges to be moved

/**
 * @param frame of the panel
 * @param store of `createSegments`
 * @param lines of `createLines`
 * @param {{view, player}} sound
 */
export function createLineLayer(frame, store, lines, { view }) {
  const { guard, t } = frame;
  let dragged = null; // {id, start, stop} while an edge is moved

  const timesOf = (index) => {
    const segment = store.at(index);
    return dragged?.id === segment.id ? dragged : segment;
  };

  /** Lines that are seen, at most. */
  function seen() {
    const { start, stop } = view.visible;
    let first = Math.max(store.indexAt(start), 0);
    while (first > 0 && store.at(first - 1).stop > start) first -= 1; // overlapping ones
    return [first, store.indexAt(stop) + 1];
  }

  // -- Drawing ----------------------------------------------------------------------------------

  function drawStrip(ctx, _, colours, height) {
    const [first, last] = seen();
    const dense = (last - first) * NARROW > view.width;
    ctx.font = colours.font;
    ctx.textBaseline = "middle";
    ctx.strokeStyle = ctx.fillStyle = colours.line;
    ctx.fillRect(0, 0, view.width, 1);
    if (dense) {
      ctx.fillStyle = colours["line-band"];
      const step = (last - first) / view.width;
      for (let at = first; at < last; at += Math.max(step / 2, 1)) {
        const { start, stop } = timesOf(Math.floor(at));
        ctx.fillRect(view.x(start), 4, Math.max(view.x(stop) - view.x(start), 1), height - 7);
      }
    } else for (let index = first; index < last; index += 1) drawBox(ctx, colours, height, index);
  }

  function drawBox(ctx, colours, height, index) {
    const { start, stop } = timesOf(index);
    const [left, right] = [view.x(start), view.x(stop)];
    if (right < -1 || left > view.width + 1) return;
    const segment = store.at(index);
    ctx.fillStyle = colours["line-band"];
    const width = Math.max(right - left - 1, 1);
    ctx.fillRect(left, 3, width, height - 5);
    if (segment.doubtful) {
      ctx.fillStyle = colours.warn;
      ctx.fillRect(left, height - 4, width, 2);
    }
    const from = Math.max(left, 0); // the text stays in sight while a part of its line does
    const room = Math.min(right, view.width) - from - 8;
    if (room < 14) return;
    ctx.save();
    ctx.beginPath();
    ctx.rect(from, 0, room + 6, height);
    ctx.clip();
    ctx.fillStyle = colours.text;
    ctx.fillText(segment.text.slice(0, Math.ceil(room / 3)), from + 4, height / 2);
    ctx.restore();
  }

  view.addStrip({ height: STRIP, draw: drawStrip });

  // What is selected changes with every key: it stands above the canvas, which is not drawn anew for it.
  const chosen = h("div.nb-lines-chosen");
  const now = h("div.nb-line-now", {}, h("div.nb-line-edge"), h("div.nb-line-edge"));
  view.stage.append(chosen, now);

  function place() {
    const { selection, current } = lines;
    const here = current >= 0 && current < store.count;
    chosen.hidden = now.hidden = !here;
    if (!here) return;
    const { start, stop } = timesOf(current);
    put(now, start, stop);
    now.classList.toggle("nb-movable", store.editable && view.x(stop) - view.x(start) >= WIDE);
    if (selection.first === selection.last) put(chosen, start, stop);
    else put(chosen, store.at(selection.first).start, store.at(selection.last).stop);
  }

  /** In shares of what is seen, as the width may change. */
  function put(element, start, stop) {
    const { visible } = view;
    const share = 100 / (visible.stop - visible.start);
    element.style.left = `${(start - visible.start) * share}%`;
    element.style.width = `${(stop - start) * share}%`;
  }

  // -- The mouse --------------------------------------------------------------------------------

  function edgeAt(x) {
    const segment = store.at(lines.current);
    if (!segment || !store.editable) return null;
    const [left, right] = [view.x(segment.start), view.x(segment.stop)];
    if (right - left < WIDE) return null;
    if (Math.abs(x - right) <= EDGE && x > (left + right) / 2) return "stop";
    return Math.abs(x - left) <= EDGE ? "start" : null;
  }

  function moved(segment, part, to) {
    if (part === "start") return { id: segment.id, start: Math.max(0, Math.min(to, segment.stop - SHORTEST)), stop: segment.stop };
    return { id: segment.id, start: segment.start, stop: Math.min(view.duration, Math.max(to, segment.start + SHORTEST)) };
  }

  const send = guard(async (to) => {
    try {
      await store.edit("times", to);
    } finally {
      if (dragged === to) dragged = null;
      again();
    }
  });

  view.addHandle({
    hit(x, y) {
      const part = y < 0 ? null : edgeAt(x);
      return part && { part, cursor: "ew-resize" };
    },
    press({ part }, time) {
      const segment = store.at(lines.current);
      const grip = time - segment[part];
      const from = view.x(time);
      let changed = null;
      return {
        move(now, event) {
          if (!changed && Math.abs(view.x(now) - from) < DRAG) return;
          changed = moved(segment, part, view.snap(now - grip, event, 8, [segment.start, segment.stop]));
          dragged = changed;
          again();
        },
        end() {
          if (changed) send(changed);
          else view.seek(time);
        },
        cancel() {
          dragged = null;
          again();
        },
      };
    },
  });
  view.addSnap((time) => {
    const at = store.indexAt(time);
    return [at - 1, at, at + 1].flatMap((index) => {
      const segment = store.at(index);
      return segment ? [segment.start, segment.stop] : [];
    });
  });

  /** Going somewhere in the wave chooses the line there. */
  view.on("seek", (time) => {
    const segment = store.at(lines.current);
    if (segment && time >= segment.start && time < segment.stop) return;
    const at = store.indexAt(time);
    if (at >= 0 && time <= store.at(at).stop) lines.select(at);
  });
  function again() {
    view.redraw();
    place();
  }

  lines.on("selection", place);
  view.on("visible", place);
  store.on("change", again);
  store.on("state", place);
  view.addDescription(() => {
    const segment = store.at(lines.current);
    return segment ? t("read.line_now", { number: lines.current + 1, count: store.count, text: segment.text }) : "";
  });
  place();
}
