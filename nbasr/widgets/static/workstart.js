// How a workbench begins: what was heard or corrected last, and a recording to try it with.

import { button, h, icon } from "./dom.js";

const MOST = 4; // texts that are offered

/**
 * @param frame of the panel
 * @returns {{element: HTMLElement, load: () => Promise, show: (empty: boolean) => void}}
 */
export function createWorkStart(frame) {
  const { t, link, guard } = frame;
  const list = h("ul.nb-work-recent", { "aria-label": t("work.recent") });
  const head = h("div.nb-work-subhead", {}, t("work.recent"));
  const box = h("div", { hidden: true }, head, list);
  const sample = button({
    label: t("work.sample"), icon: "play", showLabel: true, onclick: guard(() => link.ask("sample", {}, { aside: true })),
  });
  sample.title = t("work.sample_hint");
  let going = false;
  const element = h("div.nb-work-start", {}, box, h("div.nb-row", {}, h("span.nb-dim", {}, t("work.no_file")), sample));

  function row(draft) {
    const when = whenText(t, draft.at);
    const edits = draft.edits ? t(draft.edits === 1 ? "work.edits_one" : "work.edits", { count: draft.edits }) : "";
    const go = h("button.nb-work-resume", {
      type: "button", disabled: !draft.here, title: draft.here ? draft.path : t("work.gone", { path: draft.path }),
      onclick: guard(async () => {
        if (going) return;
        going = true; // to disable the button would drop the focus
        try {
          await link.ask("resume", { key: draft.key }, { aside: true });
        } finally {
          going = false;
        }
      }),
    }, icon("text"), h("strong", {}, draft.name), h("span.nb-dim", {}, [edits, draft.model, when].filter(Boolean).join(" · ")),
    !draft.here && h("span.nb-work-missing", {}, t("work.missing")));
    return h("li", {}, go);
  }

  return {
    element,
    async load() {
      const { data } = await link.ask("recent", { limit: MOST }, { aside: true });
      list.replaceChildren(...data.drafts.map(row));
      box.hidden = !data.drafts.length;
    },
    show: (empty) => (element.hidden = !empty),
  };
}

/** When something was, as people say it: today with its time, yesterday, else its date. */
export function whenText(t, seconds, now = new Date()) {
  const date = new Date(seconds * 1000);
  const language = t.language === "zh" ? "zh-CN" : "en";
  const days = Math.round((new Date(now.toDateString()) - new Date(date.toDateString())) / 86_400_000);
  const time = date.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  if (days === 0) return t("work.today", { time });
  if (days === 1) return t("work.yesterday", { time });
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString(language, { day: "numeric", month: "short", year });
}
