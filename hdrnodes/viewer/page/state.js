/** What is looked at, and how: one object. Whoever alters it calls `change`; whoever shows it listens. */

export const NEUTRAL = { gain: 0, gamma: 1 };

export const VIEWS = ["srgb", "aces", "stops"];

export class State {
  #listeners = [];

  gain = NEUTRAL.gain; // stops
  gamma = NEUTRAL.gamma;
  view = "srgb"; // one of VIEWS
  channel = "rgb"; // rgb, r, g, b, a, or y: luminance
  mode = "a"; // a, b, wipe, or side: by side
  split = 0.5; // where the wipe is, of the canvas's width
  asIs = false; // whether a plate is shown untouched by gain, view and gamma
  frame = 0; // its place among the frames
  fit = true; // whether zoom and centre follow the window
  zoom = 1; // device pixels for a picture's pixel
  centre = [0, 0]; // what is in the middle, in a picture's coordinates
  pointer = null; // the pixel under the pointer, in a picture's coordinates: [x, y]
  curve = false; // whether the response curve is plotted
  help = false;

  /** @param {(state: State) => void} listener */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** @param {Partial<State>} values */
  change(values) {
    Object.assign(this, values);
    this.#listeners.forEach((listener) => listener(this));
  }
}
