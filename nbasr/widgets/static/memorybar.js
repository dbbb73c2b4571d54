// The memory bar: who holds the memory of a device, what is left, and the budget that one can set.

import { button, h, labelled } from "./dom.js";
import { sizeText } from "./texts.js";

const SHOWN = 0.8; // share of the bar up to a budget; beyond it lies what may not be taken
const OFFERED = ["2 GB", "4 GB", "6 GB", "8 GB", "12 GB", "16 GB", "24 GB", "48 GB"];

/**
 * @param frame the panel's
 * @param state of modelstate.js
 * @returns {{element: HTMLElement}}
 */
export function createMemoryBar(frame, state) {
  const { t, link, guard, say } = frame;
  const bar = h("div.nb-membar", { role: "img" });
  const line = h("div.nb-membudget", { "aria-hidden": "true" });
  const legend = h("ul.nb-memlegend");
  const field = h("input.nb-input", { type: "text", placeholder: t("models.budget_hint"), title: t("models.budget_why"), autocomplete: "off" });
  const offers = h("datalist", {}, OFFERED.map((text) => h("option", { value: text })));
  offers.id = `nb-offers-${Math.random().toString(36).slice(2, 8)}`;
  field.setAttribute("list", offers.id);
  const set = button({ label: t("models.budget_set"), onclick: guard(() => change(field.value)) });
  const lift = button({ label: t("models.budget_lift"), onclick: guard(() => change("")) });
  const form = h("div.nb-row.nb-budget", {}, labelled(t("models.budget_field"), field), offers, set, lift);
  const note = h("p.nb-dim.nb-budget-note", { hidden: true });
  const element = h("div.nb-memory", {}, h("div.nb-membarbox", {}, bar, line), legend);
  let asked = 0;

  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && field.value.trim()) set.click();
  });
  field.addEventListener("input", () => (set.disabled = !field.value.trim()));
  set.disabled = true;

  async function change(text) {
    asked += 1;
    const mine = asked;
    const had = lift.matches(":focus");
    const { data } = await link.ask("budget", { size: text, device: state.device?.device ?? "" }, { aside: true });
    if (mine === asked) field.value = "";
    set.disabled = true;
    state.apply(data);
    const { budget } = state.spot;
    say(budget < 0 ? t("models.budget_lifted") : t("models.budget_said", { budget: sizeText(budget) }));
    if (had) field.focus();
  }

  function update() {
    const { device, spot } = state;
    if (!spot) return;
    const limited = spot.budget >= 0;
    const pieces = piecesOf(t, state, limited);
    const used = pieces.reduce((sum, piece) => sum + (piece.kind === "free" ? 0 : piece.bytes), 0);
    const whole = limited ? Math.max(spot.budget / SHOWN, used) : device.total;
    bar.replaceChildren(...pieces.filter((piece) => piece.bytes > 0).map((piece) =>
      h("span.nb-piece", { "data-kind": piece.kind, "data-nth": piece.nth ?? null, title: `${piece.name} ${sizeText(piece.bytes)}`,
        style: { width: `${(100 * piece.bytes) / Math.max(whole, 1)}%` } })));
    line.hidden = !limited;
    if (limited) line.style.left = `${(100 * spot.budget) / whole}%`;
    legend.replaceChildren(...pieces.filter((piece) => piece.bytes > 0 || piece.kind === "free").map((piece) =>
      h("li", {}, h("span.nb-key", { "data-kind": piece.kind, "data-nth": piece.nth ?? null, "aria-hidden": "true" }),
        h("span", {}, piece.name), " ", h("b.nb-time", {}, sizeText(piece.bytes)))),
    limited
      ? h("li", {}, h("span.nb-key", { "data-kind": "budget", "aria-hidden": "true" }), t("models.budget"), " ", h("b.nb-time", {}, sizeText(spot.budget)))
      : h("li.nb-dim", {}, t("models.of_total", { size: sizeText(device.total) })));
    const told = pieces.filter((piece) => piece.bytes > 0).map((piece) => `${piece.name} ${sizeText(piece.bytes)}`);
    if (limited) told.push(`${t("models.budget")} ${sizeText(spot.budget)}`);
    bar.setAttribute("aria-label", t("models.bar_label", { device: device.device, parts: told.join(t.language === "zh" ? "，" : ", ") }));
    lift.hidden = !limited;
    note.hidden = !limited;
    note.textContent = limited ? t("models.budget_note", { budget: sizeText(spot.budget) }) : "";
  }

  state.on("change", update);
  return { element, form, note };
}

/** The parts of the bar from left to right: {kind, name, bytes, nth}. */
function piecesOf(t, state, limited) {
  const { device, spot } = state;
  const cpu = device.device === "cpu";
  const models = state.here;
  const known = models.reduce((sum, one) => sum + one.bytes, 0);
  const scale = known > spot.models ? spot.models / known : 1; // with offload, part of a model lies elsewhere
  const pieces = models.map((one, nth) => ({ kind: "models", nth: nth % 4, name: one.name, bytes: one.bytes * scale }));
  if (spot.models > known) pieces.push({ kind: "models", nth: 0, name: t("models.part_models"), bytes: spot.models - known });
  if (limited && cpu) { // on the CPU a budget counts the models alone
    pieces.push({ kind: "free", name: t("models.part_left"), bytes: Math.max(0, Math.min(spot.budget - spot.models, spot.free)) });
    return pieces;
  }
  for (const part of ["work", "reserve"]) pieces.push({ kind: part, name: t(`models.part_${part}`), bytes: spot[part] });
  if (limited) {
    const taken = spot.models + spot.work + spot.reserve;
    pieces.push({ kind: "free", name: t("models.part_left"), bytes: Math.max(0, Math.min(spot.budget - taken, spot.free)) });
    return pieces;
  }
  pieces.push({ kind: "others", name: t("models.part_others"), bytes: spot.others });
  pieces.push({ kind: "free", name: t("models.part_free"), bytes: spot.free });
  return pieces;
}
