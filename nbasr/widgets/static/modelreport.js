// What an unload or a clean-up gave back: before and after, what stays, and who still holds what.

import { button, h, icon } from "./dom.js";
import { sizeText } from "./texts.js";

/**
 * @param frame the panel's
 * @param {{onclose: () => void}} on `onclose`: it had the focus
 * @returns {{element: HTMLElement, show: (report: object) => void, close: () => void}}
 */
export function createModelReport(frame, { onclose }) {
  const { t, guard, say } = frame;
  const element = h("section.nb-report", { hidden: true });

  function close() {
    const had = element.matches(":focus-within");
    element.hidden = true;
    element.replaceChildren();
    if (had) onclose();
  }

  function show(report) {
    const title = titleOf(report);
    element.setAttribute("aria-label", title);
    element.replaceChildren(
      h("div.nb-row", {}, icon(report.held_bytes ? "warning" : "check"), h("b", {}, title), h("span.nb-spacer"),
        button({ label: t("panel.dismiss"), icon: "close", onclick: close })),
      ...(report.names.length || report.cleaned ? changes(report) : []),
      ...(report.residue ? [h("p.nb-dim", {}, t("models.report_residue", { size: sizeText(report.residue) }))] : []),
      ...held(report));
    element.classList.toggle("nb-stillheld", report.held_bytes > 0);
    element.hidden = false;
    say([title, ...[...element.querySelectorAll("tbody td:last-child, p")].map((one) => one.textContent)].join(" "));
  }

  function titleOf(report) {
    if (report.cleaned) return t("models.report_cleaned");
    if (!report.names.length) return t("models.report_nothing");
    const names = t("models.report_unloaded", { names: report.names.join(", ") });
    return report.model_bytes ? `${names} · ${t("models.report_weights", { size: sizeText(report.model_bytes) })}` : names;
  }

  function changes(report) {
    const rows = [[t("models.report_process"), report.before, report.after]];
    if (report.cuda_before !== null && report.cuda_after !== null) rows.push([t("models.report_cuda"), report.cuda_before, report.cuda_after]);
    return [h("table.nb-changes", {}, h("tbody", {}, rows.map(([name, before, after]) => {
      const freed = before - after;
      const says = freed >= 0 ? t("models.report_freed", { size: sizeText(freed) }) : t("models.report_grew", { size: sizeText(-freed) });
      return h("tr", {}, h("th", { scope: "row" }, name),
        h("td.nb-time", {}, t("models.report_change", { before: sizeText(before), after: sizeText(after) })), h("td.nb-time", {}, says));
    })))];
  }

  function held(report) {
    if (!report.holders.length) {
      if (report.held_bytes) return [h("p", {}, t("models.report_held_restart", { size: sizeText(report.held_bytes) }))];
      return report.names.length ? [h("p.nb-dim", {}, t("models.report_free"))] : [];
    }
    const head = report.held_bytes ? t("models.report_held", { size: sizeText(report.held_bytes) })
      : t(report.names.length ? "models.report_pointed" : "models.report_tensors");
    return [h("p", {}, head), h("ul.nb-holders", {}, report.holders.map(({ where, frees }) =>
      h("li", {}, t("models.report_where", { where }), " ", h("code", {}, frees),
        button({ label: `${t("models.copy")}: ${frees}`, icon: "copy", onclick: guard(async () => {
          await navigator.clipboard.writeText(frees);
          say(t("models.copied"));
        }) }))))];
  }

  return { element, show, close };
}
