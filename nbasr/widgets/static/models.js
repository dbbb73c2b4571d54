// The model panel: the memory of a device, the models that are loaded, and those that can be.

import { button, h, select } from "./dom.js";
import { createFrame } from "./frame.js";
import { createMemoryBar } from "./memorybar.js";
import { createMemoryPlot } from "./memoryplot.js";
import { createMemoryStrip } from "./memorystrip.js";
import { createModelDetails } from "./modeldetails.js";
import { createModelList } from "./modellist.js";
import { createModelLoad } from "./modelload.js";
import { createLoadedModels } from "./modelloaded.js";
import { createModelReport } from "./modelreport.js";
import { createModelState } from "./modelstate.js";

function render(context) {
  const frame = createFrame(context, { kind: "models", title: "models.title" });
  const { t, link, guard } = frame;
  const state = createModelState(frame, context.model);
  let catalogue = [];
  let asked = 0;

  // -- Memory --

  const devices = select({ label: t("models.device"), choices: [], value: "", onchange: (value) => state.choose(value) });
  devices.element.hidden = true;
  const named = h("span.nb-dim.nb-devicename");
  const bar = createMemoryBar(frame, state);
  const strip = createMemoryStrip(frame, state);
  const plot = createMemoryPlot(frame, state);
  const over = button({ label: t("models.over_time"), icon: "spectrogram", showLabel: true, pressed: false, onclick: guard(() => turn()) });
  const clean = button({ label: t("models.clean"), onclick: guard(() => cleanUp()) });
  clean.title = t("models.clean_hint");
  const memory = h("section.nb-memorypart", { "aria-label": t("models.over_time") },
    h("div.nb-row.nb-memhead", {}, h("h3.nb-heading", {}, t("models.title")), devices.element, named, h("span.nb-spacer"), bar.form, clean),
    bar.element, bar.note,
    h("div.nb-memrow", {}, strip.element, over), plot.element);

  async function turn() {
    const opening = !plot.isOpen;
    over.setAttribute("aria-pressed", String(opening));
    if (!opening) plot.close();
    else {
      try {
        await plot.open();
      } catch (error) {
        plot.close();
        over.setAttribute("aria-pressed", "false");
        throw error;
      }
    }
  }

  async function cleanUp() {
    clean.disabled = true;
    try {
      const { data } = await link.ask("clean", { language: t.language }, { aside: true });
      state.apply(data);
      report.show(data.report);
    } finally {
      clean.disabled = false;
    }
  }

  // -- Loaded --

  const report = createModelReport(frame, { onclose: () => list.focus() });
  const loaded = createLoadedModels(frame, state, { onreport: report.show, onempty: () => list.focus() });
  const loading = createModelLoad(frame, state, { onend: () => details.focus(), onloaded: guard(() => look()) });

  // -- To load --

  const details = createModelDetails(frame, state, {
    rowsOf: () => catalogue,
    onload: guard((row, variant) => loading.start({
      name: row.known ? row.name : row.source, dtype: variant?.dtype ?? "", quantization: variant?.quantization ?? "", device: row.device,
    })),
  });
  const list = createModelList(frame, state, {
    onchoose: (row) => details.show(row),
    onenter: () => details.focus(),
    ontyped: guard(async (name) => {
      const { data } = await link.ask("about", { name, device: state.device?.device ?? "" }, { aside: true });
      list.add(data.row);
    }),
  });
  const looking = h("div.nb-dim", { role: "status" }, t("models.looking"));
  const choice = h("section.nb-choosing", { "aria-label": t("models.catalogue") },
    h("h3.nb-heading", {}, t("models.catalogue")), looking, h("div.nb-choosegrid", {}, list.element, details.element));
  list.element.hidden = true;

  /** Ask which models there are; what is here changes with each download. */
  async function look() {
    const mine = (asked += 1);
    const { data } = await link.ask("catalogue", { device: context.model.get("device"), language: t.language }, { aside: true });
    if (mine !== asked) return;
    catalogue = data.rows;
    looking.hidden = true;
    list.element.hidden = false;
    list.show(data.rows);
  }

  state.on("device", guard(() => look()));
  state.on("report", report.show);
  state.on("change", () => {
    const { device, now } = state;
    if (!device) return;
    named.textContent = `${device.device === "cpu" ? t("models.main_memory") : device.device}${device.name ? ` · ${device.name}` : ""}`;
    named.hidden = now.devices.length > 1;
    devices.element.hidden = now.devices.length < 2;
    const options = JSON.stringify(now.devices.map((one) => [one.device, one.name]));
    if (devices.control.dataset.options !== options) {
      devices.control.dataset.options = options;
      devices.control.replaceChildren(...now.devices.map((one) => h("option", { value: one.device },
        one.name ? t("models.device_named", { device: one.device, name: one.name }) : one.device)));
    }
    devices.control.value = device.device;
  });

  frame.body.addEventListener("keydown", (event) => event.key === "Escape" && !event.defaultPrevented && report.close());
  frame.body.append(memory, loaded.element, report.element, loading.element, choice);
  guard(look)();
  return frame.end;
}

export default { render };
