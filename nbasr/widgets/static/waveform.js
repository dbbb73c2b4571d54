// The panel of one recording: see it, hear it, select in it, mark regions.

import { createFrame } from "./frame.js";
import { createWavePanel } from "./wavepanel.js";

async function show(frame, context) {
  const { head, tools, view, selection, regions } = await createWavePanel(frame, context);
  frame.body.append(head, tools, view.element, selection, regions.element);
}

function render(context) {
  const frame = createFrame(context, { kind: "wave", title: "wave.title" });
  frame.guard(show)(frame, context);
  return frame.end;
}

export default { render };
