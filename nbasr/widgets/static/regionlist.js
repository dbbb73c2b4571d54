// The list of regions: names and times to edit, to hear, to take away.

import { clockField } from "./clockfield.js";
import { button, h } from "./dom.js";

const MOST = 300; // rows; of more regions those that are seen are listed
const SETTLED_MS = 100; // a view that still moves makes no rows

/**
 * @param {{focus: (id: number|null, by: string) => void, play: (region) => void,
 *   visit: (region) => void, remove: (id: number) => void,
 *   rename: (id: number, label: string) => void,
 *   move: (id: number, part: "start"|"stop", to: number) => void}} actions
 */
export function createRegionList(frame, view, actions) {
  const { t } = frame;
  let regions = [];
  let focused = null;
  let settling = 0;
  let lines = new Map(); // id → what its row shows
  const body = h("tbody");
  const note = h("div.nb-dim", { hidden: true });
  const count = h("span.nb-dim");
  const table = h("table.nb-regions", {},
    h("thead", {}, h("tr", {},
      ["wave.column_number", "wave.column_label", "wave.column_start", "wave.column_stop", "wave.column_length"].map(
        (key) => h("th", { scope: "col" }, t(key))),
      h("th", { scope: "col" }, h("span.nb-unseen", {}, t("wave.column_actions"))))),
    body);
  const element = h("div.nb-regionbox", { role: "group", "aria-label": t("wave.regions"), hidden: true },
    h("div.nb-row", {}, h("span", {}, t("wave.regions")), count), h("div.nb-scroll", { tabindex: -1 }, table), note);

  function line(region) {
    const known = lines.get(region.id);
    if (known) return known;
    const made = { region };
    const number = h("td.nb-dim.nb-time");
    const label = h("input.nb-input", {
      type: "text", value: region.label, placeholder: t("wave.label_hint"), spellcheck: "false",
      onchange: () => actions.rename(made.region.id, label.value.trim()),
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== "Escape") return;
        if (event.key === "Escape") label.value = made.region.label;
        event.preventDefault();
        view.focus(); // which ends the change
      },
    });
    const start = clockField({
      label: "", value: region.start, most: view.duration, t,
      onchange: (to) => actions.move(made.region.id, "start", to),
    });
    const stop = clockField({
      label: "", value: region.stop, most: view.duration, t,
      onchange: (to) => actions.move(made.region.id, "stop", to),
    });
    const length = h("td.nb-time.nb-dim.nb-number-cell");
    const play = button({ label: "", icon: "play", onclick: () => actions.play(made.region) });
    const remove = button({ label: "", icon: "trash", onclick: () => actions.remove(made.region.id) });
    const row = h("tr", {}, number, h("td", {}, label), h("td", {}, start.element), h("td", {}, stop.element), length,
      h("td.nb-actions", {}, play, remove));
    row.addEventListener("focusin", () => actions.focus(made.region.id, "list"));
    row.addEventListener("click", (event) => event.target.closest("button, input") || actions.visit(made.region));
    Object.assign(made, { row, number, label, start, stop, length, play, remove });
    return made;
  }

  function fill(made, region, index) {
    made.region = region;
    const name = region.label || t("wave.region_number", { number: index + 1 });
    made.number.textContent = index + 1;
    if (!made.label.matches(":focus")) made.label.value = region.label;
    made.start.value = region.start;
    made.stop.value = region.stop;
    made.length.textContent = t("wave.length", { seconds: (region.stop - region.start).toFixed(2) });
    made.label.setAttribute("aria-label", t("wave.label_of", { name }));
    made.start.element.setAttribute("aria-label", t("wave.start_of", { name }));
    made.stop.element.setAttribute("aria-label", t("wave.stop_of", { name }));
    for (const [control, key] of [[made.play, "wave.play_region"], [made.remove, "wave.remove_region"]]) {
      control.setAttribute("aria-label", t(key, { name }));
      control.title = t(key, { name });
    }
    made.row.classList.toggle("nb-focused", region.id === focused);
  }

  function listed() {
    if (regions.length <= MOST) return regions;
    const { start, stop } = view.visible;
    return regions.filter((region) => region.stop > start && region.start < stop).slice(0, MOST);
  }

  function render() {
    const shown = listed();
    const kept = new Map();
    for (const region of shown) {
      const made = line(region);
      fill(made, region, regions.indexOf(region));
      kept.set(region.id, made);
    }
    const lost = [...lines].some(([id, made]) => !kept.has(id) && made.row.matches(":focus-within"));
    for (const [id, made] of lines) if (!kept.has(id)) made.row.remove();
    if (lost) view.focus(); // the next key would be the notebook's: D D deletes the cell
    lines = kept;
    // Rows that are in their place stay there: moving one would take the focus from it.
    shown.forEach((region, at) => {
      const { row } = lines.get(region.id);
      if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
    });
    element.hidden = !regions.length;
    count.textContent = regions.length ? String(regions.length) : "";
    note.hidden = shown.length === regions.length;
    note.textContent = note.hidden ? "" : t("wave.regions_seen", { shown: shown.length, all: regions.length });
  }

  view.on("visible", () => {
    clearTimeout(settling);
    if (regions.length > MOST) settling = setTimeout(render, SETTLED_MS);
  });
  frame.signal.addEventListener("abort", () => clearTimeout(settling));

  return {
    element,
    show(now, focusedNow) {
      regions = now;
      focused = focusedNow;
      render();
    },
    /** Follow a region that is being dragged. */
    update(region, index) {
      const made = lines.get(region.id);
      if (made) fill(made, region, index);
    },
    /** Put the focus on the button that takes a region away. */
    removeNext(id) {
      lines.get(id)?.remove.focus();
    },
    mark(id, reveal) {
      focused = id;
      for (const [key, made] of lines) made.row.classList.toggle("nb-focused", key === id);
      const row = lines.get(id)?.row;
      const box = row?.closest(".nb-scroll");
      if (!reveal || !box) return;
      const above = row.offsetTop - box.scrollTop;
      if (above < 24 || above + row.offsetHeight > box.clientHeight) box.scrollTop = row.offsetTop - box.clientHeight / 2;
    },
    /** Put the cursor into a region's name. */
    name(id) {
      const label = lines.get(id)?.label;
      label?.focus({ preventScroll: true });
      label?.select();
    },
  };
}
