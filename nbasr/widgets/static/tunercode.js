// "Copy as code": the cell that does what the panel shows, in the clipboard and on the screen.

import { button, h, icon } from "./dom.js";

const KINDS = ["auto", "magic", "python"];

/** @returns {{element: HTMLElement, shown: HTMLElement}} a button with a menu, and the code */
export function createCopyCode(frame) {
  const { t, link, guard, say } = frame;
  const code = h("pre.nb-code", { tabindex: 0, "aria-label": t("tuner.code") });
  const told = h("span.nb-good", {});
  const shown = h("div.nb-copied", { hidden: true },
    h("div.nb-row", {}, told, h("span.nb-spacer"),
      button({ label: t("tuner.code_close"), icon: "close", onclick: () => {
        shown.hidden = true;
        main.focus();
      } })),
    code);

  const copy = guard(async (kind) => {
    fold();
    const { data } = await link.ask("code", { kind });
    code.textContent = data.text;
    shown.hidden = false;
    const copied = await intoClipboard(data.text);
    told.replaceChildren(icon(copied ? "check" : "warning"), t(copied ? "tuner.copied_cell" : "tuner.copy_refused"), ...(data.note ? [` ${data.note}`] : []));
    told.className = copied ? "nb-row nb-good" : "nb-row nb-warn";
    say(told.textContent);
    if (!copied) {
      code.focus();
      getSelection().selectAllChildren(code);
    }
  });

  const main = button({ label: t("tuner.copy_code"), icon: "copy", showLabel: true, onclick: () => copy("auto") });
  const more = button({ label: t("tuner.copy_how"), icon: "down", onclick: () => (menu.hidden ? unfold() : fold()) });
  const items = KINDS.slice(1).map((kind) => h("button.nb-item", {
    type: "button", role: "menuitem", tabindex: -1, onclick: () => copy(kind),
  }, t(`tuner.copy_${kind}`)));
  const menu = h("div.nb-menu", { role: "menu", "aria-label": t("tuner.copy_how"), hidden: true, onkeydown: keyed }, items);
  more.setAttribute("aria-haspopup", "menu");
  more.setAttribute("aria-expanded", "false");
  more.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    unfold();
  });
  const element = h("span.nb-menued", {
    onfocusout: (event) => element.contains(event.relatedTarget) || fold(),
  }, h("span.nb-group", {}, main, more), menu);

  function unfold() {
    menu.hidden = false;
    more.setAttribute("aria-expanded", "true");
    items[0].focus();
  }

  function fold() {
    const inside = menu.contains(menu.getRootNode().activeElement);
    menu.hidden = true;
    more.setAttribute("aria-expanded", "false");
    if (inside) more.focus();
  }

  function keyed(event) {
    const at = items.indexOf(event.target);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items[(at + step + items.length) % items.length].focus();
    else if (event.key === "Escape") fold();
    else return;
    event.preventDefault();
  }

  return { element, shown };
}

/** Put a text into the clipboard; false where the browser does not let us. */
export async function intoClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // not a secure page, or refused
  }
}
