// The row of controls under a waveform: play, skip, loop, speed, volume, and where we are.

import { button, h, icon, rebutton, select } from "./dom.js";
import { clockText, parseClock } from "./texts.js";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];
const SKIP = 5; // s
const BEFORE = 0.1; // of the screen is left of the playhead after a page was turned
const NEARLY = 0.05; // s before its end in which a selection counts as played
const SETTLED_MS = 200; // a selection that stands this long is what the loop goes on with

/**
 * Make the controls of a player and let the playhead of a view move with it.
 * @param frame of the panel
 * @param {{duration: number}} sound
 * @param player of `createPlayer`
 * @param view of `createWaveView`
 * @returns {{element: HTMLElement, keys: (event: KeyboardEvent) => boolean, toggle: () => void,
 *   playSelection: () => void, loop: boolean, follow: boolean}} `keys` is for `view.addKeys`;
 *   its rows of help are in the view's already
 */
export function createTransport(frame, sound, player, view) {
  const { t, signal } = frame;
  let loop = false;
  let fresh = false; // whether something was selected after the playhead was last put somewhere
  let follow = true;
  let shown = true; // whether the panel is on the screen
  let frameAsked = 0;
  let page = view.visible; // what was seen the last time, …
  let inside = true; // … and whether the playhead was within it
  let settling = 0;
  let told = ""; // by the clock
  let drawn = false; // whether the button says pause

  // -- Controls ---------------------------------------------------------------------------------

  const playButton = button({ label: t("play.play"), icon: "play", keys: "Space", onclick: toggle });
  const back = button({ label: t("play.back"), icon: "back", onclick: () => skip(-SKIP) });
  const forward = button({ label: t("play.forward"), icon: "forward", onclick: () => skip(SKIP) });
  const selected = button({
    label: t("play.selection"), icon: "selection", keys: "Enter", onclick: playSelection,
  });
  const loopButton = button({
    label: t("play.loop"), icon: "loop", keys: "L", pressed: false, onclick: () => setLoop(!loop),
  });
  const followButton = button({
    label: t("play.follow"), icon: "follow", keys: "F", pressed: true, onclick: () => setFollow(!follow),
  });
  const speed = select({
    label: t("play.speed"),
    choices: SPEEDS.map((value) => [String(value), `${value}×`]),
    value: "1",
    hidden: true,
    onchange: () => (player.speed = Number(speed.control.value)),
  });
  speed.control.title = `${t("play.speed")} (< >)`;
  speed.control.classList.add("nb-speed");
  const volume = h("input.nb-range.nb-volume", {
    type: "range", min: 0, max: 2, step: 0.05, value: player.volume, "aria-label": t("play.volume"),
    "aria-valuetext": percent(player.volume), title: t("play.volume"),
    oninput: () => (player.volume = Number(volume.value)),
  });
  const clock = h("button.nb-clock.nb-time", {
    type: "button", title: t("play.goto"), onclick: () => typeTime(),
  });
  const field = h("input.nb-input.nb-clockfield.nb-time", {
    type: "text", size: 9, "aria-label": t("play.time"), hidden: true, autocomplete: "off", spellcheck: "false",
  });
  const waiting = h("span.nb-dim", { hidden: true }, t("play.waiting"));
  const element = h("div.nb-row.nb-transport", { role: "group", "aria-label": t("play.controls") },
    h("span.nb-group", {}, back, playButton, forward),
    h("span.nb-group", {}, selected, loopButton, followButton),
    h("span.nb-clocks", {}, clock, field),
    speed.element,
    h("span.nb-field", {}, icon("volume"), volume),
    waiting,
  );
  clock.style.minWidth = `${2 * clockText(sound.duration).length + 4}ch`; // nothing moves as it counts
  Object.assign(element, { nbPlayer: player, nbView: view }); // for the console, and for tests

  // -- What they do -----------------------------------------------------------------------------

  function toggle() {
    if (player.playing) player.pause();
    else if (loop) playLoop(player.time());
    else if (fresh && view.selection) goOn(view.selection, player.time());
    else player.play();
  }

  /** Play what was selected, from where it was paused if that is inside. */
  function goOn({ start, stop }, at) {
    player.play({ start, stop, at: at > start && at < stop - NEARLY ? at : start });
  }

  function playSelection() {
    if (!view.selection) {
      player.play();
      return;
    }
    player.play({ ...view.selection, loop });
  }

  /** Loop the selection, or all if there is none, from where we are if that is inside. */
  function playLoop(at) {
    const region = view.selection ?? { start: 0, stop: sound.duration };
    player.play({ ...region, loop: true, at: Math.max(region.start, at) });
  }

  function setLoop(is) {
    loop = is;
    loopButton.setAttribute("aria-pressed", String(loop));
    if (!player.playing) return;
    if (loop) playLoop(player.time());
    else player.play({ start: player.time() });
  }

  function setFollow(is) {
    follow = is;
    followButton.setAttribute("aria-pressed", String(follow));
    if (follow) view.reveal(view.playhead);
    inside = follow;
    page = view.visible;
  }

  function skip(seconds) {
    player.seek(player.time() + seconds);
    view.reveal(player.time());
  }

  function faster(steps) {
    const at = SPEEDS.findIndex((value) => value >= player.speed);
    player.speed = SPEEDS[Math.min(Math.max((at < 0 ? SPEEDS.length : at) + steps, 0), SPEEDS.length - 1)];
    frame.say(t("play.speed_is", { speed: player.speed }));
  }

  function typeTime() {
    field.value = clockText(player.time());
    field.removeAttribute("aria-invalid");
    clock.hidden = true;
    field.hidden = false;
    field.focus();
    field.select();
  }

  function typed(back_) {
    clock.hidden = false;
    field.hidden = true;
    if (back_) clock.focus();
  }

  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      typed(true);
    } else if (event.key === "Enter") {
      const time = parseClock(field.value);
      if (Number.isNaN(time)) {
        field.setAttribute("aria-invalid", "true");
        frame.say(t("play.bad_time"));
        field.title = t("play.bad_time");
        return;
      }
      player.seek(time);
      view.reveal(player.time());
      typed(true);
    } else return;
    event.preventDefault();
  });
  field.addEventListener("blur", () => field.hidden || typed(false));

  // -- What is shown ----------------------------------------------------------------------------

  function update() {
    const { playing } = player;
    if (playing !== drawn) {
      drawn = playing;
      const name = playing ? "pause" : "play";
      rebutton(playButton, { label: t(`play.${name}`), icon: name, keys: "Space" });
    }
    waiting.hidden = !player.waiting;
    speed.control.value = String(player.speed);
    volume.setAttribute("aria-valuetext", percent(player.volume));
    ableSelected();
    show();
    run();
  }

  function ableSelected() {
    if (!view.selection && selected.matches(":focus")) view.focus(); // a disabled button loses it to the page
    selected.disabled = !view.selection;
  }

  /** Move the playhead, turn the page if it has left it, tell the time. */
  function show() {
    const time = player.time();
    view.playhead = time;
    const text = clockText(time);
    if (text !== told) {
      told = text;
      clock.textContent = `${text} / ${clockText(sound.duration)}`;
    }
    const { start, stop } = view.visible;
    const seen = time >= start && time <= stop;
    // Somebody who went to look at another place while it plays is not dragged away from there.
    const ours = page.start === start && page.stop === stop;
    if (player.playing && follow && inside && ours && !seen) {
      const span = stop - start;
      view.show(time - BEFORE * span, time + (1 - BEFORE) * span);
    } else inside = seen;
    page = view.visible;
  }

  function run() {
    if (frameAsked || !player.playing || !shown || signal.aborted) return;
    frameAsked = requestAnimationFrame(() => {
      frameAsked = 0;
      show();
      run();
    });
  }

  const screen = new IntersectionObserver((entries) => {
    shown = entries.at(-1).isIntersecting;
    if (shown && player.playing) show();
    run();
  });
  screen.observe(frame.root);
  for (const gesture of ["pointerdown", "keydown"]) {
    // Browsers let sound through only after one; the first click on play is heard at once then.
    frame.root.addEventListener(gesture, () => setTimeout(player.prepare), { signal, once: true, capture: true });
  }
  signal.addEventListener("abort", () => {
    screen.disconnect();
    cancelAnimationFrame(frameAsked);
    clearTimeout(settling);
  });

  player.on("state", update);
  player.on("problem", (error) => frame.fail(error.key ? new Error(t(error.key)) : error));
  view.on("seek", (time) => {
    fresh = false;
    player.seek(time);
  });
  view.on("selection", () => {
    fresh = true;
    ableSelected();
    clearTimeout(settling);
    if (!player.playing || !loop) return;
    settling = setTimeout(() => player.playing && loop && playLoop(player.time()), SETTLED_MS);
  });

  // -- Keys -------------------------------------------------------------------------------------

  const actions = {
    " ": toggle,
    Enter: playSelection,
    l: () => setLoop(!loop),
    f: () => setFollow(!follow),
    "<": () => faster(-1),
    ">": () => faster(1),
  };
  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "Enter" && event.shiftKey) return false; // runs the cell
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return false;
    if (!event.repeat || event.key === "<" || event.key === ">") action();
    return true;
  }
  view.addHelp?.(t("play.controls"), [
    ["Space", t("play.play_pause")],
    ["Enter", t("play.selection")],
    ["L", t("play.loop")],
    ["F", t("play.follow")],
    ["< >", t("play.slower_faster")],
  ]);

  update();
  return {
    element,
    keys,
    toggle,
    playSelection,
    get loop() {
      return loop;
    },
    set loop(is) {
      setLoop(is);
    },
    get follow() {
      return follow;
    },
    set follow(is) {
      setFollow(is);
    },
  };
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}
