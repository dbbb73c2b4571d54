// The strip with the whole recording: shows which part is seen below, and moves it.

import { h } from "./dom.js";
import { drawWave } from "./wavedraw.js";

const GRIP = 8; // px around an edge of the window that take hold of it

/**
 * @param view the wave view that it belongs to
 * @param {{height: number, signal: AbortSignal, drawing: () => object}} options `drawing`: what
 *   `drawWave` needs to know, but for place and time
 */
export function createOverview(view, { height, signal, drawing }) {
  const canvas = h("canvas.nb-overview-canvas");
  const box = h("div.nb-overview-window", {}, h("span.nb-grip"), h("span.nb-grip"));
  const before = h("div.nb-overview-rest.nb-before");
  const after = h("div.nb-overview-rest.nb-after");
  const head = h("div.nb-head");
  // All that it does can be done in the view itself by keyboard: it is hidden from screen readers.
  const element = h("div.nb-overview", { "aria-hidden": "true", style: { height: `${height}px` } },
    canvas, before, after, box, head);

  const time = (x) => (x / element.clientWidth) * view.duration;
  const part = (x) => {
    const { start, stop } = view.visible;
    const scale = element.clientWidth / view.duration;
    if (Math.abs(x - start * scale) <= GRIP && stop - start < view.duration) return "start";
    if (Math.abs(x - stop * scale) <= GRIP && stop - start < view.duration) return "stop";
    return x > start * scale && x < stop * scale ? "whole" : "outside";
  };
  const at = (event) => event.clientX - element.getBoundingClientRect().left;

  let held = null;
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    const x = at(event);
    const { start, stop } = view.visible;
    let kind = part(x);
    if (kind === "outside" || (kind === "whole" && stop - start >= view.duration * 0.999)) {
      const span = Math.min(stop - start, view.duration);
      view.show(time(x) - span / 2, time(x) + span / 2);
      kind = "whole";
    }
    held = { kind, offset: time(x) - view.visible.start, ...view.visible };
    element.setPointerCapture(event.pointerId);
  }, { signal });
  element.addEventListener("pointermove", (event) => {
    const now = time(at(event));
    if (!held) {
      const over = part(at(event));
      element.style.cursor = over === "whole" ? "grab" : over === "outside" ? "pointer" : "ew-resize";
      return;
    }
    if (held.kind === "whole") view.show(now - held.offset, now - held.offset + held.stop - held.start);
    else if (held.kind === "start") view.show(Math.min(now, held.stop - view.shortest), held.stop);
    else view.show(held.start, Math.max(now, held.start + view.shortest));
  }, { signal });
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, () => (held = null), { signal });
  }
  element.addEventListener("dblclick", () => view.fit(), { signal });

  return {
    element,
    /** Draw the recording and what layers add. */
    draw(layers) {
      const how = drawing();
      const { dpr, colours } = how;
      const width = element.clientWidth;
      if (!width) return;
      canvas.width = Math.round(width * dpr);
      canvas.height = Math.round(height * dpr);
      const ctx = canvas.getContext("2d");
      ctx.scale(dpr, dpr);
      drawWave(ctx, { ...how, start: 0, stop: view.duration, width, height });
      for (const layer of layers) layer.drawOverview?.(ctx, width, height, colours);
    },
    /** Put the window where the view is. */
    place() {
      const { start, stop } = view.visible;
      const left = (100 * start) / view.duration;
      const right = 100 - (100 * stop) / view.duration;
      box.style.left = before.style.width = `${left}%`;
      box.style.right = after.style.width = `${right}%`;
      element.classList.toggle("nb-all", stop - start >= view.duration * 0.999);
    },
    placeHead(playhead) {
      head.style.transform = `translateX(${(playhead / view.duration) * view.width}px)`;
    },
  };
}
