// Writing in a line of the transcript, in its place: commit, take back, split, merge, on to the next.

import { h } from "./dom.js";
import { positionAt } from "./findmarks.js";

const SKIP = 1; // s by Alt+arrow
const ENDING = /^(Enter|Escape|F2|ArrowUp|ArrowDown)$/; // keys that leave a line

/** A line's text is one line, whatever is pasted. */
const oneLine = (text) => text.replace(/\s*[\r\n]+\s*/g, " ");

/**
 * @param frame of the panel
 * @param {{store, lines, view, player, transport, unsaved}} parts
 * @returns {{open: (i: number, options?: object) => void, flush: () => void, split: () => Promise,
 *   isOpen: boolean, decorate: (row: HTMLElement, i: number, segment) => void}}
 */
export function createLineEdit(frame, { store, lines, view, player, transport, unsaved }) {
  const { t, say, guard } = frame;
  let editing = null; // {id, base}: the line and its text as it was sent last
  let busy = false; // while a split or merge is on its way
  let composed = 0; // when a composition ended: its Enter is no Enter of ours
  const told = h("div.nb-bad.nb-line-told", { role: "alert", hidden: true });
  const field = h("textarea.nb-line-edit", { rows: 1, "aria-label": "", dir: "auto", enterkeyhint: "next", autocomplete: "off" });
  const box = h("div.nb-line-editbox", {}, field, told);

  const value = () => oneLine(field.value);

  function open(i, { caret = null, all = false } = {}) {
    if (!store.editable) return void say(t("edit.job_writes"));
    if (i < 0 || i >= store.count || busy) return;
    if (editing) close();
    const segment = store.at(i);
    editing = { id: segment.id, base: unsaved.textOf(segment) };
    field.value = editing.base;
    field.setAttribute("aria-label", t("edit.text_of", { number: i + 1 }));
    field.lang = segment.language ?? store.about?.language ?? "";
    told.hidden = true;
    lines.hold(i);
    lines.select(i, { reveal: true });
    const row = lines.rowOf(i);
    if (row) decorate(row, i, segment);
    const at = caret ?? editing.base.length;
    field.focus({ preventScroll: true });
    field.setSelectionRange(all ? 0 : at, all ? editing.base.length : at);
    fit();
  }

  /** Put the field where the text is: rows may be drawn anew while somebody writes. */
  function decorate(row, i, segment) {
    const text = row.querySelector(".nb-line-text");
    if (!text) return;
    const ours = editing?.id === segment.id;
    text.hidden = ours;
    row.classList.toggle("nb-editing", ours);
    if (!ours) {
      if (row.contains(box)) box.remove();
      return;
    }
    if (text.nextElementSibling === box) return;
    const { selectionStart, selectionEnd } = field;
    const had = field.matches(":focus") || box.isConnected;
    text.after(box);
    fit();
    if (!had) return;
    field.focus({ preventScroll: true });
    field.setSelectionRange(selectionStart, selectionEnd);
  }

  function fit() {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  /** Send what was written, if it is something else than before; the field stays. */
  function flush() {
    if (!editing || busy) return;
    const text = value().trim();
    if (text === editing.base.trim()) return;
    editing.base = text;
    guard(unsaved.send)(editing.id, text);
  }

  /** End writing; `back` puts the focus on the list. */
  function close({ keep = true, back = false } = {}) {
    if (!editing) return;
    if (keep) flush();
    const i = store.indexOf(editing.id);
    editing = null;
    lines.release();
    box.remove();
    if (i >= 0) {
      const row = lines.rowOf(i);
      if (row) decorate(row, i, store.at(i));
      lines.redraw(i);
    }
    if (back) lines.focus();
  }

  function go(by) {
    const to = store.indexOf(editing.id) + by;
    close();
    if (to >= 0 && to < store.count) open(to);
    else lines.focus();
  }

  /** Do what makes other lines of this one; what was written goes along as one step of undo. */
  async function reshape(action, values, caretIn, done) {
    if (busy) return;
    const { id } = editing;
    const text = value();
    wait(true);
    try {
      const data = await store.edit(action, { ...values, texts: text === editing.base ? [] : [[id, text]] });
      wait(false);
      close({ keep: false });
      const at = data.focus >= 0 ? data.focus : store.indexOf(values.id);
      if (at >= 0) open(at, { caret: caretIn(store.at(at).text) });
      say(t(done));
    } catch (error) {
      told.textContent = error.message;
      told.hidden = false;
      wait(false);
      if (!field.isConnected) close(); // its line is gone: what was written is kept in sight elsewhere
    }
  }

  /** What is written waits for the kernel's answer; no other line is opened meanwhile. */
  function wait(is) {
    busy = is;
    field.readOnly = is;
    box.setAttribute("aria-busy", String(is));
  }

  async function split() {
    if (!editing) return;
    const at = field.selectionStart;
    if (!value().slice(0, at).trim() || !value().slice(at).trim()) {
      told.textContent = t("edit.split_where");
      told.hidden = false;
      return;
    }
    await reshape("split", { id: editing.id, at }, () => 0, "edit.was_split");
  }

  async function mergeBack() {
    const i = store.indexOf(editing.id);
    if (i < 1) return;
    const previous = store.at(i - 1);
    const own = value().trim().length;
    await reshape("merge", { id: previous.id, count: 2 }, (text) => text.length - own, "edit.was_merged");
  }

  async function mergeOn() {
    if (!editing) return;
    const i = store.indexOf(editing.id);
    if (i + 1 >= store.count) return;
    const own = value().trim().length;
    await reshape("merge", { id: editing.id, count: 2 }, () => own, "edit.was_merged");
  }

  function skip(seconds) {
    player.seek(player.time() + seconds);
    view.reveal(player.time());
  }

  function handled(event) {
    const { key, shiftKey, altKey } = event;
    const command = event.ctrlKey || event.metaKey;
    const at = field.selectionStart === field.selectionEnd ? field.selectionStart : -1;
    if (key === "Enter") {
      if (command) guard(split)();
      else go(shiftKey ? -1 : 1);
      return true;
    }
    if (key === "Escape") {
      field.value = editing.base;
      close({ keep: false, back: true });
      return true;
    }
    if (key === "F2") return close({ back: true }), true;
    if (key === " " && command) return transport.toggle(), true;
    if (altKey && (key === "ArrowLeft" || key === "ArrowRight")) return skip(key === "ArrowLeft" ? -SKIP : SKIP), true;
    if (altKey && (key === "ArrowUp" || key === "ArrowDown")) return go(key === "ArrowUp" ? -1 : 1), true;
    if (command && key.toLowerCase() === "m") return guard(mergeOn)(), true;
    if (key === "Backspace" && at === 0 && !command && store.indexOf(editing.id) > 0) return guard(mergeBack)(), true;
    if (key === "Delete" && at === field.value.length && store.indexOf(editing.id) + 1 < store.count) return guard(mergeOn)(), true;
    if (command && key.toLowerCase() === "s") return flush(), false; // the notebook is saved as well
    return false;
  }

  field.addEventListener("compositionend", (event) => (composed = event.timeStamp));
  field.addEventListener("keydown", (event) => {
    // Safari sends the Enter that ends a composition after it has ended.
    if (event.isComposing || event.keyCode === 229 || event.timeStamp - composed < 30) return;
    if (busy ? ENDING.test(event.key) : handled(event)) event.preventDefault();
  });
  field.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!/[\r\n]/.test(text)) return;
    event.preventDefault();
    document.execCommand("insertText", false, oneLine(text)); // so that the field can undo it
  });
  field.addEventListener("beforeinput", (event) => {
    // Of keyboards on a screen, which send no key for it.
    if (event.inputType !== "insertLineBreak" || event.isComposing) return;
    event.preventDefault();
    if (!busy) go(1);
  });
  field.addEventListener("input", () => {
    told.hidden = true;
    fit();
  });
  field.addEventListener("blur", () => setTimeout(() => {
    if (!editing || busy || field.matches(":focus")) return; // its row was drawn anew, or the window left
    close();
  }));
  lines.element.addEventListener("dblclick", (event) => {
    const row = event.target.closest("[data-id]");
    const text = row?.querySelector(".nb-line-text");
    if (!text || event.target.closest("button, textarea, input") || !event.target.closest(".nb-line-body")) return;
    event.preventDefault();
    const caret = positionAt(text, event.clientX, event.clientY);
    player.pause();
    open(store.indexOf(Number(row.dataset.id)), { caret });
  });
  document.addEventListener("visibilitychange", flush, { signal: frame.signal });
  globalThis.addEventListener?.("pagehide", flush, { signal: frame.signal });
  store.on("state", () => editing && !store.editable && close());
  store.on("change", () => { // another view, or Python, may have changed this line
    const segment = editing && store.at(store.indexOf(editing.id));
    if (!segment || busy || value() !== editing.base) return;
    const text = unsaved.textOf(segment);
    if (text === editing.base) return;
    editing.base = field.value = text;
    fit();
  });
  // Keys that are the notebook's elsewhere.
  frame.claim((event) => editing !== null && field.matches(":focus")
    && (/^(Enter| |Backspace|Delete)$/.test(event.key) || /^m$/i.test(event.key)));

  return {
    open, flush, close, split, decorate,
    merge: mergeOn,
    get isOpen() {
      return editing !== null;
    },
  };
}
