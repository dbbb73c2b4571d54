// Whether the host is light or dark, now and when it changes; the style sheet does the rest.

/**
 * Keep `data-theme` of a panel's root as its surroundings are.
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 * @param {() => void} onchange called after each change: canvases must be drawn anew
 */
export function followTheme(root, signal, onchange) {
  const update = () => {
    const theme = isDark(root) ? "dark" : "light";
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    onchange();
  };
  const later = () => requestAnimationFrame(update);
  const observer = new MutationObserver(later);
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, { attributes: true });
  }
  // JupyterLab exchanges its style sheet, and says so before the new one is read.
  observer.observe(document.head, { childList: true });
  document.head.addEventListener("load", later, { capture: true, signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later, { signal });
  signal.addEventListener("abort", () => observer.disconnect());
  update();
  later(); // once it is in the page: only then is there something behind it
}

/** The colours of the style sheet, by name without its prefix: `wave` for `--nb-wave`. */
export function themeColours(root, names) {
  const style = getComputedStyle(root);
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--nb-${name}`).trim()]));
}

/** Whether the first surface behind an element is dark. */
function isDark(element) {
  const hosts = document.body.dataset;
  if (hosts.jpThemeLight !== undefined) return hosts.jpThemeLight === "false";
  if (hosts.vscodeThemeKind !== undefined) return /dark|high-contrast$/.test(hosts.vscodeThemeKind);
  for (let at = above(element); at; at = above(at)) {
    const [red, green, blue, alpha = 1] = channels(getComputedStyle(at).backgroundColor);
    if (alpha < 0.5) continue;
    return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** What an element stands in, out of a shadow tree too: some hosts put each panel into one. */
function above(element) {
  return element.parentElement ?? element.getRootNode().host;
}

/** Red, green, blue in 0..255 and alpha in 0..1 of a colour, whatever space it is told in. */
function channels(colour) {
  if (colour.startsWith("rgb")) return colour.match(/[\d.]+/g).map(Number);
  const ctx = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  ctx.fillStyle = colour;
  ctx.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = ctx.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}
