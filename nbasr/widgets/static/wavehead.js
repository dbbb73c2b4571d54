// The title row of a recording: its name, what there is to say of it, what is wrong with it.

import { h, icon } from "./dom.js";
import { clockText } from "./texts.js";

/**
 * @param {{name: string, problems: string[], sample_rate: number, channels: number, codec: string, level_db: number,
 *   peak_db: number, silence: number}} about
 * @returns {{element: HTMLElement, described: string}} `described`: the text alternative
 */
export function createHead(frame, sound, about) {
  const { t } = frame;
  const db = (value) => (value < -99.5 ? "−∞" : Math.round(value).toString().replace("-", "−"));
  const length = clockText(sound.duration, sound.duration < 60 ? 1 : 0);
  const channels = { 1: t("wave.channels_1"), 2: t("wave.channels_2") }[about.channels]
    ?? t("wave.channels", { number: about.channels });
  const facts = [length, `${about.sample_rate / 1000} kHz`, channels, about.codec].filter(Boolean);
  const levels = [
    [t("wave.level", { db: db(about.level_db) }), t("wave.level_hint")],
    [t("wave.peak", { db: db(about.peak_db) }), t("wave.peak_hint")],
    [t("wave.floor", { db: db(sound.noiseFloorDb) }), t("wave.floor_hint")],
    [t("wave.silence", { percent: Math.round(100 * about.silence) }), t("wave.silence_hint")],
  ];
  const element = h("div.nb-wavehead", {},
    h("div.nb-row", {},
      h("span.nb-title", { title: about.name }, about.name),
      h("span.nb-dim.nb-time", {}, facts.join(" · ")),
      h("span.nb-spacer"),
      h("span.nb-dim.nb-facts", {}, levels.map(([text, hint]) => h("span", { title: hint }, text)))),
    about.problems.map((problem) => h("div.nb-warned", {}, icon("warning"), `${about.name} ${problem}`)));
  const described = t("wave.described", {
    length, level: db(about.level_db), peak: db(about.peak_db), percent: Math.round(100 * about.silence),
  });
  return { element, described };
}
