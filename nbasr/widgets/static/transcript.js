// The panel of a transcript: read along with the sound, correct it, have lines heard again, export it.

import { createEditing } from "./editing.js";
import { createFrame } from "./frame.js";
import { createReader } from "./reader.js";
import { syncLines } from "./readsync.js";
import { createSegments } from "./segments.js";
import { createWavePanel } from "./wavepanel.js";

const LONG = 180; // s; of a longer recording the wave shows a part, so that lines can be told apart
const PART = 60; // s

async function show(frame, context) {
  const { body, t } = frame;
  const store = createSegments(frame); // asked for while the sound comes
  const wave = await createWavePanel(frame, context, { regions: false, hint: t("read.hint") });
  const { view, player, transport } = wave;
  const reader = createReader(frame, store, { view, player, transport });
  const { lines, follow } = reader;
  const editing = createEditing(frame, context, { ...wave, store, lines });
  lines.addKeys(editing.keys);
  editing.toolbar.querySelector(".nb-spacer").after(reader.shading);
  body.append(wave.head, wave.tools, view.element, editing.toolbar, editing.above, reader.element, reader.foot,
    editing.below, wave.selection);
  view.on("selection", hideSelection);
  hideSelection();
  if (view.duration > LONG) view.show(view.playhead - PART / 10, view.playhead + 0.9 * PART);
  frame.root.nbReader = { store, lines, view, player, transport, follow };
  await store.ready;
  const chosen = context.model.get("selected");
  const at = store.indexAt(view.playhead);
  if (chosen && chosen[1] < store.count) lines.select(chosen[0], { to: chosen[1] });
  else if (store.count) lines.select(Math.max(at, 0));
  syncLines(context, frame, { store, lines, player });

  function hideSelection() {
    wave.selection.hidden = !view.selection; // a line is what is worked on here
  }
}

function render(context) {
  const frame = createFrame(context, { kind: "transcript", title: "read.title" });
  frame.guard(show)(frame, context);
  return frame.end;
}

export default { render };
