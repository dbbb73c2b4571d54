// A load under way: the question before a download, how far it is, how it ended.

import { button, h, icon } from "./dom.js";
import { clockText, sizeText } from "./texts.js";

const RUNNING = ["waiting", "fetching", "loading"];

/**
 * @param frame the panel's
 * @param state of modelstate.js
 * @param {{onend: () => void, onloaded: () => void}} on `onend`: what had the focus goes away
 * @returns {{element: HTMLElement, start: (values: object) => Promise}}
 */
export function createModelLoad(frame, state, { onend, onloaded }) {
  const { t, link, guard, say } = frame;
  const text = h("span.nb-loadtext.nb-time");
  const bar = h("div.nb-bar", { role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, h("div"));
  const tools = h("span.nb-row");
  const element = h("section.nb-load", { hidden: true, "aria-label": t("models.load") }, h("div.nb-row", {}, text, h("span.nb-spacer"), tools), bar);
  let asking = null; // the values of a load that needs an answer
  let shown = ""; // which buttons there are
  let last = null;

  /** Begin to load; ask first where it must be fetched. */
  async function start(values) {
    const { data } = await link.ask("load", values, { aside: true });
    if (data.loading) {
      asking = null;
      update(data.loading);
      return;
    }
    asking = values;
    element.hidden = false;
    element.dataset.state = "ask";
    bar.hidden = true;
    const room = data.free === null ? t("models.fetch_into", { folder: data.folder })
      : t("models.fetch_room", { folder: data.folder, free: sizeText(data.free) });
    text.replaceChildren(h("b", {}, t("models.fetch_ask", { name: data.confirm, size: sizeText(data.bytes) })), " ", h("span.nb-dim", {}, room));
    const yes = button({ label: t("models.fetch_yes"), primary: true, onclick: guard(() => start({ ...asking, fetch: true })) });
    tools.replaceChildren(yes, button({ label: t("models.cancel"), onclick: cancel }));
    shown = "ask";
    say(text.textContent);
    yes.focus();
  }

  function cancel() {
    const had = element.matches(":focus-within");
    asking = null;
    element.hidden = true;
    tools.replaceChildren();
    shown = "";
    if (had) onend();
  }

  function dismiss() {
    cancel();
    last = null;
    link.ask("dismiss_load", {}).catch(() => {});
  }

  function update(load) {
    if (asking && !RUNNING.includes(load?.state)) return; // a question is open
    const before = last;
    last = load;
    if (!load) {
      if (!element.hidden && !asking) cancel();
      return;
    }
    asking = null;
    const running = RUNNING.includes(load.state);
    element.hidden = false;
    element.dataset.state = load.state;
    text.replaceChildren(...says(load));
    progress(load, running);
    buttons(load, running);
    if (before?.number === load.number && before.state !== load.state && !running) {
      say(text.textContent);
      if (load.state === "loaded") onloaded();
    }
  }

  function says(load) {
    const { name } = load;
    if (load.state === "failed") return [icon("warning"), h("span", {}, load.error),
      ...(load.trace ? [h("details", {}, h("summary", {}, t("panel.details")), h("pre", {}, load.trace))] : [])];
    if (load.stopping && RUNNING.includes(load.state)) return [t("models.load_stopping")];
    if (load.state === "stopped") return [t("models.load_stopped", { name })];
    if (load.state === "loaded") return [icon("check"), t("models.load_loaded", { name, seconds: load.seconds.toFixed(1) })];
    if (load.state === "loading") return [t("models.load_loading", { name })];
    if (load.state === "waiting") return [t("models.load_waiting", { name })];
    if (!load.total_bytes) return [t("models.load_asking", { name })];
    const left = load.speed > 0 ? (load.total_bytes - load.done_bytes) / load.speed : null;
    return [[
      t("models.load_fetching", { name, done: sizeText(load.done_bytes), total: sizeText(load.total_bytes) }),
      load.speed > 0 ? t("models.load_speed", { speed: sizeText(load.speed) }) : null,
      left !== null && left >= 1 ? t("models.load_left", { time: clockText(left, 0) }) : null,
    ].filter(Boolean).join(" · ")];
  }

  function progress(load, running) {
    bar.hidden = !running;
    if (!running) return;
    const share = load.state === "fetching" && load.total_bytes ? Math.floor((100 * load.done_bytes) / load.total_bytes) : null;
    bar.classList.toggle("nb-unknown", share === null);
    bar.setAttribute("aria-label", t("models.load_named", { name: load.name }));
    bar.setAttribute("aria-valuetext", text.textContent);
    if (share === null) bar.removeAttribute("aria-valuenow");
    else bar.setAttribute("aria-valuenow", share);
    bar.firstChild.style.width = share === null ? "" : `${share}%`;
  }

  function buttons(load, running) {
    const which = !running ? "ended" : load.state === "fetching" && !load.stopping ? "stop" : "none";
    if (which === shown) return;
    shown = which;
    const had = element.matches(":focus-within");
    if (which === "stop") tools.replaceChildren(button({ label: t("models.stop"), icon: "stop", showLabel: true, onclick: guard(() => link.ask("stop_load", {})) }));
    else if (which === "ended") tools.replaceChildren(button({ label: t("panel.dismiss"), icon: "close", onclick: dismiss }));
    else tools.replaceChildren();
    if (had) tools.firstChild ? tools.firstChild.focus() : onend();
  }

  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (asking) cancel();
    else if (shown === "ended") dismiss();
  });
  state.on("load", update);
  return { element, start };
}
