// What the keys do in a waveform itself; panels add theirs in front.

const MARGIN = 0.05; // of the screen is left beside a selection that is zoomed to
const STEPS = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60]; // s; what an arrow key moves by

/** The round step that is a fiftieth of what is seen, or less. */
export function arrowStep({ start, stop }) {
  return STEPS.findLast((step) => step <= (stop - start) / 50) ?? STEPS[0];
}

/** Return a handler of key events. */
export function waveKeys(view) {
  let anchor = null; // where a selection by keys began

  function move(to, extend) {
    if (extend) {
      anchor ??= anchorOf();
      view.seek(to);
      view.select(anchor, view.playhead, "keys");
    } else {
      anchor = null;
      view.seek(to);
    }
    view.reveal(view.playhead);
  }

  /** Where Shift+arrow goes on from: the other edge of a selection that the playhead bounds. */
  function anchorOf() {
    const { selection, playhead } = view;
    if (selection && Math.abs(selection.stop - playhead) < 1e-6) return selection.start;
    if (selection && Math.abs(selection.start - playhead) < 1e-6) return selection.stop;
    return playhead;
  }

  return (event) => {
    const { key, shiftKey: extend } = event;
    const far = event.ctrlKey || event.metaKey;
    if (event.altKey) return false;
    const step = far ? view.visible.stop - view.visible.start : arrowStep(view.visible);
    if (key === "ArrowLeft") return move(view.playhead - step, extend), true;
    if (key === "ArrowRight") return move(view.playhead + step, extend), true;
    if (key === "Home") return move(0, extend), true;
    if (key === "End") return move(view.duration, extend), true;
    if (far) return false;
    if (key === "+" || key === "=") return view.zoomBy(2), true;
    if (key === "-" || key === "_") return view.zoomBy(0.5), true;
    if (key === "0") return view.fit(), true;
    if (key === "z" || key === "Z") return zoomToSelection(view);
    if (key === "Escape" && view.selection) return (anchor = null), view.select(null), true;
    return false;
  };
}

/** See the selection and a little around it; false if there is none. */
export function zoomToSelection(view) {
  if (!view.selection) return false;
  const { start, stop } = view.selection;
  const margin = MARGIN * (stop - start);
  view.show(start - margin, stop + margin);
  return true;
}

/** Whether the control that has the focus uses a key itself. */
export function takesKey({ target, key }) {
  if (target.closest("input, select, textarea, [contenteditable], [role=listbox], [role=menu]")) return true;
  return target.closest("button, summary, a") !== null && (key === "Enter" || key === " ");
}
