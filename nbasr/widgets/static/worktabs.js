// The steps of a workbench as tabs: a row of them, a page for each, and keys.

import { h } from "./dom.js";

export const WORK_TABS = ["recording", "cuts", "transcript", "models"];

/**
 * @param frame of the panel
 * @param {(tab: string) => void} onchoose
 * @returns {{element: HTMLElement, pages: Object<string, HTMLElement>, show: (tab: string,
 *   details: Object<string, string>) => void}}
 */
export function createWorkTabs(frame, onchoose) {
  const { t, root, signal } = frame;
  const id = `nb-work-${Math.random().toString(36).slice(2, 8)}`;
  const tabs = new Map(WORK_TABS.map((name, at) => {
    const detail = h("span.nb-work-detail");
    const tab = h("button.nb-work-tab", {
      type: "button", role: "tab", id: `${id}-${name}`, "aria-controls": `${id}-${name}-page`, "aria-selected": "false",
      tabindex: -1, title: `${t(`work.${name}_hint`)} (Alt+${at + 1})`, "aria-keyshortcuts": `Alt+${at + 1}`,
      onclick: () => onchoose(name),
    }, name !== "models" && h("span.nb-work-step", { "aria-hidden": "true" }, String(at + 1)),
    h("span", {}, t(`work.${name}`)), detail);
    return [name, { tab, detail }];
  }));
  const pages = Object.fromEntries(WORK_TABS.map((name) => [name, h("div.nb-work-page", {
    role: "tabpanel", id: `${id}-${name}-page`, "aria-labelledby": `${id}-${name}`, hidden: true,
  })]));
  const element = h("div.nb-work-tabs", { role: "tablist", "aria-label": t("work.steps") }, [...tabs.values()].map(({ tab }) => tab));

  element.addEventListener("keydown", (event) => {
    const at = WORK_TABS.findIndex((name) => tabs.get(name).tab.matches(":focus"));
    const last = WORK_TABS.length - 1;
    const to = { ArrowLeft: at > 0 ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    onchoose(WORK_TABS[to]);
    tabs.get(WORK_TABS[to]).tab.focus();
  });
  // Before the panels in the pages: they let no key out.
  root.addEventListener("keydown", (event) => {
    const at = event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey ? "1234".indexOf(event.code.replace("Digit", "")) : -1;
    if (at < 0 || !event.code.startsWith("Digit")) return;
    event.preventDefault();
    event.stopPropagation();
    const inside = root.querySelector(".nb-work-page:not([hidden])")?.matches(":focus-within");
    onchoose(WORK_TABS[at]);
    if (inside || root.matches(":focus-within")) tabs.get(WORK_TABS[at]).tab.focus();
  }, { signal, capture: true });

  return {
    element,
    pages,
    /** Show a page; `details` stand beside the names of the tabs. */
    show(chosen, details) {
      for (const [name, { tab, detail }] of tabs) {
        const is = name === chosen;
        tab.setAttribute("aria-selected", String(is));
        tab.tabIndex = is ? 0 : -1;
        detail.textContent = details[name] ?? "";
        const had = pages[name].matches(":focus-within");
        pages[name].hidden = !is;
        if (had && !is) tabs.get(chosen).tab.focus(); // else the next keys are the notebook's
      }
    },
  };
}
