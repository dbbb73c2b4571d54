// Panels within a panel: each is rendered once, in the place meant for it, and only hidden after that.

import { h } from "./dom.js";

const AGAIN_MS = 400; // a host may hear of a panel a moment after its reference

/**
 * @param frame of the panel
 * @param context anywidget's
 * @returns {{slot: () => {element: HTMLElement, show: (reference: string|undefined) => void},
 *   keep: (references: string[]) => void}}
 */
export function createMounts(frame, context) {
  const { t, signal } = frame;
  const made = new Map(); // reference -> {element, ending}

  async function mount(reference, element, ending) {
    element.setAttribute("aria-busy", "true");
    element.append(h("p.nb-dim.nb-work-wait", {}, t("work.opening")));
    const place = h("div.nb-work-place");
    try {
      await rendered(reference, place, ending).catch(async (error) => {
        await new Promise((go) => setTimeout(go, AGAIN_MS));
        if (ending.aborted) throw error;
        place.replaceChildren();
        return rendered(reference, place, ending);
      });
      element.replaceChildren(place);
    } catch (error) {
      if (ending.aborted) return;
      element.replaceChildren(h("p.nb-work-note", { role: "alert" }, t("work.no_panels", { problem: error.message })));
    } finally {
      element.removeAttribute("aria-busy");
    }
  }

  async function rendered(reference, place, ending) {
    const { host, model } = context;
    if (host?.getWidget) {
      const widget = await host.getWidget(reference);
      await widget.render({ el: place, signal: ending });
      return;
    }
    const manager = model.widget_manager;
    if (!manager?.create_view) throw new Error(t("work.host"));
    const child = await manager.get_model(reference.replace(/^anywidget:/, ""));
    const view = await manager.create_view(child);
    place.append(view.el);
    ending.addEventListener("abort", () => view.remove());
  }

  function end(reference) {
    const { element, ending } = made.get(reference);
    made.delete(reference);
    ending.abort();
    element.remove();
  }

  signal.addEventListener("abort", () => [...made.keys()].forEach(end));

  return {
    /** A place for one panel at a time. */
    slot() {
      const element = h("div.nb-work-slot");
      return {
        element,
        show(reference) {
          if (reference && !made.has(reference)) {
            const ending = new AbortController();
            const own = h("div.nb-work-mount");
            made.set(reference, { element: own, ending });
            element.append(own);
            mount(reference, own, ending.signal);
          }
          const shown = made.get(reference)?.element;
          for (const child of element.children) {
            if (child !== shown && !child.hidden) hush(child);
            child.hidden = child !== shown;
          }
        },
      };
    },
    /** Take away the panels that the kernel has closed. */
    keep(references) {
      for (const reference of [...made.keys()]) if (!references.includes(reference)) end(reference);
    },
  };
}

/** Pause what sounds in an element: what is not seen is not heard. */
export function hush(element) {
  for (const one of element.querySelectorAll(".nb-transport")) one.nbPlayer?.pause();
}
