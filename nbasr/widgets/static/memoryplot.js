// Memory over time as Plotly's figure: in a frame of its own, which needs neither network nor host.

import { h } from "./dom.js";
import { pageWide } from "./pagewide.js";

const REFRESH_MS = 5000;
const HEIGHT = 380; // CSS px

/**
 * @param frame the panel's
 * @param state of modelstate.js
 * @returns {{element: HTMLElement, isOpen: boolean, open: () => Promise, close: () => void}}
 */
export function createMemoryPlot(frame, state) {
  const { t, link, root, signal } = frame;
  const scripts = pageWide("plotly", () => ({ text: null })); // 5 MB: once for all panels of a page
  const waiting = h("p.nb-dim", { role: "status" }, t("models.figure_waiting"));
  const element = h("div.nb-memplot", { hidden: true });
  let view = null; // {iframe, address, timer}
  let wanted = 0;

  async function open() {
    close();
    const mine = (wanted += 1);
    element.hidden = false;
    element.replaceChildren(waiting);
    scripts.text ??= link.ask("plotly", {}, { aside: true }).then(({ buffers }) => new TextDecoder().decode(buffers[0]));
    let script;
    try {
      script = await scripts.text;
    } catch (error) {
      scripts.text = null;
      throw error;
    }
    const figure = await fetchFigure();
    if (mine !== wanted || signal.aborted) return;
    const address = URL.createObjectURL(new Blob([page(script)], { type: "text/html" }));
    const iframe = h("iframe.nb-memframe", {
      src: address, title: t("models.figure_frame"), sandbox: "allow-scripts allow-downloads", style: { height: `${HEIGHT}px` },
    });
    view = { iframe, address, timer: setInterval(() => state.shown && refresh(), REFRESH_MS) };
    iframe.addEventListener("load", () => show(figure), { once: true });
    element.replaceChildren(iframe);
  }

  async function fetchFigure() {
    const { buffers } = await link.ask("figure", { device: state.device?.device ?? "", language: t.language }, { aside: true });
    return new TextDecoder().decode(buffers[0]);
  }

  /** Give the frame a figure, in the panel's colours. */
  function show(figure) {
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(`--nb-${name}`).trim();
    const theme = { text: colour("text"), surface: style.backgroundColor, line: colour("line"), font: style.fontFamily };
    view?.iframe.contentWindow?.postMessage({ figure, theme }, "*"); // the frame's origin is none
  }

  function refresh() {
    const { iframe } = view ?? {};
    fetchFigure().then((figure) => iframe && view?.iframe === iframe && show(figure), () => {});
  }

  function close() {
    wanted += 1;
    element.hidden = true;
    element.replaceChildren();
    if (!view) return;
    clearInterval(view.timer);
    URL.revokeObjectURL(view.address);
    view = null;
  }

  frame.onrestyle(() => view && refresh());
  state.on("device", () => view && refresh());
  signal.addEventListener("abort", close);
  return {
    element,
    open,
    close,
    get isOpen() {
      return !element.hidden;
    },
  };
}

/** The page of the frame: the script, and what draws the figures that it is given. */
function page(script) {
  const draw = `
    addEventListener("message", ({ data }) => {
      const { data: traces, layout } = JSON.parse(data.figure);
      const { text, surface, line, font } = data.theme;
      document.body.style.background = surface;
      const axis = { gridcolor: line, linecolor: line, zerolinecolor: line };
      delete layout.template;
      Plotly.react("figure", traces, {
        ...layout, paper_bgcolor: surface, plot_bgcolor: surface, font: { color: text, family: font, size: 12 }, uirevision: 1,
        hoverlabel: { bgcolor: surface, font: { color: text } },
        xaxis: { ...layout.xaxis, ...axis }, yaxis: { ...layout.yaxis, ...axis }, autosize: true, height: undefined,
      }, { responsive: true, displaylogo: false });
    });`;
  const closed = script.replaceAll("</script", "<\\/script"); // it is text of a script, not its end
  return `<!doctype html><meta charset="utf-8"><style>html,body,#figure{margin:0;height:100%;overflow:hidden}</style>`
    + `<div id="figure"></div><script>${closed}<\/script><script>${draw}<\/script>`;
}
