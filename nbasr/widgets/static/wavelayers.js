// What every waveform shows by itself: pauses, levels, the sound, the selection.

import { drawLevels, drawLevelTexts } from "./axis.js";
import { createWaveCache } from "./wavecache.js";

/**
 * @param view the wave view
 * @param {{sound, samples: object|null, top: number, shading, schedule: (what: string) => void}} given
 * @returns {{layers: object[], drawing: (what: string) => object}} `drawing`: what `drawWave` needs
 *   to know of the detail or the overview, but for place and time
 */
export function createWaveLayers(frame, view, { sound, samples, top, shading, schedule }) {
  const { t } = frame;
  const drawCached = createWaveCache();
  let unreadable = false;

  /** The samples cannot be had: say so once, not for each frame; the outline stays. */
  function onfail(error) {
    unreadable = true;
    frame.fail(error);
  }

  const drawing = (what) => ({
    sound, samples: unreadable ? null : samples, scale: view.scale, top, colours: view.colours(),
    dpr: window.devicePixelRatio || 1, onready: () => schedule(what), onfail,
  });

  function drawSelection(ctx, _, colours) {
    const { selection } = view;
    if (!selection) return;
    const left = Math.max(view.x(selection.start), -2);
    const right = Math.min(view.x(selection.stop), view.width + 2);
    if (right < 0 || left > view.width) return;
    ctx.fillStyle = colours.select;
    ctx.fillRect(left, 0, right - left, view.height);
    ctx.fillStyle = colours.accent;
    ctx.fillRect(left - 1, 0, 2, view.height);
    ctx.fillRect(right - 1, 0, 2, view.height);
    ctx.font = colours.font;
    const text = t("wave.length", { seconds: (selection.stop - selection.start).toFixed(2) });
    if (ctx.measureText(text).width + 12 > right - left) return;
    ctx.textAlign = "center";
    ctx.lineWidth = 3;
    ctx.lineJoin = "round";
    ctx.strokeStyle = colours.surface;
    ctx.fillStyle = colours.text;
    ctx.strokeText(text, (left + right) / 2, view.waveHeight - 6);
    ctx.fillText(text, (left + right) / 2, view.waveHeight - 6);
  }

  const layers = [
    { z: 0, draw: (ctx, _, colours) => shading.draw(ctx, colours) },
    { z: 10, draw: (ctx, _, colours) => drawLevels(ctx, view, view.scale, top, colours) },
    {
      z: 20,
      draw: (ctx) => drawCached(ctx, {
        ...drawing("detail"), ...view.visible, width: view.width, height: view.waveHeight,
      }),
    },
    { z: 50, draw: (ctx, _, colours) => drawLevelTexts(ctx, view, view.scale, top, colours) },
    { z: 60, draw: drawSelection },
  ];
  return { layers, drawing };
}
