/** Every key, what it does, and in what words the help lists it. */

import { NEUTRAL, VIEWS } from "viewer/state.js";

const GAIN_STEP = 0.5;
const GAMMA_STEP = 0.1;

const toggled = (state, name, value, other) => state.change({ [name]: state[name] === value ? other : value });
const channel = (value) => (state) => toggled(state, "channel", value, "rgb");

/** @returns {{keys: string[], says: string, does: Function[], when?: boolean}[]} `does` one for each of `keys` */
function allKeys({ sides, frames, zoomTo, zoomBy, toFrame }) {
  const two = sides === 2;
  const several = frames > 1;
  const mode = (value) => (state) => toggled(state, "mode", value, "a");
  const gain = (step) => (state) => state.change({ gain: bounded(state.gain + step, -20, 20) });
  const gamma = (step) => (state) => state.change({ gamma: bounded(state.gamma + step, 0.2, 5) });
  return [
    { keys: ["[", "]"], says: "gain, half a stop down, up", does: [gain(-GAIN_STEP), gain(GAIN_STEP)] },
    { keys: [";", "'"], says: "gamma down, up", does: [gamma(-GAMMA_STEP), gamma(GAMMA_STEP)] },
    { keys: ["0"], says: "gain and gamma as they were", does: [(state) => state.change(NEUTRAL)] },
    {
      keys: ["v"],
      says: "view: sRGB, ACES, stops in false colour",
      does: [(state) => state.change({ view: VIEWS[(VIEWS.indexOf(state.view) + 1) % VIEWS.length] })],
    },
    { keys: ["r", "g", "b", "a", "y"], says: "one channel, luminance; again: colour", does: [..."rgbay"].map(channel) },
    { keys: ["w"], says: "wipe between A and B", does: [mode("wipe")], when: two },
    { keys: ["s"], says: "side by side", does: [mode("side")], when: two },
    { keys: ["x"], says: "B in place of A, and back", does: [mode("b")], when: two },
    { keys: ["o"], says: "plate as its file has it", does: [(state) => state.change({ asIs: !state.asIs })] },
    { keys: ["f", "h"], says: "fit into the window", does: Array(2).fill((state) => state.change({ fit: true })) },
    {
      keys: ["1", "2", "4", "8"],
      says: "100 %, 200 % ... about the pointer",
      does: [1, 2, 4, 8].map((zoom) => () => zoomTo(zoom)),
    },
    { keys: ["+", "-"], says: "zoom in, out", does: [() => zoomBy(2), () => zoomBy(0.5)] },
    {
      keys: ["ArrowLeft", "ArrowRight"],
      says: "frame back, forward",
      does: [(state) => toFrame(state.frame - 1), (state) => toFrame(state.frame + 1)],
      when: several,
    },
    {
      keys: ["Home", "End"],
      says: "first, last frame",
      does: [() => toFrame(0), () => toFrame(frames - 1)],
      when: several,
    },
    { keys: ["c"], says: "response curve", does: [(state) => state.change({ curve: !state.curve })] },
    { keys: ["?"], says: "this list", does: [(state) => state.change({ help: !state.help })] },
    { keys: ["Escape"], says: "close it", does: [(state) => state.change({ help: false })] },
  ].filter(({ when }) => when !== false);
}

const MOUSE = [
  ["wheel", "zoom about the pointer"],
  ["drag", "pan; the wipe, at its line"],
  ["double click", "on a slider: as it was"],
];

const SHOWN = { ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };

export class Keyboard {
  /** @param actions zoomTo, zoomBy, toFrame; and how many sides and frames there are */
  constructor(state, actions, help) {
    const keys = allKeys(actions);
    const does = new Map(keys.flatMap((entry) => entry.keys.map((key, index) => [key, entry.does[index]])));
    fill(help, keys);
    state.onChange(() => (help.hidden = !state.help));
    window.addEventListener("keydown", (event) => {
      const action = does.get(event.key);
      if (!action || isShortcut(event) || isForField(event)) return;
      event.preventDefault();
      action(state);
    });
  }
}

/** Whether a key is for the browser. AltGr, by which many keyboards have [ and ], counts as Ctrl and Alt on Windows. */
function isShortcut(event) {
  return event.metaKey || ((event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph"));
}

/** Whether a key is for the field that has the focus: digits for a number, arrows for a slider. */
function isForField({ target, key }) {
  if (!(target instanceof HTMLInputElement)) return false;
  return target.type === "number" || key.startsWith("Arrow") || key === "Home" || key === "End";
}

function bounded(value, low, high) {
  return Math.min(Math.max(Math.round(value * 100) / 100, low), high);
}

function fill(help, keys) {
  const list = help.querySelector("dl");
  const rows = [...keys.map(({ keys: names, says }) => [names.map((name) => SHOWN[name] ?? name), says]),
    ...MOUSE.map(([name, says]) => [[name], says])];
  for (const [names, says] of rows) {
    const term = document.createElement("dt");
    for (const name of names) {
      const key = document.createElement("kbd");
      key.textContent = name;
      term.append(key);
    }
    const meaning = document.createElement("dd");
    meaning.textContent = says;
    list.append(term, meaning);
  }
}
