// All about one model: facts, precision, what it will take of the memory, and the button that loads it.

import { button, h, select } from "./dom.js";
import { modelFit, modelPart, modelRoom, modelTold, modelVariant } from "./modelfit.js";
import { fitIcon } from "./modellist.js";
import { sizeText } from "./texts.js";

/**
 * @param frame the panel's
 * @param state of modelstate.js
 * @param {{onload: (row, variant) => void, rowsOf: () => object[]}} on
 * @returns {{element: HTMLElement, show: (row: object|null) => void, focus: () => void}}
 */
export function createModelDetails(frame, state, { onload, rowsOf }) {
  const { t, link, guard, say } = frame;
  const heading = h("h4.nb-modelhead");
  const about = h("p.nb-dim.nb-modeltold");
  const precision = select({ label: t("models.precision"), choices: [], value: "", onchange: (value) => pick(Number(value)) });
  const verdict = h("p.nb-verdict", { role: "status" });
  const bar = h("div.nb-membar.nb-forebar", { role: "img" });
  const legend = h("ul.nb-memlegend");
  const load = button({ label: t("models.load"), primary: true, onclick: () => row && onload(row, variant()) });
  const note = h("span.nb-dim");
  const facts = h("dl.nb-facts");
  const code = h("code");
  const copy = button({ label: t("models.copy"), icon: "copy", onclick: guard(async () => {
    await navigator.clipboard.writeText(code.textContent);
    say(t("models.copied"));
  }) });
  const coding = h("div.nb-codeline", {}, code, copy);
  const element = h("div.nb-modeldetails", { hidden: true },
    heading, about, h("div.nb-row.nb-loadrow", {}, precision.element, load, note), verdict,
    h("div.nb-forecast", {}, bar, legend), facts, coding);
  let row = null;
  let at = 0;
  let asked = 0;
  let told = null; // what the kernel foretold: {key, found}

  const variant = () => row.variants[at];
  const keyOf = () => `${row.source || row.name} ${row.device} ${variant()?.precision} ${variant()?.dtype}`;

  function show(given) {
    const same = row && given && row.name === given.name && row.source === given.source && row.device === given.device;
    const wide = same ? variant() : null;
    row = given;
    element.hidden = !row;
    if (!row) return;
    const kept = wide ? row.variants.findIndex((one) => one.precision === wide.precision && one.dtype === wide.dtype) : -1;
    heading.textContent = row.name;
    about.textContent = modelTold(t, row, "about") || row.source;
    facts.replaceChildren(...factsOf().flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
    pick(kept >= 0 ? kept : modelVariant(row, modelRoom(state, row.device)));
  }

  function pick(to) {
    at = to;
    fillPrecisions();
    update();
    foretell();
  }

  function fillPrecisions() {
    const room = modelRoom(state, row.device);
    const narrow = (one) => (one.quantization ? t("models.rest_in", { precision: one.precision, dtype: one.dtype }) : one.precision);
    const choices = row.variants.map((one, nth) => {
      const fit = modelFit(one, room);
      const size = one.weights ? ` · ${sizeText(one.weights)}` : "";
      const over = fit.state === "over" ? ` · ${t("models.fit_over", { size: sizeText(fit.over) })}` : "";
      return h("option", { value: nth, selected: nth === at }, `${narrow(one)}${size}${over}`);
    });
    precision.control.replaceChildren(...choices);
    precision.control.value = String(at);
    precision.control.disabled = row.variants.length < 2;
  }

  /** What changes with the memory and with what is loaded. */
  function update() {
    if (!row) return;
    const chosen = variant();
    const room = modelRoom(state, row.device);
    const fit = chosen ? modelFit(chosen, room) : { state: "unknown" };
    const loaded = state.now?.loaded.some((one) => one.source === row.source && one.name === row.name
      && one.precision === chosen?.precision && one.dtype === chosen?.dtype && one.device === row.device);
    const shown = loaded ? "fits" : fit.state;
    verdict.dataset.fit = shown;
    verdict.replaceChildren(fitIcon(shown), h("span", {}, loaded ? t("models.is_loaded") : sentence(fit, chosen, room)));
    const busy = ["waiting", "fetching", "loading"].includes(state.now?.load?.state);
    load.disabled = loaded || busy || !row.runs || fit.state === "over";
    note.textContent = row.runs ? "" : t("models.needs_funasr");
    load.setAttribute("aria-label", t("models.load_named", { name: row.name }));
    code.textContent = codeOf(row, chosen);
  }

  function sentence(fit, chosen, { room }) {
    const values = { needed: sizeText(chosen?.needed ?? 0), room: sizeText(room), over: sizeText(fit.over ?? 0) };
    if (fit.state === "evict") return t("models.fit_said_evict", { names: fit.goes.map((one) => one.name).join(", ") });
    if (fit.state !== "over") return t(`models.fit_said_${fit.state}`, values);
    const given = modelRoom(state, row.device);
    const takes = (one) => !["over", "unknown"].includes(modelFit(one, given).state);
    const ways = [...new Set(row.variants.filter(takes).map((one) => one.precision))];
    if (ways.length) return t("models.fit_said_over_ways", { ...values, ways: ways.join(", ") });
    const others = rowsOf().filter((one) => one.kind === row.kind && one.known && one.source && one.runs && one.languages !== "English" && one.variants[one.usual] && takes(one.variants[one.usual]));
    if (others.length) return t("models.fit_said_over_others", { ...values, others: others.slice(0, 2).map((one) => one.name).join(", ") });
    return t("models.fit_said_over", values);
  }

  /** Ask what it will take, part by part. */
  function foretell() {
    const key = keyOf();
    const mine = (asked += 1);
    const chosen = variant();
    drawForecast(told?.key === key ? told.found : null);
    if (!chosen || chosen.needed === null) return;
    const values = { name: row.source || row.name, dtype: chosen.dtype, quantization: chosen.quantization, device: row.device };
    link.ask("estimate", values, { aside: true }).then(({ data }) => {
      if (mine !== asked) return;
      told = { key, found: data };
      drawForecast(data);
    }, (error) => mine === asked && error.name !== "AbortError" && drawForecast(null));
  }

  function drawForecast(found) {
    bar.hidden = legend.hidden = !found;
    if (!found) return;
    const pieces = [
      ...Object.entries(found.weights).map(([name, bytes], nth) => ({ kind: "models", nth: nth % 4, name: modelPart(t, name), bytes })),
      { kind: "work", name: t("models.predicted_work", { batch: found.batch_size, seconds: found.chunk_seconds }), bytes: found.activations_bytes + found.cache_bytes },
      { kind: "reserve", name: t("models.predicted_context"), bytes: found.context_bytes },
      { kind: "others", name: t("models.predicted_slack"), bytes: found.slack_bytes },
    ].filter(({ bytes }) => bytes > 0);
    const total = Math.max(found.total_bytes, 1);
    bar.replaceChildren(...pieces.map((piece) => h("span.nb-piece", {
      "data-kind": piece.kind, "data-nth": piece.nth ?? null, title: `${piece.name} ${sizeText(piece.bytes)}`, style: { width: `${(100 * piece.bytes) / total}%` },
    })));
    const sum = [h("li.nb-sum", {}, h("b", {}, `${t("models.predicted")} ${sizeText(found.total_bytes)}`), " ",
      h("span.nb-dim", {}, `(${t(found.ratio === null ? "models.predicted_basis" : "models.predicted_measured")})`))];
    legend.replaceChildren(...sum, ...pieces.map((piece) => h("li", {},
      h("span.nb-key", { "data-kind": piece.kind, "data-nth": piece.nth ?? null, "aria-hidden": "true" }), h("span", {}, piece.name), " ", h("span.nb-time", {}, sizeText(piece.bytes)))));
    bar.setAttribute("aria-label", t("models.predicted_label", {
      name: found.name, precision: found.precision, total: sizeText(found.total_bytes),
      parts: pieces.map((piece) => `${piece.name} ${sizeText(piece.bytes)}`).join(", "),
    }));
  }

  function factsOf() {
    const gives = [
      row.kind === "aligner" ? t("models.gives_alignment") : null, row.word_times && row.kind !== "aligner" ? t("models.gives_times") : null,
      row.punctuation ? t("models.gives_punctuation") : null, row.hotwords && row.kind !== "aligner" ? t("models.gives_hotwords") : null,
      row.translates ? t("models.gives_translation") : null,
    ].filter(Boolean);
    const speed = row.variants[at]?.speed ?? row.variants.map((one) => one.speed).find(Boolean);
    const fast = speed && { speed: Number(speed[0].toPrecision(2)), runs: speed[1] };
    return [
      row.languages ? [t("models.languages"), modelTold(t, row, "languages")] : null,
      row.known ? [t("models.gives"), gives.join(t.language === "zh" ? "、" : ", ") || t("models.gives_text")] : null,
      [t("models.safe"), t("models.safe_seconds", { seconds: Number(row.max_seconds.toFixed(1)) })],
      [t("models.speed"), fast ? t(speed[1] === 1 ? "models.speed_known_one" : "models.speed_known", fast) : t("models.speed_unknown")],
      row.licence ? [t("models.licence"), row.licence] : null,
      [t("models.from"), row.source || t("models.from_package")],
    ].filter(Boolean);
  }

  state.on("change", () => {
    if (!row) return;
    if (!precision.control.matches(":focus")) fillPrecisions();
    update();
  });
  state.on("load", update);
  return {
    element, show, update,
    focus: () => (load.disabled ? precision.control : load).focus(),
  };
}

/** The line of Python that loads the same. */
function codeOf(row, chosen) {
  const given = [JSON.stringify(row.known ? row.name : row.source)];
  if (chosen?.quantization) given.push(`quantization="${chosen.quantization}"`);
  if (chosen && row.variants.length > 1 && chosen !== row.variants[row.usual]) given.push(`dtype="${chosen.dtype}"`);
  return `nbasr.models.load(${given.join(", ")})`;
}
