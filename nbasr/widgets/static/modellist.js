// The list of models to load: search, what is here, what fits; one of them is chosen.

import { h, icon, labelled, select } from "./dom.js";
import { modelFit, modelRoom, modelTold, modelVariant } from "./modelfit.js";
import { sizeText } from "./texts.js";

const PAGE = 6; // rows by which Page ↑ and ↓ go
const NAMED = /[/\\~]|^\./; // what a hub id or folder looks like

/**
 * @param frame the panel's
 * @param state of modelstate.js
 * @param {{onchoose: (row: object) => void, onenter: () => void, ontyped: (name: string) => void}} on
 * @returns {{element: HTMLElement, show: (rows: object[]) => void, add: (row: object) => void,
 *   chosen: object|null, focus: () => void}}
 */
export function createModelList(frame, state, { onchoose, onenter, ontyped }) {
  const { t } = frame;
  let rows = [];
  let seen = [];
  let chosen = null;
  let filter = "all";

  const search = h("input.nb-input.nb-modelsearch", { type: "search", autocomplete: "off", spellcheck: "false", placeholder: t("models.search") });
  const filters = select({
    label: t("models.filter"), value: filter, choices: ["all", "here", "fits"].map((key) => [key, t(`models.filter_${key}`)]),
    onchange: (value) => {
      filter = value;
      update();
    },
  });
  const list = h("div.nb-models", { role: "listbox", tabindex: 0, "aria-label": t("models.list") });
  const none = h("div.nb-dim.nb-nomodels", { role: "status", hidden: true });
  const typed = h("button.nb-button.nb-typed", { type: "button", hidden: true, onclick: () => ontyped(search.value.trim()) });
  const element = h("div.nb-modellist", {},
    h("div.nb-row.nb-modeltools", {}, labelled(t("models.search"), search, { hidden: true }), filters.element), typed, list, none);

  search.addEventListener("input", update);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && seen.length) {
      event.preventDefault();
      list.focus();
      choose(seen.includes(chosen) ? chosen : seen[0]);
    } else if (event.key === "Enter" && !typed.hidden) typed.click();
    else if (event.key === "Enter" && seen.length) {
      choose(seen[0]);
      list.focus();
    }
  });
  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = seen.indexOf(chosen);
    const moves = {
      ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: seen.length - 1, PageDown: at + PAGE, PageUp: at - PAGE,
    };
    if (event.key in moves && seen.length) choose(seen[Math.min(Math.max(moves[event.key], 0), seen.length - 1)]);
    else if (event.key === "Enter") onenter();
    else if (event.key === "/") search.focus();
    else return;
    event.preventDefault();
  });

  function show(given) {
    const before = chosen;
    rows = given;
    chosen = rows.find((row) => row.source === before?.source && row.name === before?.name) ?? null;
    update();
    if (!chosen && seen.length) choose(seen.find((row) => row.here && row.runs) ?? seen[0], { quietly: true });
    else if (chosen) onchoose(chosen);
  }

  /** Put a model into the list, in the place of the one of its name. */
  function add(row) {
    rows = [row, ...rows.filter((one) => one.source !== row.source || one.name !== row.name)];
    search.value = "";
    filter = filters.control.value = "all";
    update();
    choose(row);
    list.focus();
  }

  function update() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (row) => [row.name, row.source, modelTold(t, row, "about"), modelTold(t, row, "languages"), row.about, row.licence].join(" ").toLowerCase();
    seen = rows.filter((row) => words.every((word) => text(row).includes(word)) && passes(row));
    const value = search.value.trim();
    typed.hidden = !NAMED.test(value) || rows.some((row) => [row.name, row.source].includes(value));
    typed.replaceChildren(icon("right"), h("span", {}, t("models.take_typed", { name: value })));
    none.hidden = seen.length > 0 || !typed.hidden || !rows.length;
    none.textContent = t("models.none_found");
    list.hidden = !seen.length;
    draw();
  }

  function passes(row) {
    if (filter === "here") return row.here;
    if (filter !== "fits") return true;
    const room = modelRoom(state, row.device);
    return row.variants.some((variant) => ["fits", "tight", "evict"].includes(modelFit(variant, room).state));
  }

  function draw() {
    const top = list.scrollTop;
    list.replaceChildren(...seen.map(optionOf));
    list.scrollTop = top;
    mark();
  }

  function optionOf(row, at) {
    const room = modelRoom(state, row.device);
    const variant = row.variants[modelVariant(row, room)];
    const fit = variant ? modelFit(variant, room) : { state: "unknown" };
    const loaded = state.now?.loaded.some((one) => one.source === row.source && one.name === row.name);
    const where = loaded ? t("models.state_loaded")
      : !row.runs ? t("models.state_extra")
      : !row.source ? t("models.state_embedded")
      : row.here ? t("models.state_here")
      : row.download ? t("models.state_download", { size: sizeText(row.download) }) : t("models.state_unknown");
    const usual = modelVariant(row, room) === row.usual;
    const says = fit.state === "over" ? t("models.fit_over", { size: sizeText(fit.over) })
      : fit.state === "unknown" ? t("models.fit_unknown")
      : !usual ? t("models.fit_narrow", { precision: variant.precision })
      : t(fit.state === "tight" ? "models.fit_tight" : "models.fit_fits");
    const shown = usual || fit.state === "over" ? fit.state : "tight";
    return h("div.nb-model", {
      role: "option", id: idOf(at), "aria-selected": String(row === chosen), "data-name": row.name,
      onclick: () => {
        list.focus();
        choose(row);
      },
      ondblclick: onenter,
    },
    h("div.nb-modelname", {}, h("b", {}, row.name),
      variant?.weights ? h("span.nb-dim.nb-time", {}, ` ${sizeText(variant.weights)} · ${variant.precision}`) : null),
    h("div.nb-modelfit", { "data-fit": shown }, fitIcon(shown), h("span", {}, says)),
    h("div.nb-dim.nb-modelabout", {}, modelTold(t, row, "about") || row.source),
    h("div.nb-modelwhere", { "data-where": loaded ? "loaded" : row.here ? "here" : "hub" }, where));
  }

  function mark() {
    const at = seen.indexOf(chosen);
    for (const [nth, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(nth === at));
    if (at < 0) list.removeAttribute("aria-activedescendant");
    else list.setAttribute("aria-activedescendant", idOf(at));
  }

  function choose(row, { quietly = false } = {}) {
    chosen = row;
    mark();
    const option = list.children[seen.indexOf(row)];
    if (option && !quietly) {
      const [top, bottom] = [option.offsetTop, option.offsetTop + option.offsetHeight];
      if (top < list.scrollTop) list.scrollTop = top;
      else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
    }
    onchoose(row);
  }

  const own = Math.random().toString(36).slice(2, 8);
  const idOf = (at) => `nb-model-${own}-${at}`;
  let before = "";
  state.on("change", () => { // what is free changes by the second, what fits hardly ever
    const facts = rows.map((row) => {
      const room = modelRoom(state, row.device);
      return row.variants.map((one) => modelFit(one, room)).map((fit) => fit.state + Math.round(fit.over / 1e8)).join();
    });
    const now = JSON.stringify([facts, state.now.loaded.map((one) => one.key)]);
    if (now === before) return;
    before = now;
    update();
  });
  return {
    element, show, add,
    get chosen() {
      return chosen;
    },
    focus: () => (list.hidden ? search : list).focus(),
  };
}

/** A sign beside the words, so that colour is not alone. */
export function fitIcon(state) {
  const names = { fits: "check", evict: "check", tight: "warning", over: "close", unknown: "help" };
  return icon(names[state]);
}
