// The models that are loaded: what each holds, how long it stays, and the buttons that let it go.

import { button, h } from "./dom.js";
import { modelPart } from "./modelfit.js";
import { sizeText } from "./texts.js";

const STAYS = [5, 60, -1]; // minutes
const OWN = "own";

/**
 * @param frame the panel's
 * @param state of modelstate.js
 * @param {{onreport: (report: object) => void, onempty: () => void}} on `onempty`: the focus is lost
 * @returns {{element: HTMLElement}}
 */
export function createLoadedModels(frame, state, { onreport, onempty }) {
  const { t, link, guard } = frame;
  const list = h("ul.nb-loadedlist", { "aria-label": t("models.loaded") });
  const none = h("span.nb-dim", {}, t("models.none_loaded_hint"));
  const all = button({ label: t("models.unload_all"), onclick: guard(() => unload("", all)) });
  const waiting = h("div.nb-dim.nb-waitingjobs", { hidden: true });
  const element = h("section.nb-loaded", { "aria-label": t("models.loaded") },
    h("div.nb-row", {}, h("h3.nb-heading", {}, t("models.loaded")), none, h("span.nb-spacer"), all), list, waiting);
  const rows = new Map();

  async function unload(key, pressed) {
    const had = pressed.matches(":focus");
    pressed.disabled = true;
    pressed.classList.add("nb-busy");
    try {
      const { data } = await link.ask("unload", { key, language: t.language }, { aside: true });
      state.apply(data);
      onreport(data.report);
      if (had) onempty();
    } finally {
      pressed.disabled = false;
      pressed.classList.remove("nb-busy");
    }
  }

  function update() {
    const { loaded, jobs } = state.now;
    for (const key of [...rows.keys()]) {
      if (loaded.some((one) => one.key === key)) continue;
      const { element: gone } = rows.get(key);
      const had = gone.matches(":focus-within");
      gone.remove();
      rows.delete(key);
      if (had) onempty();
    }
    loaded.forEach((one, at) => {
      if (!rows.has(one.key)) rows.set(one.key, createRow(one));
      const row = rows.get(one.key);
      row.update(one, jobs.filter((job) => job.model === one.name && job.state === "running"));
      if (list.children[at] !== row.element && !list.matches(":focus-within")) list.insertBefore(row.element, list.children[at] ?? null);
      else if (!row.element.parentElement) list.append(row.element);
    });
    none.hidden = loaded.length > 0;
    list.hidden = !loaded.length;
    all.hidden = loaded.length < 2;
    const queue = jobs.filter((job) => job.state === "waiting");
    waiting.hidden = !queue.length;
    waiting.textContent = queue.map((job) => t("models.waits", { name: job.name })).join(" · ");
  }

  function createRow(first) {
    const { key, name } = first;
    const facts = h("span.nb-dim.nb-time");
    const stays = h("span.nb-dim.nb-stays");
    const parts = h("span.nb-parts", { role: "img" });
    const keep = h("select.nb-select", { "aria-label": t("models.stays_named", { name }), title: t("models.stays_named", { name }),
      onchange: guard(() => chosen()) });
    const own = h("input.nb-input.nb-own", { type: "text", hidden: true, placeholder: "10m", "aria-label": t("models.stay_own_field"), title: t("models.stay_own_field") });
    const pin = button({ label: t("models.pin_named", { name }), icon: "lock", pressed: false, onclick: guard(() => turn()) });
    const go = button({ label: t("models.unload"), onclick: guard(() => unload(key, go)) });
    go.setAttribute("aria-label", t("models.unload_named", { name }));
    const made = h("li.nb-loadedmodel", {}, h("b.nb-loadedname", {}, name), facts, parts, stays, h("span.nb-loadedtools", {}, keep, own, pin, go));
    let now = first;
    let shown = "";

    own.addEventListener("keydown", (event) => {
      if (event.key === "Enter") guard(() => set(own.value, own))();
      if (event.key === "Escape") {
        own.hidden = true;
        keep.value = String(now.keep_alive);
        keep.focus();
      }
    });

    async function set(text, field) {
      const { data } = await link.ask("keep", { key, keep_alive: text });
      const had = field.matches(":focus");
      own.hidden = true;
      own.value = "";
      state.apply(data);
      if (had) keep.focus();
    }

    function chosen() {
      if (keep.value !== OWN) return set(keep.value, keep);
      own.hidden = false;
      own.focus();
      return undefined;
    }

    async function turn() {
      const { data } = await link.ask("pin", { key, pinned: !now.pinned });
      state.apply(data);
    }

    function update(one, jobs) {
      now = one;
      const precision = one.dtype === one.precision ? one.precision : t("models.rest_in", { precision: one.precision, dtype: one.dtype });
      facts.textContent = [precision, one.device, one.bytes ? sizeText(one.bytes) : null].filter(Boolean).join(" · ");
      stays.textContent = stayText(one, jobs);
      stays.classList.toggle("nb-working", one.at_work);
      pin.setAttribute("aria-pressed", String(one.pinned));
      const options = JSON.stringify([one.keep_alive]);
      if (options !== shown && own.hidden) {
        shown = options;
        const offered = STAYS.includes(one.keep_alive) ? STAYS : [one.keep_alive, ...STAYS];
        keep.replaceChildren(...offered.map((minutes) => h("option", { value: minutes }, keepText(minutes))), h("option", { value: OWN }, t("models.stay_own")));
        keep.value = String(one.keep_alive);
      }
      const told = Object.entries(one.parts).map(([part, bytes]) => t("models.part_bytes", { part: modelPart(t, part), size: sizeText(bytes) }));
      parts.setAttribute("aria-label", `${t("models.parts_of", { name })}: ${told.join(", ")}`);
      parts.title = told.join("\n");
      parts.replaceChildren(...Object.values(one.parts).map((bytes, nth) =>
        h("span.nb-piece", { "data-kind": "models", "data-nth": nth % 4, style: { width: `${(100 * bytes) / Math.max(one.bytes, 1)}%` } })));
    }

    return { element: made, update };
  }

  function keepText(minutes) {
    if (minutes < 0) return t("models.stay_forever");
    if (minutes === 0) return t("models.stay_work");
    if (minutes < 1) return t("models.stay_seconds", { seconds: Math.round(60 * minutes) });
    if (minutes < 60 || minutes % 30) return t("models.stay_minutes", { minutes: Number(minutes.toFixed(1)) });
    return t("models.stay_hours", { hours: minutes / 60 });
  }

  function stayText(one, jobs) {
    if (jobs.length) {
      return jobs.map((job) => t("models.at_work_job", { name: job.name, percent: job.total ? Math.round((100 * job.done) / job.total) : 0 })).join(", ");
    }
    if (one.at_work) return t("models.at_work");
    if (one.pinned) return t("models.pinned");
    if (one.left === null) return "";
    const time = one.left < 1 ? t("models.seconds", { seconds: Math.round(60 * one.left) }) : t("models.minutes", { minutes: one.left });
    return t("models.goes_in", { time });
  }

  state.on("change", update);
  return { element };
}
