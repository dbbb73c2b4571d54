// Elements and controls of all panels: made in one line, labelled, usable by keyboard.

/**
 * Make an element.
 * @param {string} tag such as "div" or "button.nb-primary"
 * @param {object} props attributes; `on…` are listeners, `style` an object, false and null left out
 * @param {...(Node|string|null|false)} children
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(element.style, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

const ICONS = {
  search: "M6.500 1a5.500 5.500 0 1 0 3.300 9.900l4 4 1.100-1.100-4-4A5.500 5.500 0 0 0 6.500 1zm0 1.500a4 4 0 1 1 0 8 4 4 0 0 1 0-8z",
  download: "M7.200 1.500h1.600v6.500l2.600-2.600L12.500 6.500 8 11 3.500 6.500l1.100-1.100 2.600 2.600zM2 10h1.600v3h8.800v-3H14v4.600H2z",
  split: "M7.250 1h1.500v14h-1.500zM1 7.250h2.200V5l3 3-3 3V8.750H1zM15 7.250h-2.200V5l-3 3 3 3V8.750H15z",
  merge: "M2 2h12v1.500H2zm0 10.500h12V14H2zM7.250 5h1.500v2.200H11L8 10.200l-3-3h2.250z",
  setstart: "M2 2h1.600v12H2zM9 3.500 4.800 8 9 12.500V9h5V7H9z",
  setstop: "M12.400 2H14v12h-1.600zM7 3.500 11.200 8 7 12.500V9H2V7h5z",
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  stop: "M3.5 3.5h9v9h-9z",
  loop: "M4 5h7V3l3 3-3 3V7H5v3H3V6zM12 11H5v2l-3-3 3-3v2h6V6h2v4z",
  zoomin: "M7 1.5a5.5 5.5 0 1 0 3.4 9.8l3.4 3.4 1-1-3.4-3.4A5.5 5.5 0 0 0 7 1.5zm0 1.5a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM6.3 4.5v1.8H4.5v1.4h1.8v1.8h1.4V7.700h1.8V6.300H7.700V4.500z",
  zoomout: "M7 1.5a5.5 5.5 0 1 0 3.4 9.8l3.4 3.4 1-1-3.4-3.4A5.5 5.5 0 0 0 7 1.5zm0 1.5a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4.5 6.300v1.400h5V6.300z",
  fit: "M1.500 3h1.500v10H1.500zM13 3h1.500v10H13zM6 5 3.500 8 6 11V8.800h4V11l2.500-3L10 5v2.200H6z",
  plus: "M7.200 2.500h1.600v4.700h4.700v1.600H8.800v4.700H7.200V8.800H2.500V7.200h4.700z",
  trash: "M6 1.500h4l.6 1H14V4H2V2.500h3.400zM3 5h10l-.8 9.500H3.800zm3 1.500.3 6.500h1L7 6.500zm3 0-.3 6.500h1l.3-6.500z",
  lock: "M8 1a3.500 3.500 0 0 0-3.500 3.500V7H3v8h10V7h-1.500V4.500A3.500 3.500 0 0 0 8 1zm0 1.500a2 2 0 0 1 2 2V7H6V4.500a2 2 0 0 1 2-2z",
  undo: "M6 2 1.500 6 6 10V7.200h3.500a2.400 2.400 0 0 1 0 4.800H5v1.600h4.500a4 4 0 0 0 0-8H6z",
  redo: "M10 2l4.500 4L10 10V7.200H6.500a2.400 2.400 0 0 0 0 4.800H11v1.600H6.500a4 4 0 0 1 0-8H10z",
  copy: "M5 1h9v11h-3v3H2V4h3zm1.500 1.500V4H11v6.500h1.500v-8zM3.500 5.500v8h6v-8z",
  mic: "M8 1a2.500 2.500 0 0 0-2.500 2.500v4a2.500 2.500 0 0 0 5 0v-4A2.500 2.500 0 0 0 8 1zM3 7h1.500a3.500 3.500 0 0 0 7 0H13a5 5 0 0 1-4.200 4.900V15H7.200v-3.100A5 5 0 0 1 3 7z",
  upload: "M8 1.500 12.500 6l-1.100 1.100-2.600-2.600V11H7.200V4.500L4.600 7.100 3.500 6zM2 10h1.600v3h8.800v-3H14v4.600H2z",
  folder: "M1 2.500h5l1.500 2H15v9.500H1zm1.500 1.500v8.500h11V6H6.800L5.300 4z",
  link: "M6.500 9.500a3 3 0 0 1 0-4.200l2-2a3 3 0 0 1 4.200 4.200l-1 1-1.100-1 1-1a1.500 1.500 0 0 0-2.100-2.200l-2 2a1.500 1.500 0 0 0 0 2.200zm3-3a3 3 0 0 1 0 4.200l-2 2a3 3 0 0 1-4.200-4.200l1-1 1.100 1-1 1a1.500 1.500 0 0 0 2.100 2.200l2-2a1.500 1.500 0 0 0 0-2.200z",
  close: "M3.600 2.500 8 6.900l4.400-4.400 1.100 1.100L9.100 8l4.400 4.400-1.100 1.100L8 9.100l-4.400 4.400-1.100-1.100L6.900 8 2.500 3.600z",
  check: "M6.300 12.500 1.800 8l1.200-1.200 3.300 3.300L13 3.500l1.200 1.200z",
  warning: "M8 1 15.500 14.500H.5zM7.200 6v4.500h1.600V6zm0 5.600v1.600h1.600v-1.600z",
  cut: "M7.250 1h1.500v2h-1.500zm0 3.200h1.500v7.600h-1.500zm0 8.800h1.500v2h-1.500zM2 7.250h3.500L4.200 6l1-1L8 8l-2.800 3-1-1 1.300-1.250H2zm12 0h-3.500L11.800 6l-1-1L8 8l2.800 3 1-1-1.300-1.250H14z",
  spectrogram: "M1 13h14v1.500H1zM2 9h2v3H2zm3.300-4h2v7h-2zm3.400 2h2v5h-2zM12 2h2v10h-2z",
  text: "M2 3h12v1.500H2zm0 4h12v1.500H2zm0 4h8v1.500H2z",
  left: "M10.500 2.500 5 8l5.500 5.500V2.500z",
  down: "M2.500 5.500 8 11l5.500-5.500z",
  hear: "M8 2a6 6 0 0 0-6 6v5.500h3.700V8.500H3.500V8a4.500 4.500 0 0 1 9 0v.5h-2.200v5H14V8a6 6 0 0 0-6-6z",
  right: "M5.500 2.500 11 8l-5.500 5.500V2.500z",
  back: "M8 3V.8L3.800 3.800 8 6.800V4.500a4 4 0 1 1-4 4H2.500A5.500 5.500 0 1 0 8 3z",
  forward: "M8 3V.8l4.200 3L8 6.800V4.500a4 4 0 1 0 4 4h1.500A5.500 5.500 0 1 1 8 3z",
  selection: "M1.500 2H3v12H1.500zM13 2h1.500v12H13zM5.500 4v8l5.500-4z",
  edit: "M11.300 1.700a1.500 1.500 0 0 1 2.100 0l.9.9a1.500 1.500 0 0 1 0 2.100l-8.600 8.600-4 1 1-4zm-.4 2.500L4.100 11l-.3 1.200 1.200-.3 6.800-6.800z",
  follow: "M7.250 1.500h1.500v13h-1.500zM1 7.250h2.500V5L6 8l-2.500 3V8.750H1zM10 7.250h2.500V5L15 8l-2.500 3V8.750H10z",
  volume: "M2 6h2.500L8.500 2.500v11L4.500 10H2zM10 5.200a3.500 3.500 0 0 1 0 5.600zM10.500 2.400a6 6 0 0 1 0 11.200v-1.600a4.500 4.500 0 0 0 0-8z",
  help: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11zM8 4a2.300 2.300 0 0 0-2.300 2.300h1.500a.8.8 0 1 1 1.400.6c-.8.600-1.400 1-1.400 2.100v.3h1.500v-.2c0-.4.3-.6.8-1A2.300 2.300 0 0 0 8 4zM7.200 10.300h1.600v1.600H7.200z",
};

/** An icon of 16 × 16; decoration, hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("nb-icon");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

/**
 * A button with an icon, a text, or both; an icon alone still has its label.
 * @param {{label: string, icon?: string, keys?: string, showLabel?: boolean, onclick: Function,
 *   primary?: boolean, pressed?: boolean|null}} options `pressed` makes it a toggle
 */
