// Colours of a spectrogram: from the surface to what stands out most, in even steps to the eye.

// OKLab hue (degrees), chroma and lightness on the way from silence to the loudest.
// Light hosts: white to deep blue. Dark hosts: black over violet and red to pale yellow.
const LIGHT = [[255, 0.004, 1], [245, 0.05, 0.87], [250, 0.11, 0.69], [268, 0.15, 0.48], [285, 0.11, 0.27]];
const DARK = [[280, 0.02, 0.2], [295, 0.1, 0.35], [345, 0.15, 0.5], [40, 0.16, 0.68], [75, 0.14, 0.82], [100, 0.09, 0.96]];

/**
 * 256 colours as the pixels of a canvas want them.
 * @param {"light"|"dark"} theme
 * @param {number} low share 0..1 of the bytes' range that is shown as silence
 * @param {number} high share that is shown as the loudest
 */
export function colourMap(theme, low, high) {
  const stops = theme === "dark" ? DARK : LIGHT;
  const pixels = new Uint8ClampedArray(4 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    const share = Math.min(Math.max((byte / 255 - low) / Math.max(high - low, 1e-3), 0), 1);
    pixels.set([...between(stops, share), 255], 4 * byte);
  }
  return new Uint32Array(pixels.buffer);
}

function between(stops, share) {
  const at = share * (stops.length - 1);
  const first = Math.min(Math.floor(at), stops.length - 2);
  const mixed = oklab(stops[first]).map((value, axis) => {
    const next = oklab(stops[first + 1])[axis];
    return value + (at - first) * (next - value);
  });
  return srgb(mixed);
}

function oklab([hue, chroma, lightness]) {
  const angle = (hue * Math.PI) / 180;
  return [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)];
}

/** OKLab (Ottosson 2020) to 0..255. */
function srgb([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((linear) => 255 * (linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055));
}
