// Marked stretches of a recording: made from the selection, moved, named, heard, taken away.

import { RATE } from "./pyramid.js";
import { createRegionList } from "./regionlist.js";
import { drawRegions, regionAt, regionRows } from "./regiondraw.js";
import { clockText } from "./texts.js";

const SHORTEST = 0.01; // s
const UNDONE = 100; // steps that are kept
const DRAG = 3; // px

/**
 * @typedef {{id: number, start: number, stop: number, label: string}} MarkedRegion
 *
 * @param frame of the panel
 * @param context anywidget's: its model has the trait "regions"
 * @param view the wave view
 * @param player
 * @returns {{element: HTMLElement, keys: (event: KeyboardEvent) => boolean, add: () => void}}
 */
export function createRegions(frame, { model }, view, player) {
  const { t, signal } = frame;
  /** @type {MarkedRegion[]} in order */
  let regions = [];
  let focused = null; // id
  let rows = new Map();
  let ids = 0;
  const undone = { back: [], on: [] };

  const list = createRegionList(frame, view, {
    focus: (id, by) => focus(id, by),
    play: (region) => player.play({ start: region.start, stop: region.stop }),
    visit,
    remove,
    rename: (id, label) => change(id, (region) => ({ ...region, label })),
    move: (id, part, to) => change(id, (region) => moved(region, part, to)),
  });

  const plain = () => regions.map(({ start, stop, label }) => ({ start, stop, label }));
  const find = (id) => regions.find((region) => region.id === id) ?? null;
  const named = (region) => region.label || t("wave.region_number", { number: regions.indexOf(region) + 1 });

  function put(next) {
    regions = next.toSorted((a, b) => a.start - b.start || a.stop - b.stop);
    rows = regionRows(regions);
    if (!find(focused)) focused = null;
    list.show(regions, focused);
    view.redraw();
  }

  /** Take over a change of the person's: it can be undone, and the kernel learns of it. */
  function commit(next) {
    undone.back.push(regions);
    if (undone.back.length > UNDONE) undone.back.shift();
    undone.on = [];
    put(next);
    send();
  }

  function change(id, changed) {
    if (!find(id)) return; // a field of a region that Python has just taken away
    commit(regions.map((region) => (region.id === id ? changed(region) : region)));
  }

  /** To the sample, as the kernel has it: what it put right would come in the middle of the next drag. */
  const toSample = (time) => Math.min(Math.round(time * RATE) / RATE, view.duration);

  /** A region with an edge, or the whole of it, elsewhere: inside the recording, and never empty. */
  function moved(region, part, to) {
    const { start, stop } = region;
    if (part === "start") return { ...region, start: toSample(Math.max(0, Math.min(to, stop - SHORTEST))) };
    if (part === "stop") return { ...region, stop: toSample(Math.max(to, start + SHORTEST)) };
    const from = toSample(Math.max(0, Math.min(to, view.duration - (stop - start))));
    return { ...region, start: from, stop: toSample(from + stop - start) };
  }

  function send() {
    model.set("regions", plain());
    model.save_changes();
  }

  function undo(from, to) {
    if (!undone[from].length) return;
    undone[to].push(regions);
    put(undone[from].pop());
    send();
    frame.say(t(from === "back" ? "wave.undone" : "wave.redone"));
  }

  function add() {
    const chosen = view.selection;
    if (!chosen) {
      frame.say(t("wave.select_first"));
      return;
    }
    ids += 1;
    const made = { id: ids, start: chosen.start, stop: chosen.stop, label: "" };
    focused = made.id;
    commit([...regions, made]);
    list.name(made.id);
    frame.say(t("wave.region_added", { start: clockText(made.start), stop: clockText(made.stop) }));
  }

  function remove(id) {
    const region = find(id);
    if (!region) return;
    const at = regions.indexOf(region);
    const name = named(region);
    const inList = list.element.matches(":focus-within");
    commit(regions.filter((other) => other !== region));
    const next = regions[Math.min(at, regions.length - 1)];
    if (inList && next) list.removeNext(next.id);
    else view.focus();
    frame.say(t("wave.region_removed", { name }));
  }

  function focus(id, by = "") {
    if (focused === id) return;
    focused = id;
    list.mark(id, by !== "list");
    view.redraw();
  }

  /** Go to the next or previous region from the playhead: select it, ready to be played. */
  function step(by) {
    const at = find(focused) ? regions.indexOf(find(focused)) + by : by > 0
      ? regions.findIndex((region) => region.start >= view.playhead - 1e-6)
      : regions.findLastIndex((region) => region.start < view.playhead - 1e-6);
    const region = regions[at];
    if (!region) return;
    visit(region);
    frame.say(t("wave.region_focused", {
      name: named(region), start: clockText(region.start), stop: clockText(region.stop),
    }));
  }

  function visit(region) {
    focus(region.id);
    view.select(region.start, region.stop, "region");
    view.seek(region.start);
    view.reveal(region.start);
  }

  view.addLayer({
    z: 5,
    draw: (ctx, _, colours) => drawRegions(ctx, view, colours, { regions, focused, rows, part: "band" }),
    drawOverview(ctx, width, height, colours) {
      ctx.fillStyle = colours["region-edge"];
      for (const { start, stop } of regions) {
        const x = (start / view.duration) * width;
        ctx.fillRect(x, height - 4, Math.max(((stop - start) / view.duration) * width, 1.5), 4);
      }
    },
  });
  view.addLayer({
    z: 40,
    draw: (ctx, _, colours) => drawRegions(ctx, view, colours, { regions, focused, rows, part: "tab" }),
  });
  view.addSnap((time) => regions.flatMap(({ start, stop }) => [start, stop]).filter((edge) => edge !== time));

  view.addHandle({
    hit: (x, y) => regionAt(view, { regions, focused, rows }, x, y),
    press(hit, time) {
      const before = regions;
      const region = find(hit.id);
      const grip = time - (hit.part === "stop" ? region.stop : region.start);
      const from = view.x(time);
      let dragged = false;
      focus(region.id);
      return {
        move(now, event) {
          if (!dragged && Math.abs(view.x(now) - from) < DRAG) return;
          dragged = true;
          // Edges stop where pauses begin and end; its own edges are no places to stop at.
          const to = view.snap(now - grip, event, 8, [region.start, region.stop]);
          const changed = moved(region, hit.part, to);
          regions = before.map((other) => (other.id === region.id ? changed : other));
          list.update(changed, before.indexOf(region));
          view.redraw();
        },
        end() {
          if (!dragged) return visit(region);
          const after = regions;
          regions = before;
          commit(after);
          return undefined;
        },
        cancel: () => put(before),
      };
    },
    doubleClick({ id }) {
      list.name(id);
      return true;
    },
  });

  model.on("change:regions", take);
  signal.addEventListener("abort", () => model.off("change:regions", take));

  function take() {
    const given = model.get("regions") ?? [];
    if (JSON.stringify(given) === JSON.stringify(plain())) return;
    const old = [...regions];
    const known = (one, least) => {
      const at = old.findIndex((other) => ["start", "stop", "label"].filter((key) => one[key] === other[key]).length >= least);
      return at < 0 ? null : old.splice(at, 1)[0].id;
    };
    // One that has changed in one thing is still the same: somebody may be typing its name.
    const same = given.map((one) => known(one, 3));
    put(given.map(({ start, stop, label }, at) => {
      const id = same[at] ?? known({ start, stop, label }, 2) ?? (ids += 1);
      return { id, start, stop, label };
    }));
  }
  take();

  view.addDescription(() => {
    const region = find(focused);
    if (region) return t("wave.region_now", { name: named(region), start: clockText(region.start), stop: clockText(region.stop) });
    return regions.length ? t("wave.region_count", { number: regions.length }) : "";
  });
  view.addHelp(t("wave.regions"), [
    ["R", t("wave.mark")], ["[ ]", t("wave.key_regions")], ["Delete", t("wave.key_delete")], ["Ctrl Z", t("wave.key_undo")],
  ]);

  return {
    element: list.element,
    add,
    keys(event) {
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (event.altKey) return false;
      if (event.ctrlKey || event.metaKey) {
        if (key === "z") return event.shiftKey ? undo("on", "back") : undo("back", "on"), true;
        if (key === "y") return undo("on", "back"), true;
        return false;
      }
      if (key === "r") return add(), true;
      if (key === "[") return step(-1), true;
      if (key === "]") return step(1), true;
      if ((key === "Delete" || key === "Backspace") && find(focused)) return remove(focused), true;
      if (key === "Escape" && find(focused) && !view.selection) return focus(null), true;
      return false;
    },
  };
}
