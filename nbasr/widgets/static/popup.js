// A box that a button opens under itself: closed by Escape, and by going elsewhere.

/**
 * @param {HTMLButtonElement} opener
 * @param {HTMLElement} box
 * @param {{onopen?: () => void, onclose?: () => void}} options
 * @returns {{open: () => void, close: (back?: boolean) => void, isOpen: boolean}}
 */
export function createPopup(opener, box, { onopen = () => {}, onclose = () => {} } = {}) {
  box.id ||= `nb-popup-${Math.random().toString(36).slice(2, 8)}`;
  box.hidden = true;
  opener.setAttribute("aria-expanded", "false");
  opener.setAttribute("aria-controls", box.id);

  function open() {
    onopen();
    box.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    box.querySelector("button:not(:disabled), input, select")?.focus();
  }

  function close(back = false) {
    if (box.hidden) return;
    const inside = box.matches(":focus-within");
    box.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    onclose();
    if (inside || back) opener.focus();
  }

  box.addEventListener("focusout", ({ relatedTarget: to }) => {
    if (to && to !== opener && !box.contains(to)) close(); // Tab went on
  });
  opener.addEventListener("click", () => (box.hidden ? open() : close()));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(true);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (event.target.closest("input, select, textarea")) return;
      const all = [...box.querySelectorAll("button:not(:disabled)")];
      all[(all.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return {
    open,
    close,
    /** Close it if something outside was pressed. */
    pressed: (event) => box.contains(event.target) || opener.contains(event.target) || close(),
    get isOpen() {
      return !box.hidden;
    },
  };
}
