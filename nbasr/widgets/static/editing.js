// Everything that changes a transcript in its panel, put together: bars, keys, what rows show more.

import { createAgain } from "./again.js";
import { button, disable, h } from "./dom.js";
import { createDoubts } from "./doubts.js";
import { createEditBar } from "./editbar.js";
import { createExporting } from "./exporting.js";
import { createFind } from "./find.js";
import { createLineEdit } from "./lineedit.js";
import { createUnsaved } from "./unsaved.js";
import { createVersions } from "./versions.js";

/**
 * @param frame of the panel
 * @param context anywidget's
 * @param {{store, lines, view, player, transport}} given what the panel is made of
 * @returns {{toolbar: HTMLElement, above: HTMLElement, below: HTMLElement,
 *   keys: (event: KeyboardEvent) => boolean}} `above` and `below` belong over and under the lines;
 *   `keys` is for `view.addKeys` and `lines.addKeys`
 */
export function createEditing(frame, context, given) {
  const { t, say, guard, signal } = frame;
  const { store, lines, view } = given;
  const unsaved = createUnsaved(frame, given);
  const parts = { ...given, unsaved };
  const edit = createLineEdit(frame, parts);
  const find = createFind(frame, parts);
  const doubts = createDoubts(frame, parts);
  const versions = createVersions(frame, parts);
  const again = createAgain(frame, parts);
  const exporting = createExporting(frame, { ...parts, flush: edit.flush });
  const bar = createEditBar(frame, { ...parts, edit, again });

  const undo_ = button({ label: t("edit.undo"), icon: "undo", keys: "Ctrl+Z", onclick: () => undo() });
  const redo_ = button({ label: t("edit.redo"), icon: "redo", keys: "Ctrl+Shift+Z", onclick: () => redo() });
  const find_ = button({ label: t("edit.find"), icon: "search", keys: "/", onclick: () => (find.isOpen ? find.close() : find.open()) });
  const export_ = button({ label: t("edit.export"), icon: "download", keys: "X", showLabel: true, onclick: () => toggle(exporting) });
  const writing = h("span.nb-dim", { hidden: true }, t("edit.job_writes"));
  const toolbar = h("div.nb-row.nb-edittools", { role: "group", "aria-label": t("edit.tools") },
    h("span.nb-group", {}, undo_, redo_), find_,
    h("span.nb-menued", {}, doubts.element, doubts.box), writing, h("span.nb-spacer"),
    h("span.nb-menued", {}, versions.button, versions.box), export_);
  const above = h("div.nb-above", {}, unsaved.element, versions.notice, find.element);
  const below = h("div.nb-editbelow", {}, bar.element, again.element, exporting.element, versions.whole);

  const step = (way, done) => guard(async () => {
    if (!store.editable || !store.state[`can_${way}`]) return void say(t(`edit.no_${way}`));
    const { focus } = await store[way]();
    if (focus >= 0) lines.select(focus, { reveal: true });
    say(t(done));
    return undefined;
  });
  const undo = step("undo", "edit.undone");
  const redo = step("redo", "edit.redone");

  function toggle(part) {
    if (part.isOpen) part.close();
    else part.open();
  }

  function show() {
    const { state, editable } = store;
    disable(undo_, !state.can_undo || !editable, lines);
    disable(redo_, !state.can_redo || !editable, lines);
    writing.hidden = editable;
    versions.show();
    bar.show();
    doubts.show();
  }

  lines.decorate((row, i, segment) => {
    if (!segment) return;
    unsaved.decorate(row, i, segment);
    edit.decorate(row, i, segment);
    versions.decorate(row, i, segment);
    find.decorate(row, i);
  });
  store.on("state", show);
  frame.root.addEventListener("pointerdown", (event) => {
    doubts.pressed(event);
    versions.pressed(event);
  }, { signal });

  const inPanel = (event) => event.target instanceof Node && frame.root.contains(event.target);
  frame.claim((event) => inPanel(event) && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey
    && (/^[fm]$/i.test(event.key) || (event.key === "Enter" && lines.element.contains(event.target))));
  // Search is at hand from fields too, where other keys are the field's.
  frame.root.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "f") return;
    event.preventDefault();
    find.open();
  }, { signal });

  const plain = {
    e: () => edit.open(lines.current),
    F2: () => edit.open(lines.current),
    m: () => guard(bar.merge)(),
    Delete: () => guard(bar.remove)(),
    Backspace: () => guard(bar.remove)(),
    n: () => doubts.step(1),
    N: () => doubts.step(-1),
    k: () => guard(doubts.check)(),
    "/": () => find.open(),
    F3: () => (find.isOpen ? find.step(1) : find.open()),
    i: () => guard(bar.insert)(),
    t: () => again.open(),
    x: () => exporting.open(),
    v: () => lines.current >= 0 && versions.toggleLine(store.at(lines.current).id),
    "[": () => bar.take("start"),
    "]": () => bar.take("stop"),
  };
  const withCommand = {
    z: (event) => (event.shiftKey ? redo() : undo()),
    y: () => redo(),
    m: () => guard(bar.merge)(),
    f: () => find.open(),
    Enter: () => guard(bar.split)(),
  };

  function keys(event) {
    if (event.altKey || event.isComposing) return false;
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() === "s") {
      edit.flush();
      say(t("edit.autosave"));
      return false; // the notebook is saved as well
    }
    const key = event.key.length > 1 ? event.key : event.key === "N" ? "N" : event.key.toLowerCase();
    const action = command ? withCommand[key.toLowerCase()] ?? withCommand[key] : plain[key];
    if (!action || (event.shiftKey && !command && key.length > 1)) return false;
    if (event.repeat && !/^[nNzy]$/.test(key)) return true;
    action(event);
    return true;
  }

  view.addHelp(t("edit.tools"), [
    ["E F2", t("edit.write")], ["Enter", t("edit.key_enter")], ["Esc", t("edit.key_escape")],
    ["Ctrl Enter", t("edit.key_split")], ["M", t("edit.key_merge")], ["Delete", t("edit.delete")],
    ["I", t("edit.insert")], ["[ ]", t("edit.key_times")], ["N", t("edit.key_doubt")], ["K", t("edit.looks_right")],
    ["/", t("edit.key_find")], ["V", t("edit.key_version")], ["T", t("edit.again")], ["X", t("edit.export")],
    ["Ctrl Z", t("edit.key_undo")], ["Ctrl Space", t("edit.key_typing_play")], ["Alt ← →", t("edit.key_typing_skip")],
  ]);
  store.ready.then(show, () => {});
  show();
  return { toolbar, above, below, keys };
}
