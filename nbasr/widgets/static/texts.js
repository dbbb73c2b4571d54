// What panels say: the catalogue in the language of the setting, else of the browser.

import TEXTS from "./texts.json" with { type: "json" };

/**
 * Return a function from a key and values to a text.
 * @param {string} chosen language code, or "" for the browser's
 */
export function createTexts(chosen) {
  const wanted = chosen ? [chosen] : (navigator.languages ?? [navigator.language]);
  const codes = wanted.map((code) => code.toLowerCase().split("-")[0]);
  const language = codes.find((code) => code === "en" || code === "zh") ?? "en";
  const t = (key, values = {}) => {
    const text = TEXTS[key]?.[language];
    if (text === undefined) throw new Error(`The catalogue has no text ${key}`);
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
  };
  t.language = language;
  t.has = (key) => key in TEXTS;
  return t;
}

/** 0:07.3, 12:05.0 or 1:02:03.0: a time in a recording, to the tenth or as many digits as told. */
export function clockText(seconds, digits = 1) {
  const unit = 10 ** digits;
  const ticks = Math.round(Math.max(seconds, 0) * unit);
  const whole = Math.floor(ticks / unit);
  const rest = digits ? `.${String(ticks % unit).padStart(digits, "0")}` : "";
  const s = String(whole % 60).padStart(2, "0");
  const m = Math.floor(whole / 60) % 60;
  const h = Math.floor(whole / 3600);
  return h ? `${h}:${String(m).padStart(2, "0")}:${s}${rest}` : `${m}:${s}${rest}`;
}

/** Seconds that somebody typed: 12.5, 1:02.5 or 1:02:03; NaN if it is none. */
export function parseClock(text) {
  const parts = text.trim().split(/[:：]/); // a Chinese keyboard writes the wide one
  if (parts.length > 3 || parts.some((part) => !/^\d+(\.\d*)?$|^\.\d+$/.test(part.trim()))) {
    return NaN;
  }
  return parts.reduce((total, part) => total * 60 + Number(part), 0);
}

/** 1.2 MB: bytes in powers of 1000. */
export function sizeText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 999.5 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${unit > 1 && bytes < 9.95 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}