export function button({ label, icon: name, keys = "", showLabel = !name, onclick, primary = false, pressed = null }) {
  const title = keys ? `${label} (${keys})` : label;
  const made = h(
    "button.nb-button",
    {
      type: "button",
      title,
      "aria-label": showLabel ? null : label,
      "aria-keyshortcuts": keys || null,
      "aria-pressed": pressed === null ? null : String(pressed),
      onclick,
    },
    name ? icon(name) : null,
    showLabel ? h("span", {}, label) : null,
  );
  if (primary) made.classList.add("nb-primary");
  return made;
}

/** Change the icon and label of a button that `button` made. */
export function rebutton(made, { label, icon: name, keys = "" }) {
  made.querySelector(".nb-icon")?.replaceWith(icon(name));
  made.title = keys ? `${label} (${keys})` : label;
  if (made.hasAttribute("aria-label")) made.setAttribute("aria-label", label);
  else made.querySelector("span").textContent = label;
}

/** Disable a control, or not; what has the focus hands it on: the next keys would be the notebook's. */
export function disable(control, off, instead) {
  if (off && control.matches(":focus")) instead.focus();
  control.disabled = off;
}

let labels = 0;

/** A control with its label before it; `control` gets an id if it has none. */
export function labelled(text, control, { hidden = false } = {}) {
  if (!control.id) control.id = `nb-${(labels += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  const label = h("label.nb-label", { for: control.id }, text);
  if (hidden) label.classList.add("nb-unseen");
  return h("div.nb-field", {}, label, control);
}

/**
 * A slider with its label and, beside it, its value with unit as a number field.
 * @param {{label: string, min: number, max: number, step: number, value: number, unit: string,
 *   hint?: string, oninput: (value: number) => void}} options
 * @returns {{element: HTMLElement, value: number, disabled: boolean}}
 */
export function slider({ label, min, max, step, value, unit, hint = "", oninput }) {
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const range = h("input.nb-range", { type: "range", min, max, step, value });
  const number = h("input.nb-number", {
    type: "number", min, max, step, value, "aria-label": unit ? `${label}, ${unit}` : label,
  });
  const show = (to) => {
    range.value = to;
    number.value = Number(to).toFixed(digits);
  };
  range.addEventListener("input", () => {
    number.value = Number(range.value).toFixed(digits);
    oninput(Number(range.value));
  });
  number.addEventListener("change", () => {
    const typed = number.value === "" ? NaN : Number(number.value);
    if (Number.isFinite(typed)) {
      show(Math.min(Math.max(typed, min), max));
      oninput(Number(number.value));
    } else show(range.value);
  });
  const element = labelled(label, range);
  element.classList.add("nb-slider");
  if (hint) element.title = hint;
  element.append(h("span.nb-value", {}, number, h("span.nb-unit", { "aria-hidden": "true" }, unit)));
  show(value);
  return {
    element,
    get value() {
      return Number(range.value);
    },
    set value(to) {
      show(to);
    },
    set disabled(off) {
      range.disabled = number.disabled = off;
      element.classList.toggle("nb-off", off);
    },
  };
}

/** A list to choose one from. `choices`: [value, text] pairs. */
export function select({ label, choices, value, onchange, hidden = false }) {
  const made = h("select.nb-select", { onchange: () => onchange(made.value) },
    choices.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
  return { element: labelled(label, made, { hidden }), control: made };
}

/** Where a panel tells screen readers what has changed. */
export function announcer() {
  const element = h("div.nb-unseen", { role: "status", "aria-live": "polite" });
  return { element, say: (text) => (element.textContent = text) };
}

/**
 * Where a panel tells what went wrong, until it is dismissed.
 * @returns {{element: HTMLElement, show: (error: Error|string) => void, clear: () => void}}
 */
export function problemBar(t) {
  const element = h("div.nb-problem", { role: "alert", hidden: true });
  const clear = () => {
    element.hidden = true;
    element.replaceChildren();
  };
  const show = (error) => {
    if (error?.name === "AbortError") return; // the panel went away, nothing is wrong
    const trace = error?.trace;
    element.replaceChildren(
      icon("warning"),
      h("div", {}, h("span", {}, String(error?.message ?? error)),
        trace ? h("details", {}, h("summary", {}, t("panel.details")), h("pre", {}, trace)) : null),
      button({ label: t("panel.dismiss"), icon: "close", onclick: clear }),
    );
    element.hidden = false;
  };
  return { element, show, clear };
}
