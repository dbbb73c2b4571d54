// Regions on a waveform: a band, its edges, and a tab with its name; and what a point hits.

const EDGE = 5; // px around an edge that take hold of it
const TAB = 16; // px
const ROWS = 3; // of tabs; where more regions overlap, the last row is shared

/** The row of each region's tab, so that overlapping ones do not hide each other's names. */
export function regionRows(regions) {
  const rows = new Map();
  const ends = [];
  for (const region of regions) {
    const free = ends.findIndex((end) => end <= region.start);
    const row = Math.min(free < 0 ? ends.length : free, ROWS - 1);
    ends[row] = Math.max(ends[row] ?? 0, region.stop);
    rows.set(region.id, row);
  }
  return rows;
}

function seen(view, { start, stop }) {
  const left = view.x(start);
  const right = view.x(stop);
  return right < -1 || left > view.width + 1 ? null : { left, right };
}

/** Draw bands (under the waveform) or edges and tabs (over it). */
export function drawRegions(ctx, view, colours, { regions, focused, rows, part }) {
  ctx.font = colours.font;
  ctx.textBaseline = "middle";
  regions.forEach((region, index) => {
    const place = seen(view, region);
    if (!place) return;
    const { left, right } = place;
    const is = region.id === focused;
    if (part === "band") {
      ctx.fillStyle = colours.region;
      ctx.fillRect(left, 0, Math.max(right - left, 1), view.height);
      return;
    }
    ctx.fillStyle = colours["region-edge"];
    const thick = is ? 2 : 1;
    ctx.fillRect(left - thick / 2, 0, thick, view.height);
    ctx.fillRect(right - thick / 2, 0, thick, view.height);
    drawTab(ctx, view, colours, { region, index, left, right, row: rows.get(region.id), is });
  });
}

function drawTab(ctx, view, colours, { region, index, left, right, row, is }) {
  // The name stays in sight while a part of its region does.
  const from = Math.max(left, 0);
  const width = Math.min(right, view.width) - from;
  const text = region.label || String(index + 1);
  const y = row * TAB;
  ctx.save();
  ctx.beginPath();
  ctx.rect(from, y, Math.max(width, 4), TAB);
  ctx.clip();
  ctx.fillStyle = is ? colours["region-edge"] : colours["region-tab"];
  ctx.fillRect(from, y, Math.max(width, 4), TAB);
  ctx.fillStyle = is ? colours.surface : colours["region-text"];
  if (width > 12) ctx.fillText(fitted(ctx, text, width - 10), from + 5, y + TAB / 2 + 0.5);
  ctx.restore();
}

/** A text as far as it fits. */
function fitted(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 0 && ctx.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return end ? `${text.slice(0, end)}…` : "";
}

/**
 * What lies at a point: an edge or a tab of a region; the focused one first.
 * @returns {{id: number, part: "start"|"stop"|"whole", cursor: string}|null}
 */
export function regionAt(view, { regions, focused, rows }, x, y) {
  const ordered = [...regions].sort((a, b) => Number(b.id === focused) - Number(a.id === focused));
  for (const region of ordered) {
    const place = seen(view, region);
    if (!place) continue;
    const { left, right } = place;
    const near = Math.min(EDGE, Math.max((right - left) / 3, 1)); // a narrow one can still be moved
    if (x > left + near && x < right - near) continue;
    if (Math.abs(x - right) <= EDGE && x >= right - near) return { id: region.id, part: "stop", cursor: "ew-resize" };
    if (Math.abs(x - left) <= EDGE && x <= left + near) return { id: region.id, part: "start", cursor: "ew-resize" };
  }
  for (const region of ordered) {
    const place = seen(view, region);
    const row = rows.get(region.id);
    if (!place || x < place.left || x > Math.max(place.right, place.left + 4)) continue;
    if (y >= row * TAB && y < (row + 1) * TAB) return { id: region.id, part: "whole", cursor: "grab" };
  }
  return null;
}
