// The upload panel: a place to drop recordings on, other ways in, and what has arrived.

import { button, h, icon } from "./dom.js";
import { chosenFolder, droppedFiles } from "./dropping.js";
import { createFrame } from "./frame.js";
import { createPathField } from "./pathfield.js";
import { createRecorderBar } from "./recorderbar.js";
import { fileSource } from "./sender.js";
import { clockText } from "./texts.js";
import { createQueue } from "./uploadqueue.js";
import { createUploadRow } from "./uploadrow.js";

const FINISHED = ["ready", "same", "problem"];

function render(context) {
  const frame = createFrame(context, { kind: "upload", title: "upload.title" });
  const { t, link, guard, say, signal } = frame;
  const rows = new Map();
  let suffixes = new Set();

  // -- Ways in --

  const files = h("input", { type: "file", multiple: true, hidden: true, "aria-label": t("upload.choose"), tabindex: -1,
    onchange: () => {
      take([...files.files].map((file) => ({ file, name: file.name })), 0);
      files.value = ""; // the same file may be chosen again
    } });
  const folder = h("input", { type: "file", webkitdirectory: true, hidden: true, "aria-label": t("upload.choose_folder"), tabindex: -1,
    onchange: () => {
      const found = chosenFolder(folder.files, isRecording);
      folder.value = "";
      take(found.files, found.leftOut);
      if (!found.files.length) frame.fail(new Error(t("upload.folder_empty")));
    } });
  const record = button({ label: t("upload.record"), icon: "mic", showLabel: true, onclick: guard(() => recorder.start()) });
  const ways = h("div.nb-row.nb-ways", {},
    button({ label: t("upload.choose"), icon: "upload", showLabel: true, primary: true, onclick: () => files.click() }),
    "webkitdirectory" in folder && button({ label: t("upload.choose_folder"), icon: "folder", showLabel: true, onclick: () => folder.click() }),
    record);
  const recorder = createRecorderBar(frame, {
    onsource: (source) => {
      const entry = queue.add(source);
      return { discard: guard(() => queue.remove(current(entry, source))) };
    },
    onopen: (open) => {
      ways.hidden = open;
      if (!open) record.focus();
    },
  });
  const invitation = h("div.nb-invitation");
  const hint = h("div.nb-dim.nb-hint", {}, t("upload.hint"));
  const place = createPathField({
    t, say, signal,
    complete: async (text) => (await link.ask("complete", { text }, { aside: true })).data,
    submit: (text) => link.ask("add", { text }, { aside: true }),
  });
  const zone = h("div.nb-zone", {}, h("div.nb-arrow", {}, icon("upload")), invitation, ways, recorder.element, hint);
  const list = h("ul.nb-uploads", { "aria-label": t("upload.list"), hidden: true });
  const total = h("span");
  const kept = h("span.nb-kept");
  const foot = h("div.nb-row.nb-dim.nb-foot", { hidden: true }, total, h("span.nb-spacer"), kept);
  const leftOut = h("div.nb-dim", { role: "status", hidden: true });
  frame.body.append(zone, place.element, leftOut, list, foot, files, folder);

  // -- Rows --

  const queue = createQueue(frame, {
    changed(entry, before) {
      let row = rows.get(entry);
      if (!row) {
        row = createUploadRow(t, entry, actions);
        rows.set(entry, row);
        list.append(row.element);
      }
      const state = queue.stateOf(entry);
      row.update(state);
      if (before !== state && before !== undefined && FINISHED.includes(state)) announce(entry, state);
      summarise();
    },
    removed(entry) {
      const row = rows.get(entry);
      const had = row?.element.contains(document.activeElement);
      const beside = row?.element.nextElementSibling ?? row?.element.previousElementSibling;
      row?.element.remove();
      rows.delete(entry);
      if (had) (beside?.querySelector("button:last-of-type") ?? ways.querySelector("button")).focus();
      summarise();
    },
  });

  const actions = {
    remove: guard(async (entry) => {
      player.stop(entry);
      say(t("upload.said_removed", { name: entry.row.name }));
      await queue.remove(entry);
    }),
    retry: guard((entry) => queue.retry(entry)),
    keep: guard((entry) => queue.keep(entry)),
    listen: guard((entry, at) => player.toggle(entry, at)),
  };
  const player = createListening(frame);

  /** A source's entry: the row that it goes on as may be an older one. */
  function current(entry, source) {
    return [...queue.entries.values()].find((other) => other.source === source) ?? entry;
  }

  function announce(entry, state) {
    const { row } = entry;
    if (state === "ready") say(t("upload.said_ready", { name: row.name, duration: clockText(row.recording.duration) }));
    else {
      const problem = row.note ? t(row.note[0], row.note[1]) : row.problem;
      say(t("upload.said_problem", { name: row.name, problem }));
    }
  }

  function summarise() {
    const ready = [...queue.entries.values()].filter((entry) => entry.row.state === "ready");
    const duration = clockText(ready.reduce((sum, entry) => sum + entry.row.recording.duration, 0));
    const key = ready.length === 1 ? "upload.ready_one" : "upload.ready_many";
    total.textContent = ready.length ? t(key, { count: ready.length, duration }) : "";
    list.hidden = foot.hidden = !rows.size;
    frame.root.classList.toggle("nb-some", rows.size > 0);
    invitation.textContent = t(rows.size ? "upload.invite_more" : "upload.invite");
  }

  // -- Dropping --

  function isRecording(file) {
    const ending = file.name.match(/\.[^.]+$/)?.[0].toLowerCase() ?? "";
    return suffixes.has(ending) || (!ending && /^(audio|video)\//.test(file.type));
  }

  function take(chosen, count) {
    for (const { file, name } of chosen) queue.add(fileSource(file, name));
    leftOut.hidden = !count;
    leftOut.textContent = count ? t(count === 1 ? "upload.left_out_one" : "upload.left_out_many", { count }) : "";
  }

  let inside = 0; // enters and leaves of what lies within are told, too
  const hover = (count) => {
    inside = count;
    frame.root.classList.toggle("nb-over", inside > 0);
    invitation.textContent = t(inside > 0 ? "upload.drop_now" : rows.size ? "upload.invite_more" : "upload.invite");
  };
  const wanted = (event) => ["Files", "text/uri-list"].some((type) => event.dataTransfer?.types.includes(type));
  const listen = (type, handler) => frame.root.addEventListener(type, (event) => {
    if (!wanted(event)) return;
    event.preventDefault();
    event.stopPropagation();
    handler(event);
  });
  listen("dragenter", () => hover(inside + 1));
  listen("dragover", (event) => (event.dataTransfer.dropEffect = "copy"));
  listen("dragleave", () => hover(Math.max(inside - 1, 0)));
  listen("drop", guard(async (event) => {
    hover(0);
    const found = await droppedFiles(event.dataTransfer, isRecording);
    take(found.files, found.leftOut);
    if (!found.files.length && found.link) await link.ask("add", { text: found.link }, { aside: true });
    else if (!found.files.length && found.leftOut) frame.fail(new Error(t("upload.folder_empty")));
  }));

  summarise();
  guard(async () => {
    const data = await queue.refresh();
    suffixes = new Set(data.suffixes);
    kept.textContent = t("upload.kept_in", { folder: data.short_folder });
    kept.title = data.folder;
  })();
  return frame.end;
}

/** Hears the beginnings of recordings, one at a time. */
function createListening({ link, t, signal }) {
  let playing = null; // {entry, at, audio, address}
  const stop = (entry = playing?.entry) => {
    if (!playing || playing.entry !== entry) return;
    const { at, audio, address } = playing;
    playing = null;
    audio.pause();
    URL.revokeObjectURL(address);
    at.replaceChildren(icon("play"));
    at.title = t("upload.listen", { name: entry.row.name });
    at.setAttribute("aria-label", at.title);
  };
  signal.addEventListener("abort", () => stop());
  return {
    stop,
    async toggle(entry, at) {
      const same = playing?.entry === entry;
      stop();
      if (same) return;
      const { buffers } = await link.ask("listen", { row: entry.row.id }, { aside: true });
      stop();
      const address = URL.createObjectURL(new Blob([buffers[0]], { type: "audio/wav" }));
      const audio = new Audio(address);
      audio.addEventListener("ended", () => stop(entry));
      playing = { entry, at, audio, address };
      at.replaceChildren(icon("stop"));
      at.title = t("upload.listen_stop", { name: entry.row.name });
      at.setAttribute("aria-label", at.title);
      await audio.play();
    },
  };
}

export default { render };
