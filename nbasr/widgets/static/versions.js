// What the machine heard, beside what a person made of it: line by line, the whole, and back to it.

import { button, h, icon } from "./dom.js";
import { diffNodes } from "./diffview.js";
import { createPopup } from "./popup.js";
import { clockText } from "./texts.js";

const PIECE = 400; // rows of the whole text put up at once

/**
 * @param frame of the panel
 * @param {{store, lines, unsaved}} parts
 * @returns {{button: HTMLElement, box: HTMLElement, notice: HTMLElement, whole: HTMLElement,
 *   decorate: Function, toggleLine: (id: number) => void, pressed: Function, show: () => void}}
 */
export function createVersions(frame, { store, lines, unsaved }) {
  const { t, say, guard, link } = frame;
  const shown = new Set(); // ids of lines under which the machine's text is shown
  const heard = new Map(); // id → {text, promise|null, segments}: what the machine heard there
  let all = false; // under every edited line

  // -- One line ---------------------------------------------------------------------------------

  function decorate(row, i, segment) {
    const body = row.querySelector(".nb-line-body");
    const old = body?.querySelector(".nb-machine");
    const badge = row.querySelector(".nb-badge-edited");
    const open = shown.has(segment.id) || (all && segment.edited);
    badge?.setAttribute("aria-expanded", String(open));
    if (!open || !body) {
      old?.remove();
      return;
    }
    const made = old ?? h("div.nb-machine", {});
    if (!old) body.append(made);
    const known = heard.get(segment.id);
    if (known?.text === segment.text && known.segments) fill(made, segment, known);
    else ask(segment);
  }

  function ask(segment) {
    const known = heard.get(segment.id);
    if (known?.text === segment.text) return; // on its way
    const asked = { text: segment.text, segments: null, same: false };
    heard.set(segment.id, asked);
    link.ask("machine", { id: segment.id }).then(({ data }) => {
      Object.assign(asked, { segments: data.segments, same: data.same });
      const i = store.indexOf(segment.id);
      if (i >= 0) lines.redraw(i);
    }).catch((error) => {
      heard.delete(segment.id);
      shown.delete(segment.id);
      frame.fail(error);
    });
  }

  function fill(made, segment, { segments, same }) {
    const text = segments.map((one) => one[2]).join(" ");
    const put = [];
    if (!segments.length) put.push(h("span.nb-dim", {}, t("edit.machine_nothing")));
    else put.push(h("span.nb-dim", {}, t("edit.machine_heard")), " ",
      h("bdi.nb-machine-text", {}, diffNodes(text, segment.text, "before")));
    const edits = !same && store.editable
      ? button({ label: t("edit.revert_line"), icon: "back", showLabel: true, onclick: guard(async () => {
          await store.revert(segment.id);
          lines.focus();
          say(t("edit.was_reverted"));
        }) })
      : null;
    made.replaceChildren(h("div", {}, ...put), h("span.nb-buttons", {}, edits,
      button({ label: t("edit.machine_hide"), icon: "close", onclick: () => {
        shown.delete(segment.id);
        all = false;
        allButton.setAttribute("aria-pressed", "false");
        lines.redraw(store.indexOf(segment.id));
        lines.focus();
      } })));
  }

  function toggleLine(id) {
    if (!shown.delete(id)) shown.add(id);
    const i = store.indexOf(id);
    if (i >= 0) lines.redraw(i);
  }

  lines.element.addEventListener("click", (event) => {
    const badge = event.target.closest(".nb-badge-edited");
    if (badge) toggleLine(Number(badge.closest("[data-id]").dataset.id));
  });

  // -- The whole --------------------------------------------------------------------------------

  const opener = button({ label: t("edit.versions"), icon: "down", showLabel: true, onclick: () => {} });
  const told = opener.querySelector("span");
  opener.classList.add("nb-saved");
  const allButton = h("button.nb-item", { type: "button", "aria-pressed": "false", onclick: () => {
    all = !all;
    if (!all) shown.clear();
    allButton.setAttribute("aria-pressed", String(all));
    lines.redrawAll();
    popup.close(true);
  } }, icon("check"), t("edit.compare"));
  const wholeButton = h("button.nb-item", { type: "button", "aria-pressed": "false", onclick: guard(() => {
    popup.close(true);
    return showWhole(whole.hidden);
  }) }, icon("check"), t("edit.machine_whole"));
  const discardButton = h("button.nb-item", { type: "button", onclick: () => {
    confirm.hidden = false;
    confirm.querySelector("button").focus();
  } }, icon("undo"), t("edit.discard"));
  const confirm = h("div.nb-confirm", { hidden: true, role: "group", "aria-label": t("edit.discard") },
    h("p", {}, t("edit.discard_sure")),
    h("span.nb-row", {},
      button({ label: t("edit.discard_yes"), primary: true, onclick: guard(discard) }),
      button({ label: t("edit.discard_no"), onclick: () => popup.close(true) })));
  const fact = h("p.nb-dim.nb-saved-fact", {});
  const box = h("div.nb-popup.nb-popup-right", { role: "group", "aria-label": t("edit.versions") },
    fact, allButton, wholeButton, discardButton, confirm);
  const popup = createPopup(opener, box, { onopen: () => {
    confirm.hidden = true;
    discardButton.disabled = !store.state.edits || !store.editable;
    fact.textContent = [
      store.about?.machine_model && t("edit.machine_model", { model: store.about.machine_model }),
      t("edit.autosave"),
    ].filter(Boolean).join(" ");
  } });

  async function discard() {
    popup.close(true);
    notice.hidden = true;
    await store.discard();
    lines.focus();
    say(t("edit.was_discarded"));
  }

  const rows = h("div.nb-whole-rows", { tabindex: 0, role: "group", "aria-label": t("edit.machine_whole") });
  const whole = h("div.nb-whole", { hidden: true },
    h("div.nb-row", {}, h("strong", {}, t("edit.machine_whole")), h("span.nb-dim", {}, t("edit.machine_readonly")),
      h("span.nb-spacer"),
      button({ label: t("edit.machine_hide"), icon: "close", onclick: guard(() => {
        lines.focus();
        return showWhole(false);
      }) })),
    rows);

  async function showWhole(is) {
    whole.hidden = !is;
    wholeButton.setAttribute("aria-pressed", String(is));
    if (!is) return rows.replaceChildren();
    const { buffers } = await link.ask("machine_all");
    const text = JSON.parse(new TextDecoder().decode(buffers[0]));
    rows.replaceChildren();
    let put = 0;
    const more = () => {
      rows.append(...text.slice(put, put + PIECE).map(([start, , line]) => h("div.nb-whole-row", {},
        h("span.nb-time.nb-dim", {}, clockText(start)), h("span", { dir: "auto" }, line))));
      put += PIECE;
    };
    more();
    rows.onscroll = () => put < text.length && rows.scrollTop + 2 * rows.clientHeight > rows.scrollHeight && more();
    const near = text.findLastIndex(([start]) => start <= (store.at(Math.max(lines.current, 0))?.start ?? 0));
    while (put <= near) more();
    rows.scrollTop = rows.children[Math.max(near, 0)]?.offsetTop ?? 0;
    return undefined;
  }

  // -- What is saved, what was taken up ---------------------------------------------------------

  const noticeText = h("span", {});
  const notice = h("div.nb-notice", { role: "status", hidden: true }, icon("undo"), noticeText, h("span.nb-spacer"),
    button({ label: t("edit.taken_show"), onclick: () => {
      all = true;
      allButton.setAttribute("aria-pressed", "true");
      lines.redrawAll();
      const i = firstEdited();
      if (i >= 0) lines.select(i, { reveal: "center" });
      notice.hidden = true;
      lines.focus();
    } }),
    button({ label: t("edit.taken_discard"), onclick: guard(discard) }),
    button({ label: t("panel.dismiss"), icon: "close", onclick: () => {
      notice.hidden = true;
      lines.focus();
    } }));
  let announced = null;

  function firstEdited() {
    for (let i = 0; i < store.count; i += 1) if (store.at(i).edited) return i;
    return -1;
  }

  function show() {
    const { saved, edits, taken_up: taken } = store.state;
    const count = edits === 1 ? t("edit.edits_one") : t("edit.edits", { count: edits ?? 0 });
    const state = saved?.state ?? "none";
    const text = { saved: () => t("edit.saved", { at: dayTime(t, saved.at) }), saving: () => t("edit.saving"),
      unsaved: () => t("edit.unsaved"), failed: () => t("edit.failed") }[state]?.() ?? "";
    told.textContent = edits ? [text, count].filter(Boolean).join(" · ") : t("edit.versions");
    opener.title = saved?.problem || t("edit.autosave");
    opener.classList.toggle("nb-bad", state === "failed");
    trouble.hidden = state !== "failed";
    if (state === "failed") trouble.lastChild.textContent = t("edit.failed_why", { problem: saved.problem });
    if (taken && announced !== taken.at) {
      announced = taken.at;
      noticeText.textContent = t(taken.edits === 1 ? "edit.taken_one" : "edit.taken", { count: taken.edits, at: dayTime(t, taken.at) });
      notice.hidden = false;
    }
  }
  const trouble = h("div.nb-notice.nb-warnedbox", { role: "alert", hidden: true }, icon("warning"), h("span", {}));

  store.on("change", ({ removed, added }) => {
    if (removed !== added) heard.clear();
    if (!notice.hidden) { // who goes on correcting has read it
      if (notice.matches(":focus-within")) lines.focus();
      notice.hidden = true;
    }
    for (const id of shown) if (store.indexOf(id) < 0) shown.delete(id);
  });
  store.on("state", show);

  return {
    button: opener, box, whole, decorate, toggleLine, show,
    notice: h("div", {}, trouble, notice),
    pressed: popup.pressed,
  };
}

/** 18:32, or with the day if it is another than today. */
function dayTime(t, seconds) {
  const at = new Date(1000 * seconds);
  const today = at.toDateString() === new Date().toDateString();
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(today ? {} : { month: "short", day: "numeric" }) };
  return at.toLocaleString(t.language === "zh" ? "zh-CN" : "en-GB", options);
}
