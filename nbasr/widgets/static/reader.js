// Reading along: the lines, what sounds in them, how sure the model was, what a running job adds.

import { button, h, icon } from "./dom.js";
import { createFollow } from "./follow.js";
import { createLineLayer } from "./linelayer.js";
import { createLines } from "./lines.js";
import { createReadJob } from "./readjob.js";

/**
 * @param frame of the panel
 * @param store of `createSegments`
 * @param {{view, player, transport}} sound
 * @returns {{element: HTMLElement, foot: HTMLElement, shading: HTMLElement, lines, follow}} `foot`: what
 *   is said of the whole; `shading`: the button for marks of confidence
 */
export function createReader(frame, store, { view, player, transport }) {
  const { t, say } = frame;
  const lines = createLines(frame, store, { view, player, transport });
  const follow = createFollow(frame, store, lines, { view, player, transport });
  const job = createReadJob(frame);
  createLineLayer(frame, store, lines, { view, player });
  let stick = true; // to the end, while a job adds lines there
  let seen = -1; // the current line, as we heard last

  const empty = h("div.nb-read-empty", { role: "note" }, t("read.loading"));
  lines.element.append(empty, follow.back);

  // -- How sure the model was -------------------------------------------------------------------

  const shading = button({ label: t("read.confidence"), pressed: true, onclick: () => shade(shading.ariaPressed !== "true") });
  shading.title = t("read.confidence_hint");
  const legend = h("span.nb-read-legend.nb-dim", { "aria-hidden": "true" },
    [[1, "< 80 %"], [2, "< 60 %"], [3, "< 40 %"]].map(([step, text]) => h("span", {}, h(`span.nb-doubt-${step}`, {}, text))),
    h("span.nb-read-doubted", {}, icon("warning"), t("read.doubtful")));
  const count = h("span.nb-dim.nb-time");
  const notes = h("span.nb-read-notes", { hidden: true }, icon("warning"), h("span"));
  const foot = h("div.nb-row.nb-read-foot", {}, count, notes, h("span.nb-spacer"), legend);

  function shade(is) {
    shading.setAttribute("aria-pressed", String(is));
    lines.element.classList.toggle("nb-unshaded", !is);
    legend.hidden = !is;
  }

  // -- What is shown ----------------------------------------------------------------------------

  function describe() {
    const { about, state } = store;
    const what = [t(store.count === 1 ? "read.count_1" : "read.count", { count: store.count.toLocaleString(t.language) })];
    if (about.model) what.push(about.model);
    if (about.language) what.push(about.language);
    count.textContent = what.join(" · ");
    const said = state.notes ?? [];
    notes.hidden = !said.length || Boolean(state.job);
    notes.lastChild.textContent = said.join(" · ");
    empty.hidden = store.count > 0;
    empty.textContent = t(state.job ? "read.none_yet" : "read.none");
    const unsure = store.hasScores;
    shading.hidden = !unsure;
    legend.hidden = !unsure || shading.ariaPressed !== "true";
    lines.element.classList.toggle("nb-with-speakers", store.speakers.length > 0);
  }

  store.on("change", () => {
    describe();
    if (store.state.job && stick) lines.reveal(store.count - 1);
  });
  function showState(state) {
    const before = !job.element.hidden;
    job.show(state.job);
    if (before && !state.job) {
      say(t("read.job_ended", { count: store.count }));
      if (stick && lines.current < 0 && store.count) lines.reveal(0); // now it is read from the start
    }
    lines.element.classList.toggle("nb-read-only", !store.editable);
    lines.scroller.setAttribute("aria-readonly", String(!store.editable));
    describe();
  }
  store.on("state", showState);
  if (store.version >= 0) showState(store.state);
  lines.on("scroll", () => (stick = lines.atEnd()));
  lines.on("current", (index) => {
    if (index !== seen) stick = lines.atEnd(); // somebody went to a line
    seen = index;
  });

  view.addKeys(lines.keys);
  view.addHelp(t("read.reading"), [
    ["↑ ↓", t("read.key_lines")], ["Shift ↑ ↓", t("read.key_several")], ["PgUp PgDn", t("read.key_page")],
    ["Ctrl Home End", t("read.key_ends")], ["← →", t("read.key_words")], ["Enter", t("read.key_play")],
    [t("read.key_click"), t("read.key_hear")],
  ]);
  store.ready.catch(() => (empty.textContent = t("read.unread")));

  return { element: h("div.nb-reader", {}, lines.element, job.element), foot, shading, lines, follow };
}
