// Have lines transcribed once more, by another model; see both texts side by side, take one.

import { button, disable, h, icon } from "./dom.js";
import { diffNodes } from "./diffview.js";
import { clockText } from "./texts.js";

/**
 * @param frame of the panel
 * @param {{store, lines, view, player}} parts
 * @returns {{element: HTMLElement, open: () => void, close: () => void, isOpen: boolean}}
 */
export function createAgain(frame, { store, lines, player }) {
  const { t, say, guard, link } = frame;
  let loaded = false;
  let running = null; // {first, last, start, stop} while the model listens

  const choice = h("select.nb-select", { "aria-label": t("edit.again_model") });
  const what = h("span", {});
  const start = button({ label: t("edit.again"), icon: "hear", showLabel: true, primary: true, onclick: guard(run) });
  const stop = button({ label: t("edit.again_stop"), icon: "stop", showLabel: true, onclick: guard(() => link.ask("stop_again")) });
  const close_ = button({ label: t("edit.again_close"), icon: "close", keys: "Esc", onclick: close });
  const meter = h("progress.nb-meter", { max: 1, "aria-label": t("edit.again_running"), hidden: true });
  const told = h("p.nb-told", { "aria-live": "polite", hidden: true });
  const cards = h("div.nb-proposals", {});
  const element = h("section.nb-again.nb-below", { "aria-label": t("edit.again"), hidden: true, onkeydown: (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  } },
    h("div.nb-row", {}, what, h("span.nb-spacer"), choice, start, stop, close_), meter, told, cards);
  stop.hidden = true;

  const models = guard(async () => {
    if (loaded) return;
    const { data } = await link.ask("models", { language: t.language }, { aside: true });
    choice.replaceChildren(...data.choices.map(([name, text]) => h("option", { value: name }, text)));
    if (data.chosen) choice.value = data.chosen;
    if (choice.selectedIndex < 0) choice.selectedIndex = 0;
    loaded = true;
    show();
  });

  function show() {
    const { first, last } = lines.selection ?? { first: -1, last: -1 };
    const some = first >= 0 && last < store.count;
    what.textContent = !some ? t("edit.again_none") : first === last
      ? t("edit.again_line", { line: first + 1 }) : t("edit.again_lines", { first: first + 1, last: last + 1 });
    const off = !some || running !== null || !store.editable;
    if (running) start.disabled = true; // Stop takes its place, and the focus
    else disable(start, off, choice);
  }

  async function run() {
    if (start.disabled) return;
    await models();
    if (!loaded || running) return; // said what is wrong
    const { first, last } = lines.selection;
    const ids = [];
    for (let i = first; i <= last; i += 1) ids.push(store.at(i).id);
    running = { first, last, ids, old: ids.map((id) => store.at(store.indexOf(id)).text).join(" ") };
    const span = { start: store.at(first).start, stop: store.at(last).stop };
    busy(true);
    try {
      const { data } = await link.ask("retranscribe", { first, last, model: choice.value, language: t.language }, { aside: true });
      const heard = textOf(data);
      if (data.complete === false && !heard) tell((data.notes ?? []).join(" ") || t("edit.again_stopped"));
      else offer(data, { ...running, span });
    } catch (error) {
      if (error.name === "AbortError") return;
      tell(error.message, true);
    } finally {
      running = null;
      busy(false);
    }
  }

  function busy(is) {
    const had = is ? start.matches(":focus") : stop.matches(":focus");
    stop.hidden = !is;
    start.hidden = is;
    choice.disabled = is;
    meter.hidden = !is;
    meter.removeAttribute("value");
    if (is) tell(t("edit.again_running"));
    else if (told.textContent === t("edit.again_running")) told.hidden = true;
    show();
    if (had) (is ? stop : start).focus();
  }

  function tell(text, bad = false) {
    told.hidden = !text;
    told.replaceChildren(...(bad ? [icon("warning")] : []), text);
    told.className = bad ? "nb-told nb-bad nb-row" : "nb-told";
    if (text) element.scrollIntoView({ block: "nearest" });
  }

  link.on("again", ({ state, done, total, text }) => {
    if (!running) return;
    if (total) Object.assign(meter, { max: total, value: done });
    tell(text || t(state === "loading" ? "edit.again_loading" : state === "waiting" ? "edit.again_waiting" : "edit.again_running"));
  });

  function offer(data, { first, last, ids, old, span }) {
    told.hidden = true;
    const heard = textOf(data);
    const same = heard.trim() === old.trim();
    const accept = button({ label: t("edit.accept"), icon: "check", showLabel: true, primary: true, onclick: guard(async () => {
      const { focus } = await store.edit("replace", { id: ids[0], count: ids.length, proposal: data.proposal });
      card.remove();
      if (focus >= 0) lines.select(focus, { reveal: true });
      say(t("edit.was_accepted"));
      if (cards.childElementCount) cards.querySelector(".nb-primary")?.focus();
      else close();
    }) });
    const keep = button({ label: t("edit.keep"), showLabel: true, onclick: () => {
      card.remove();
      start.focus();
    } });
    const lang = data.language ?? store.about?.language ?? "";
    const card = h("div.nb-card.nb-proposal", { role: "group", "aria-label": t("edit.proposal", { model: data.model }) },
      h("div.nb-row", {},
        h("strong", {}, first === last ? t("edit.line", { line: first + 1 }) : t("edit.lines", { first: first + 1, last: last + 1 })),
        h("span.nb-dim.nb-time", {}, `${clockText(span.start)} – ${clockText(span.stop)}`),
        h("span.nb-dim", {}, [data.model, data.seconds ? t("tuner.took", { seconds: data.seconds.toFixed(1) }) : "",
          ...(data.notes ?? [])].filter(Boolean).join(" · ")),
        h("span.nb-spacer"),
        button({ label: t("edit.hear_lines"), icon: "play", onclick: () => player.play(span) }), keep, accept),
      h("div.nb-sides", {},
        h("div", {}, h("div.nb-dim", {}, t("edit.side_now")), h("p.nb-text", { lang, dir: "auto" }, diffNodes(old, heard, "before"))),
        h("div", {}, h("div.nb-dim", {}, t("edit.side_new")), h("p.nb-text", { lang, dir: "auto" },
          heard ? diffNodes(old, heard, "after") : h("span.nb-dim", {}, t("edit.heard_nothing"))))),
      same ? h("p.nb-dim", {}, t("edit.same_text")) : null);
    cards.prepend(card);
    card.scrollIntoView({ block: "nearest" });
    accept.focus({ preventScroll: true });
    say(`${t("edit.proposal", { model: data.model })}: ${heard || t("edit.heard_nothing")}`);
  }

  function open() {
    const again = !element.hidden;
    element.hidden = false;
    models();
    show();
    if (again && start.matches(":focus")) return;
    element.scrollIntoView({ block: "nearest" });
    (running ? stop : start.disabled ? choice : start).focus();
  }

  function close() {
    element.hidden = true;
    lines.focus();
  }

  lines.on("selection", show);
  store.on("change", show);
  store.on("state", show);
  return {
    element, open, close,
    get isOpen() {
      return !element.hidden;
    },
  };
}

function textOf({ text, segments = [] }) {
  return text || segments.map((one) => one[2]).join(" ");
}
