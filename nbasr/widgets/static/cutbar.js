// The row of buttons for cuts: which one has the focus, and what can be done with it.

import { button, h } from "./dom.js";

/**
 * @param frame the panel's
 * @returns {{element: HTMLElement, show: (cuts, plan) => void}}
 */
export function createCutBar({ t }, cuts) {
  const made = (name, icon, keys, showLabel = false) => button({
    label: t(`tuner.${name}_cut`), icon, keys, showLabel, onclick: () => cuts.actions[name](),
  });
  const buttons = {
    previous: made("previous", "left", "["),
    next: made("next", "right", "]"),
    hear: made("hear", "hear", "H", true),
    add: made("add", "cut", "C", true),
    remove: made("remove", "trash", "Delete"),
    lock: button({ label: t("tuner.lock_cut"), icon: "lock", keys: "K", pressed: false, onclick: () => cuts.actions.lock() }),
    undo: button({ label: t("tuner.undo"), icon: "undo", keys: "Ctrl+Z", onclick: () => cuts.actions.undo() }),
    redo: button({ label: t("tuner.redo"), icon: "redo", keys: "Ctrl+Shift+Z", onclick: () => cuts.actions.redo() }),
  };
  const { previous, next, hear, add, remove, lock, undo, redo } = buttons;
  const told = h("span.nb-cut-told", {});
  const element = h("div.nb-row.nb-cutbar", { role: "toolbar", "aria-label": t("tuner.cuts") },
    h("span.nb-group", {}, previous, next), told, h("span.nb-spacer"),
    h("span.nb-group", {}, hear, lock, remove), add, h("span.nb-group", {}, undo, redo));
  element.addEventListener("keydown", (event) => {
    if (cuts.keyed(event)) event.preventDefault();
  });

  /** Tell of the focused cut, and offer what is possible. */
  function show(plan) {
    told.textContent = cuts.described();
    told.classList.toggle("nb-dim", cuts.focused < 0);
    const none = cuts.focused < 0;
    disable({ hear: none, remove: none, lock: none, previous: !cuts.count, next: !cuts.count,
      undo: !plan?.can_undo, redo: !plan?.can_redo });
    lock.setAttribute("aria-pressed", String(cuts.locked));
  }

  /** A button that goes dead under the focus would drop it: the next one gets it. */
  function disable(states) {
    const active = element.getRootNode().activeElement;
    for (const [name, is] of Object.entries(states)) buttons[name].disabled = is;
    if (active?.disabled && element.contains(active)) {
      Object.values(buttons).find((one) => !one.disabled)?.focus();
    }
  }

  return { element, show };
}
