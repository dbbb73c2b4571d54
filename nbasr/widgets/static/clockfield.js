// A field for a time in a recording: typed as 12.5 or 1:02.5, nudged by the arrow keys.

import { h } from "./dom.js";
import { clockText, parseClock } from "./texts.js";

const DIGITS = 2; // after the second
const NUDGE = 0.01; // s; ten times that with Shift

/**
 * @param {{label: string, value: number, least?: number, most: number, t: Function,
 *   onchange: (value: number) => void}} options `least` and `most`: the times that it takes
 * @returns {{element: HTMLInputElement, value: number}}
 */
export function clockField({ label, value, least = 0, most, t, onchange }) {
  let known = value;
  const field = h("input.nb-input.nb-clockfield.nb-time", {
    type: "text", "aria-label": label, title: label, autocomplete: "off", spellcheck: "false",
    style: { width: `${clockText(most, DIGITS).length + 3}ch` },
  });

  function show(to) {
    known = to;
    field.value = clockText(to, DIGITS);
    field.removeAttribute("aria-invalid");
    field.title = label;
  }

  function take(to) {
    const within = Math.min(Math.max(to, least), most);
    show(within);
    onchange(within);
  }

  function typed() {
    if (field.value === clockText(known, DIGITS)) return; // its last digits are not all of it
    const time = parseClock(field.value);
    if (!Number.isNaN(time)) return void take(time);
    field.setAttribute("aria-invalid", "true");
    field.title = t("play.bad_time");
  }

  field.addEventListener("change", typed);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(known);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      take(known + (event.key === "ArrowUp" ? 1 : -1) * NUDGE * (event.shiftKey ? 10 : 1));
    } else return;
    event.preventDefault();
  });
  show(value);
  return {
    element: field,
    get value() {
      return known;
    },
    set value(to) {
      if (!field.matches(":focus") || field.value === clockText(known, DIGITS)) show(to);
    },
  };
}
