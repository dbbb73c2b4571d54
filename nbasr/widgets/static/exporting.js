// The transcript as a file: downloaded, or beside the notebook; or its text in the clipboard.

import { button, h, icon, labelled } from "./dom.js";
import { intoClipboard } from "./tunercode.js";

const USUAL = "srt";

/**
 * @param frame of the panel
 * @param {{store, lines, unsaved, flush: () => void}} parts `flush` sends what is being typed
 * @returns {{element: HTMLElement, open: () => void, close: () => void, isOpen: boolean}}
 */
export function createExporting(frame, { store, lines, unsaved, flush }) {
  const { t, say, guard, link } = frame;
  let formats = [];
  const choice = h("select.nb-select", { onchange: chosen });
  const download_ = button({ label: t("edit.download"), icon: "download", showLabel: true, primary: true, onclick: guard(download) });
  const save_ = button({ label: t("edit.save_beside"), icon: "folder", showLabel: true, onclick: guard(() => save(false)) });
  const copy_ = button({ label: t("edit.copy_text"), icon: "copy", showLabel: true, onclick: guard(copy) });
  const told = h("div.nb-export-told.nb-row", { role: "status" });
  const element = h("section.nb-export.nb-below", { "aria-label": t("edit.export"), hidden: true, onkeydown: (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  } },
    h("div.nb-row", {}, labelled(t("edit.format"), choice), download_, save_, copy_, h("span.nb-spacer"),
      button({ label: t("edit.export_close"), icon: "close", keys: "Esc", onclick: close })),
    told);

  const load = guard(async () => {
    const before = choice.value || USUAL;
    ({ data: { formats } } = await link.ask("formats", { language: t.language }));
    choice.replaceChildren(...formats.map(({ name, suffix, text, possible, why }) =>
      h("option", { value: name, title: why, disabled: !possible },
        [`${text || name} (${suffix})`, possible ? "" : why].filter(Boolean).join(" – "))));
    choice.value = formats.some(({ name, possible }) => name === before && possible) ? before : formats.find(({ possible }) => possible)?.name;
    chosen();
  });

  function chosen() {
    if (told.matches(":focus-within")) choice.focus();
    const none = !choice.value;
    for (const made of [download_, save_]) made.disabled = none;
    told.replaceChildren();
  }

  async function download() {
    flush();
    const { data, buffers } = await link.ask("export", { format: choice.value });
    const url = URL.createObjectURL(new Blob([buffers[0]], { type: data.mime }));
    const anchor = h("a", { href: url, download: data.name });
    frame.root.append(anchor); // some browsers want it in the page
    anchor.click();
    anchor.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    tell("check", t("edit.downloaded", { name: data.name }));
  }

  async function save(overwrite) {
    flush();
    const { data } = await link.ask("save", { format: choice.value, overwrite });
    if (!data.exists) return tell("check", t("edit.saved_as", { path: data.path }));
    tell("warning", t("edit.file_exists", { path: data.path }),
      button({ label: t("edit.overwrite"), onclick: guard(() => save(true)) }),
      button({ label: t("edit.keep_file"), onclick: () => {
        told.replaceChildren();
        save_.focus();
      } }));
    told.querySelector("button").focus();
    return undefined;
  }

  async function copy() {
    flush();
    const lines_ = [];
    for (let i = 0; i < store.count; i += 1) lines_.push(unsaved.textOf(store.at(i)));
    const copied = await intoClipboard(lines_.join("\n"));
    tell(copied ? "check" : "warning", t(copied ? "edit.copied" : "tuner.copy_refused"));
  }

  function tell(kind, text, ...more) {
    if (told.matches(":focus-within")) save_.focus(); // what had the focus goes, and with it the keys
    told.replaceChildren(h(`span.nb-row.${kind === "check" ? "nb-good" : "nb-warn"}`, {}, icon(kind), text), ...more);
    say(text);
  }

  function open() {
    element.hidden = false;
    chosen(); // nothing can be had before the formats are known
    load();
    element.scrollIntoView({ block: "nearest" });
    choice.focus();
  }

  function close() {
    element.hidden = true;
    lines.focus();
  }

  return {
    element, open, close,
    get isOpen() {
      return !element.hidden;
    },
  };
}
