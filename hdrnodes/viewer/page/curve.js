/** A plot of the response that was undone, beside sRGB's: display value across, scene-linear light up. */

const SIZE = 220;
const MARGIN = { left: 34, top: 8, right: 10, bottom: 30 };
// Okabe and Ito, 2008, made lighter for a dark ground: told apart with any colour vision.
const CHANNELS = [["red", "#f0824a"], ["green", "#2bb98c"], ["blue", "#56a8e8"]];
const ONE = [["this curve", "#e8e8e8"]];
const SRGB = "#8a8a8a";

export class CurvePlot {
  #element;
  #drawn = null;

  constructor(element) {
    this.#element = element;
  }

  /** @param curve rows of evenly spaced samples, one or three; null where the picture has none */
  update(visible, curve) {
    this.#element.hidden = !visible;
    if (!visible || curve === this.#drawn) return;
    this.#drawn = curve;
    this.#element.querySelector("svg").replaceChildren(...axes(), ...lines(curve));
    this.#element.querySelector("figcaption").replaceChildren(...key(curve));
  }
}

function lines(curve) {
  const names = curve?.length === 3 ? CHANNELS : ONE;
  const standard = Array.from({ length: 129 }, (_, index) => srgbToLinear(index / 128));
  const ours = (curve ?? []).map((row, index) => line(row, { stroke: names[index][1], "stroke-width": 1.75 }));
  return [line(standard, { stroke: SRGB, "stroke-dasharray": "5 4" }), ...ours];
}

function key(curve) {
  if (!curve) return ["no response curve in this file's header"];
  const names = curve.length === 3 ? CHANNELS : ONE;
  return [...names, ["sRGB", SRGB]].map(([name, colour]) => {
    const item = document.createElement("span");
    item.textContent = name;
    item.style.setProperty("--colour", colour);
    item.classList.toggle("dashed", colour === SRGB);
    return item;
  });
}

function line(samples, attributes) {
  const points = samples.map((value, index) => at(index / (samples.length - 1), value).map((each) => each.toFixed(2)));
  return svg("polyline", { points: points.join(" "), fill: "none", ...attributes });
}

function axes() {
  const parts = [];
  for (const value of [0, 0.25, 0.5, 0.75, 1]) {
    for (const [from, to] of [[at(value, 0), at(value, 1)], [at(0, value), at(1, value)]]) {
      parts.push(svg("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1], stroke: "#484848" }));
    }
    if (value % 0.5) continue;
    const [[x, bottom], [left, y]] = [at(value, 0), at(0, value)];
    parts.push(svg("text", { x, y: bottom + 13, "text-anchor": "middle" }, value));
    parts.push(svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, value));
  }
  const [middle, bottom] = at(0.5, 0);
  const [left, height] = at(0, 0.5);
  parts.push(svg("text", { x: middle, y: bottom + 26, "text-anchor": "middle" }, "display value"));
  const turned = { "text-anchor": "middle", transform: `translate(${left - 24} ${height}) rotate(-90)` };
  return [...parts, svg("text", turned, "scene-linear")];
}

function at(x, y) {
  const { left, top, right, bottom } = MARGIN;
  return [left + x * (SIZE - left - right), SIZE - bottom - y * (SIZE - top - bottom)];
}

/** IEC 61966-2-1 */
function srgbToLinear(x) {
  return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
}

function svg(name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key_, value]) => element.setAttribute(key_, value));
  element.textContent = text;
  return element;
}
