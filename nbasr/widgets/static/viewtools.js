// The buttons that say how a waveform is seen, and the list of its keys.

import { button, h } from "./dom.js";

/**
 * Make zoom, scale and help for a view.
 * @returns {{element: HTMLElement, keys: (event: KeyboardEvent) => boolean, list: HTMLElement}}
 *   `list` is the list of keys, hidden until it is asked for
 */
export function createViewTools(frame, view, ...more) {
  const { t } = frame;
  const out = button({ label: t("wave.zoom_out"), icon: "zoomout", keys: "-", onclick: () => view.zoomBy(0.5) });
  const zoomIn = button({ label: t("wave.zoom_in"), icon: "zoomin", keys: "+", onclick: () => view.zoomBy(2) });
  const fit = button({ label: t("wave.fit"), icon: "fit", keys: "0", onclick: () => view.fit() });
  const decibel = button({ label: t("wave.decibel"), pressed: false, onclick: () => setScale() });
  decibel.title = `${t("wave.decibel_hint")} (D)`;
  decibel.setAttribute("aria-keyshortcuts", "D");
  const help = button({ label: t("wave.keys"), icon: "help", keys: "?", onclick: () => toggle() });
  help.setAttribute("aria-expanded", "false");
  const list = h("div.nb-keys", { hidden: true, role: "region", "aria-label": t("wave.keys") });
  list.id = `nb-keys-${Math.random().toString(36).slice(2, 8)}`;
  help.setAttribute("aria-controls", list.id);

  function setScale(to = view.scale === "linear" ? "decibel" : "linear") {
    view.scale = to;
    decibel.setAttribute("aria-pressed", String(to === "decibel"));
  }

  function toggle(is = list.hidden) {
    list.hidden = !is;
    help.setAttribute("aria-expanded", String(is));
    if (!is) return;
    list.replaceChildren(...view.help().map(([title, rows]) => h("section", {}, h("h4", {}, title), h("dl", {}, rows.map(row)))));
  }

  const row = ([keys, text]) => h("div", {}, h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, text));

  list.addEventListener("keydown", (event) => event.key === "Escape" && toggle(false));
  view.addHelp(t("wave.view"), [
    ["D", t("wave.decibel_hint")], ["?", t("wave.keys")],
    [t("wave.key_wheel"), t("wave.help_wheel")], [`Ctrl ${t("wave.key_wheel")}`, t("wave.help_zoom")],
  ]);
  return {
    element: h("div.nb-row.nb-viewtools", { role: "group", "aria-label": t("wave.view") },
      ...more, decibel, h("span.nb-group", {}, out, fit, zoomIn), help),
    list,
    keys(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return false;
      if (event.key === "?") return toggle(), true;
      if (event.key.toLowerCase() === "d") return setScale(), true;
      if (event.key === "Escape" && !list.hidden) return toggle(false), true;
      return false;
    },
  };
}
