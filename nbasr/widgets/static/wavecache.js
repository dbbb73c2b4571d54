// Keeps the picture of a waveform that stays where it is, while what lies around it changes.

import { RATE } from "./pyramid.js";
import { drawWave, RAW_BELOW } from "./wavedraw.js";

/** Return a function that draws as `drawWave` does, at the top left of a canvas. */
export function createWaveCache() {
  const canvas = document.createElement("canvas");
  let kept = [];
  let last = [];
  return (ctx, drawing) => {
    const { start, stop, width, height, dpr, scale, colours } = drawing;
    const wanted = [start, stop, width, height, dpr, scale, colours];
    const same = (other) => wanted.every((value, at) => value === other[at]);
    const deep = ((stop - start) * RATE) / width < RAW_BELOW; // samples may still be on their way
    // While somebody zooms, each picture is seen once: it is kept when it is drawn a second time.
    if (deep || !same(last)) {
      last = wanted;
      drawWave(ctx, drawing);
      return;
    }
    if (!same(kept)) {
      canvas.width = Math.round(width * dpr);
      canvas.height = Math.round(height * dpr);
      const picture = canvas.getContext("2d");
      picture.scale(dpr, dpr);
      drawWave(picture, drawing);
      kept = wanted;
    }
    ctx.setTransform(1, 0, 0, 1, 0, 0); // pixel on pixel
    ctx.drawImage(canvas, 0, 0);
  };
}
