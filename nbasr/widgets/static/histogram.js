// How long the chunks are: bars over seconds with the shortest, target and longest length marked.

import { h } from "./dom.js";

/**
 * @param {(key: string, values?: object) => string} t
 * @returns {{element: HTMLElement, show: (histogram: {edges: number[], counts: number[]},
 *   marks: {min: number|null, target: number|null, max: number}) => void}}
 */
export function createHistogram(t) {
  const bars = h("div.nb-histogram-bars", {});
  const marks = h("div.nb-histogram-marks", {});
  const axis = h("div.nb-histogram-axis", {});
  const drawing = h("div.nb-histogram-drawing", { "aria-hidden": "true" }, bars, marks, axis);
  const element = h("div.nb-histogram", { role: "img" }, drawing);

  function show({ edges, counts }, { min, target, max }) {
    const end = Math.max(edges.at(-1) ?? 0, max, 0.1) * 1.04;
    const most = Math.max(...counts, 1);
    const share = (seconds) => `${(100 * seconds) / end}%`;
    bars.replaceChildren(
      ...counts.map((count, at) => {
        const [from, to] = [edges[at], edges[at + 1]];
        const bar = h("span.nb-bar", {
          title: t("tuner.histogram_bar", { count, from: tidy(from), to: tidy(to) }),
          style: { left: share(from), width: share(to - from), height: `${(100 * count) / most}%` },
        });
        if (!count) bar.classList.add("nb-none");
        return bar;
      }),
    );
    const told = [["min", min], ["target", target], ["max", max]].filter(([, at]) => at > 0);
    marks.replaceChildren(...told.map(([name, at]) => {
      const mark = h("span.nb-mark", { style: { left: share(at) } },
        h("span", {}, `${t(`tuner.mark_${name}`)} ${tidy(at)}`));
      mark.classList.add(`nb-mark-${name}`);
      return mark;
    }));
    const step = tidyStep(end / 5);
    const ticks = Array.from({ length: Math.floor((0.95 * end) / step) + 1 }, (_, at) => at * step);
    axis.replaceChildren(...ticks.map((at) => h("span", { style: { left: share(at) } },
      at ? tidy(at) : "0")), h("span.nb-axis-unit", {}, "s"));
    element.setAttribute("aria-label", described(edges, counts));
  }

  function described(edges, counts) {
    const parts = counts.flatMap((count, at) =>
      count ? [t("tuner.histogram_bar", { count, from: tidy(edges[at]), to: tidy(edges[at + 1]) })] : []);
    return `${t("tuner.histogram")}: ${parts.join(", ") || t("tuner.none")}`;
  }

  return { element, show };
}

/** Seconds with no more digits than they need. */
function tidy(seconds) {
  return String(Number(seconds.toFixed(seconds < 10 ? 1 : 0)));
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function tidyStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((times) => times * power >= least - 1e-9);
}
