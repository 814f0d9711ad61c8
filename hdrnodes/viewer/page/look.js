/**
 * From scene-linear light to what the display gets. `shader.js` says the same to the graphics card.
 *
 *     gain, channel, view, gamma          in this order, as in Nuke's viewer
 *
 * Views:
 *     srgb    clip to 0..1, encode as sRGB (IEC 61966-2-1)
 *     aces    x (2.51 x + 0.03) / (x (2.43 x + 0.59) + 0.14), x = 0.6 light, then as srgb
 *             Narkowicz, "ACES Filmic Tone Mapping Curve", 2016; 0.6 brings it to the ACES transforms' exposure
 *     stops   false colour: a colour for each stop of luminance, from mid-grey. Gamma leaves it alone
 *
 * Alpha by itself is no light: it is shown as it is, with gain.
 */

export const MID_GREY = 0.18;
export const LUMINANCE = [0.2126, 0.7152, 0.0722]; // Rec. ITU-R BT.709-6

export const SURROUND = [24, 24, 24]; // bytes, around pictures: their black is darker

export const FIRST_STOP = -7; // and all below
/**
 * A colour for each stop from FIRST_STOP; the last is for all above as well. Lightness rises evenly (in Ottosson's
 * OKLab, 0.16 to 0.98), so that the order can be read whatever colours one sees; blue is below mid-grey, orange and
 * yellow above, and no usual colour-blindness takes those for each other.
 */
export const STOP_COLOURS = [
  "#0e0a1b", "#161235", "#191c52", "#132970", "#023b80", "#044e85", "#2a6082",
  "#686868",
  "#b15d2e", "#c96909", "#d57e0d", "#e29206", "#eda70b", "#f6bc1a", "#fdd32d", "#ffea62", "#fffeab",
];
export const STOP_BYTES = STOP_COLOURS.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));

/** How light becomes display values. @typedef {{gain: number, gamma: number, view: string, channel: string}} Look */

/** A plate as its file has it: sRGB's view undoes what was done to linearise it. */
export const AS_IS = { gain: 0, gamma: 1, view: "srgb" };

/** Whether red, green and blue go their ways apart, so that one table does for all. @param {Look} look */
export function isPerChannel(look) {
  return look.view !== "stops" && ["rgb", "r", "g", "b"].includes(look.channel);
}

/** One value's way, where `isPerChannel`. @param {Look} look */
export function shownValue(value, look) {
  const light = value * 2 ** look.gain;
  const toned = look.view === "aces" ? aces(light) : light;
  return encodeSrgb(clip(toned)) ** (1 / look.gamma);
}

/** A pixel's way: red, green, blue, alpha to three display values, 0..1. @param {Look} look */
export function shown([red, green, blue, alpha], look) {
  if (look.channel === "a") return Array(3).fill(clip(alpha * 2 ** look.gain));
  const one = { r: red, g: green, b: blue, y: luminance(red, green, blue) }[look.channel];
  const colour = one === undefined ? [red, green, blue] : [one, one, one];
  if (look.view !== "stops") return colour.map((value) => shownValue(value, look));
  return STOP_BYTES[bandOf(luminance(...colour) * 2 ** look.gain)].map((byte) => byte / 255);
}

export function luminance(red, green, blue) {
  return LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue;
}

/** Stops from mid-grey; -Infinity where there is no light. */
export function stopsOf(light) {
  return light > 0 ? Math.log2(light / MID_GREY) : -Infinity;
}

/** Which of STOP_COLOURS a luminance gets. */
export function bandOf(light) {
  const band = Math.floor(stopsOf(light) + 0.5) - FIRST_STOP;
  return Math.min(Math.max(band, 0), STOP_COLOURS.length - 1);
}

function aces(light) {
  const x = 0.6 * Math.max(light, 0);
  return (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14);
}

function encodeSrgb(x) {
  return x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055;
}

function clip(x) {
  return Math.min(Math.max(x, 0), 1);
}
