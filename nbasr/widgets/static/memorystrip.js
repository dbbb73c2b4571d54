// Memory over time as a low strip: this kernel's areas, the budget, and a tick for what happened.

import { h } from "./dom.js";
import { memorySpot, MEMORY_COLUMNS } from "./modelstate.js";
import { sizeText } from "./texts.js";
import { themeColours } from "./theme.js";

const HEIGHT = 46; // CSS px
const LONGEST = 900; // s that are shown
const SHORTEST = 60;
const KEPT = 4000; // moments
const PARTS = ["models", "work", "reserve"];
const REDRAW_MS = 2000; // the axis moves on where nothing changes

/**
 * @param frame the panel's
 * @param state of modelstate.js
 * @returns {{element: HTMLElement}}
 */
export function createMemoryStrip(frame, state) {
  const { t, link, guard, root, signal } = frame;
  const canvas = h("canvas.nb-memstrip", { role: "img" });
  const [from, most, to] = [h("span"), h("span"), h("span", {}, t("models.strip_now"))];
  const element = h("div.nb-memtime", {}, canvas, h("div.nb-memtop.nb-dim", { "aria-hidden": "true" }, most),
    h("div.nb-memaxis.nb-dim", { "aria-hidden": "true" }, from, to));
  let spots = [];
  let marks = [];
  let shown = "";
  let drift = 0; // s by which the kernel's clock is ahead of ours
  let queued = false;

  async function fetchAll(device) {
    const { data, buffers } = await link.ask("timeline", { device, since: Date.now() / 1000 + drift - LONGEST }, { aside: true });
    if (device !== shown) return;
    const wide = MEMORY_COLUMNS.length;
    const numbers = new Float64Array(buffers[0].slice().buffer);
    const found = Array.from({ length: data.count }, (_, at) => memorySpot(numbers.subarray(at * wide, (at + 1) * wide)));
    const last = found.at(-1)?.at ?? 0;
    spots = [...found, ...spots.filter(({ at }) => at > last)];
    marks = data.marks;
    draw();
  }

  function update() {
    const { device, spot, now } = state;
    if (!device) return;
    drift = spot.at - Date.now() / 1000;
    if (device.device !== shown) {
      shown = device.device;
      spots = [];
      guard(fetchAll)(shown);
    }
    if (!spots.length || spot.at > spots.at(-1).at) spots.push(spot);
    if (spots.length > KEPT) spots.splice(0, spots.length - KEPT);
    const known = marks.at(-1)?.[0] ?? 0;
    marks = [...marks, ...now.marks.filter(([at]) => at > known)];
    drawSoon();
  }

  function drawSoon() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      draw();
    });
  }

  function draw() {
    const width = canvas.clientWidth;
    if (!width || !spots.length || signal.aborted) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(HEIGHT * scale);
    const ctx = canvas.getContext("2d");
    ctx.scale(scale, scale);
    const end = Math.max(Date.now() / 1000 + drift, spots.at(-1).at);
    const length = Math.min(Math.max(end - spots[0].at, SHORTEST), LONGEST);
    const begin = end - length;
    const first = Math.max(0, spots.findLastIndex(({ at }) => at <= begin));
    const seen = spots.slice(first);
    const own = (spot) => spot.models + spot.work + spot.reserve;
    const highest = Math.max(...seen.map(own));
    const limit = Math.max(...seen.map(({ budget }) => budget));
    const top = 1.15 * Math.max(highest, limit, 1);
    const x = (at) => ((Math.max(at, begin) - begin) / length) * width;
    const y = (bytes) => HEIGHT - (bytes / top) * HEIGHT;
    const colours = themeColours(root, ["mem-models", "mem-work", "mem-reserve", "mem-budget", "dim", "bad"]);
    area(ctx, seen, { x, y, width, colours });
    if (limit >= 0) budgetLine(ctx, seen, { x, y, width, colour: colours["mem-budget"] });
    for (const [at, kind] of marks) {
      if (at < begin || kind === "budget") continue;
      ctx.fillStyle = kind === "short" ? colours.bad : colours.dim;
      ctx.fillRect(Math.round(x(at)), 0, kind === "short" ? 2 : 1, kind === "short" ? HEIGHT : 7);
    }
    const minutes = Math.round(length / 60);
    from.textContent = length < 100 ? t("models.strip_ago_s", { seconds: Math.round(length) }) : t("models.strip_ago", { minutes });
    most.textContent = sizeText(top);
    const label = t("models.strip_label", { minutes: Math.max(minutes, 1), most: sizeText(highest), now: sizeText(own(seen.at(-1))) });
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
  }

  state.on("change", update);
  state.on("device", update);
  frame.onrestyle(drawSoon);
  const resized = new ResizeObserver(drawSoon);
  resized.observe(canvas);
  const timer = setInterval(() => state.shown && drawSoon(), REDRAW_MS);
  signal.addEventListener("abort", () => {
    resized.disconnect();
    clearInterval(timer);
  });
  return { element };
}

/** Steps of each part above the one before, as far as the right edge. */
function area(ctx, seen, { x, y, width, colours }) {
  const below = seen.map(() => 0);
  for (const part of PARTS) {
    ctx.beginPath();
    ctx.moveTo(x(seen[0].at), y(below[0]));
    seen.forEach((spot, at) => {
      ctx.lineTo(x(spot.at), y(below[at] + spot[part]));
      const next = seen[at + 1];
      if (next && next.at - spot.at > 2) ctx.lineTo(x(next.at - 0.5), y(below[at] + spot[part])); // nothing changed meanwhile
    });
    const last = seen.length - 1;
    ctx.lineTo(width, y(below[last] + seen[last][part]));
    ctx.lineTo(width, y(below[last]));
    for (let at = last; at >= 0; at -= 1) {
      const next = seen[at + 1];
      if (next && next.at - seen[at].at > 2) ctx.lineTo(x(next.at - 0.5), y(below[at]));
      ctx.lineTo(x(seen[at].at), y(below[at]));
    }
    ctx.fillStyle = colours[`mem-${part}`];
    ctx.fill();
    seen.forEach((spot, at) => (below[at] += spot[part]));
  }
}

function budgetLine(ctx, seen, { x, y, width, colour }) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5;
  ctx.setLineDash([5, 3]);
  seen.forEach((spot, at) => {
    if (spot.budget < 0) return;
    ctx.beginPath();
    ctx.moveTo(x(spot.at), y(spot.budget));
    ctx.lineTo(at + 1 < seen.length ? x(seen[at + 1].at) : width, y(spot.budget));
    ctx.stroke();
  });
  ctx.setLineDash([]);
}
